"""keywright doctor: each signature of the keeper is accounted for, and one that is not is shown."""
import hashlib
import json
import os
import socket
import sqlite3
import struct
import subprocess

import harness
from harness import KEEPER, run, words
from test_issue import csr_file


def doctor(gate):
    done = gate.cli('doctor', '--json', check=False)
    return done.returncode, json.loads(done.stdout.splitlines()[0])['items']


def text(value):
    return struct.pack('>H', len(value)) + value.encode()


class RogueGate:
    """Somebody else at the keeper's channel, with the rights of the server's user."""

    def __init__(self, gate):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = ours
        self.n = 0

        def place():
            os.dup2(theirs.fileno(), 3)
        config = (gate.state / 'keywright.yaml').read_text()
        unlock = next(line.split(':', 1)[1].strip().strip('"') for line in config.splitlines()
                      if line.strip().startswith('unlock:'))
        if unlock.startswith('passphrase-file:') and not unlock[16:].startswith('/'):
            unlock = f'passphrase-file:{gate.state / unlock[16:]}'
        self.process = subprocess.Popen([KEEPER, '--vault', gate.state / 'keeper', '--unlock', unlock],
                                        preexec_fn=place, close_fds=False,
                                        stdin=subprocess.DEVNULL)
        theirs.close()
        version = run(KEEPER, '--version').stdout.split()[-1]
        code, why, _ = self.ask(1, struct.pack('>H', 1) + text(version))
        assert code == 0, why

    def ask(self, kind, body):
        self.n += 1
        body = text('rogue') + body
        self.channel.send(struct.pack('>HHIQ', 1, kind, len(body), self.n) + body)
        reply = self.channel.recv(65536)[16:]
        code, length = struct.unpack('>HH', reply[:4])
        return code, reply[4:4 + length].decode(), reply[4 + length:]

    def end(self):
        self.channel.close()
        assert self.process.wait(20) == 0


def test_all_is_well(own_gate):
    device = own_gate.device()
    device.renew()
    own_gate.cli('cert', 'revoke', harness.fingerprint(device.ldevid.cert), '--reason', 'keyCompromise')
    own_gate.cli('log', 'verify')
    status, found = doctor(own_gate)
    assert status == 0, found
    journal = [one for one in found if one['check'] == 'journal']
    assert journal[0]['level'] == 'ok' and ' 0 without an event' in journal[0]['text']
    assert {one['check'] for one in found} >= {'journal', 'keeper', 'certificates', 'disk'}
    own_gate.stop()
    own_gate.start()
    assert doctor(own_gate)[0] == 0


def test_a_signature_behind_the_servers_back(own_gate):
    """In policy, so the keeper makes it; but the log knows nothing of it."""
    device = own_gate.device()
    real = device.ldevid.cert
    own_gate.stop()
    rogue = RogueGate(own_gate)
    code, why, serials = rogue.ask(6, text('ca-devices') + struct.pack('>H', 1))
    assert code == 0, why
    serial = serials[2:18]
    old = real.serial_number.to_bytes(16, 'big')
    tbs = real.tbs_certificate_bytes
    assert tbs.count(old) == 1
    tbs = tbs.replace(old, serial)
    code, why, _ = rogue.ask(16, text('ca-devices') + text('ldevid') + struct.pack('>H', len(tbs)) + tbs +
                             bytes(8))
    assert code == 0, why
    rogue.end()
    own_gate.start()
    for _ in range(2):  # it is still shown after the server has recorded it, and after a restart
        status, found = doctor(own_gate)
        assert status == 5
        shown = [one for one in found if one['check'] == 'unaccounted']
        assert len(shown) == 1
        assert shown[0]['object'] == 'ca-devices' and shown[0]['request_id'] == 'rogue'
        assert shown[0]['digest'] == hashlib.sha256(tbs).hexdigest()
        own_gate.stop()
        own_gate.start()
    said = words(own_gate.cli('doctor', check=False))
    assert hashlib.sha256(tbs).hexdigest() in said and 'rogue' in said
    events = [entry for _, entry in own_gate.log_entries() if entry['type'] == 'key.unaccounted']
    assert len(events) == 1 and events[0]['digest'] == hashlib.sha256(tbs).hexdigest()
    # somebody finds out what it was, and answers for it; nothing is excused beforehand
    digest = events[0]['digest']
    assert own_gate.cli('doctor', 'acknowledge', digest, check=False).returncode == 2
    other = hashlib.sha256(b'to be signed one day').hexdigest()
    assert own_gate.cli('doctor', 'acknowledge', other, '--reason', 'x', check=False).returncode == 3
    own_gate.cli('doctor', 'acknowledge', digest, '--reason', 'our own test of the alarm')
    done = own_gate.cli('doctor')
    assert 'acknowledged' in done.stdout and digest in done.stdout
    events = [entry for _, entry in own_gate.log_entries() if entry['type'] == 'key.acknowledge']
    assert len(events) == 1 and 'our own test of the alarm' in events[0]['detail']
    assert events[0]['actor'] == 'operator:admin', events[0]
    assert own_gate.cli('doctor', 'acknowledge', digest, '--reason', 'again', check=False).returncode == 3


def test_what_time_did_to_keys_is_in_the_log(tmp_path):
    """Expiry acts by itself, inside the keeper; the log says so all the same."""
    gate = harness.Gate(tmp_path / 'gate')

    def at_day(days):
        gate.env = {'KEYWRIGHT_TEST_CLOCK_OFFSET_S': str(days * 86400)}
        gate.log_path.unlink(missing_ok=True)
        gate.start(wait=False)
        harness.until('it serves', lambda: 'serving' in gate.log())

    def ask(*words_):
        return run(harness.KEYWRIGHT, *words_, check=False,
                   env={'KEYWRIGHT_ADMIN': str(gate.state / 'admin'), **gate.env}).stdout

    def ended():
        entries = [json.loads(line.split('\t', 1)[1])
                   for line in ask('log', 'tail', '--max', 200).splitlines()]
        return {one['object'] for one in entries
                if one['actor'] == 'keeper:clock' and one['type'] == 'key.deactivate'}

    at_day(85)  # the server renews its keys at two thirds of their life
    harness.until('keys were rotated', lambda: 'tls-server.2' in ask('key', 'list'))
    gate.stop()
    at_day(100)  # the first ones have ended
    harness.until('that is in the log', lambda: {'key:tls-server', 'key:ocsp-devices'} <= ended())
    gate.stop()


def edit(gate, profile, old, new):
    path = gate.state / f'profiles/{profile}.yaml'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_profiles_beyond_what_was_sealed(own_gate, tmp_path):
    """Who edits a profile hears at the start what the keeper will refuse; before, devices alone heard, of a 403."""
    gate = own_gate
    device = gate.device()
    assert [one['text'] for one in doctor(gate)[1] if one['check'] == 'profiles'][0].startswith('13, each within')
    gate.stop()
    edit(gate, 'ldevid', 'validity_hours: 2160', 'validity_hours: 8760')
    edit(gate, 'ldevid', 'crl_url: true', 'crl_url: false')
    edit(gate, 'station', 'validity_hours: 8760', 'validity_hours: 24')  # less is no fault
    text = (gate.state / 'profiles/tls-client.yaml').read_text()
    (gate.state / 'profiles/newer.yaml').write_text(text.replace('name: tls-client', 'name: newer'))
    for name in ('ocsp-signer', 'cmp-signer'):
        (gate.state / f'profiles/{name}.yaml').unlink()
    gate.log_path.unlink()
    gate.start()
    harness.until('it serves', lambda: 'serving' in gate.log())
    said = {
        'ldevid': 'validity_hours of profile \'ldevid\' is 8760, the rule sealed with key \'ca-devices\' says 2160 (and 1 fields more): '
                  'take it back, or let a CA that is made now issue by it (keywright ca create)',
        'newer': 'the key \'ca-services\' has no rule for profile \'newer\'',
        'ocsp-signer': 'the profile is missing, by which the server\'s own certificates are renewed: put its file',
        'cmp-signer': 'the profile is missing',
    }
    for name, text in said.items():
        assert f'keywrightd: fault: profile \'{name}\': {text}' in gate.log()
    assert gate.log().count('keywrightd: fault: profile') == len(said)
    status, found = doctor(gate)
    shown = {one['object']: one for one in found if one['check'] == 'profiles'}
    assert status == 5 and set(shown) == set(said)
    for name, text in said.items():
        assert shown[name]['level'] == 'fault' and text in shown[name]['text']
    assert gate.enrol(harness.csr_der(harness.new_key(), device.id), who=device.idevid).status == 403
    request = csr_file(tmp_path, harness.new_key(), common_name=device.id)
    done = gate.cli('profile', 'check', '--profile', 'ldevid', '--device', device.id, '--csr', request, check=False)
    assert done.returncode == 1 and 'validity_hours of profile \'ldevid\' is 8760' in done.stdout
    config = gate.state / 'keywright.yaml'
    text = config.read_text()
    assert 'Example Maker' in text
    gate.stop()
    config.write_text(text.replace('Example Maker', 'Others'))
    gate.log_path.unlink()
    gate.start()
    harness.until('it serves', lambda: 'serving' in gate.log())
    assert ('fault: profile \'user\': subject_dn of profile \'user\' is O=Others, the rule sealed with key \'ca-services\' says '
            'O=Example Maker: take it back') in gate.log()


def test_what_failed_inside_is_in_the_journal(own_gate):
    """Who asked is told no more than that it was us; the journal has the cause, and the request by which both find each other."""
    gate = own_gate
    store = sqlite3.connect(gate.state / 'store/keywright.db', timeout=10)
    store.execute('ALTER TABLE consumer RENAME TO elsewhere')
    store.commit()
    reply = gate.operators_get('/api/v1/consumers')
    assert reply.status == 500, reply
    told = json.loads(reply.body)
    assert told['code'] == 'internal' and 'consumer' not in told['detail']
    line = harness.until('the journal has it', lambda: [one for one in gate.log().splitlines() if told['request_id'] in one])[0]
    assert f'request {told["request_id"]} (/api/v1/consumers) failed: ' in line and 'no such table' in line
    store.execute('ALTER TABLE elsewhere RENAME TO consumer')
    store.commit()
    store.close()
    assert gate.operators_get('/api/v1/consumers').status == 200
