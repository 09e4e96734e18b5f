"""Attestation over HTTP: the agent on a TPM with an EK certificate (swtpm, SIMULATED), on a software root and on a
PKCS#11 token; a device that lies; a TPM that lies."""
import base64
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from harness import Agent, Device, Gate, Tpm, TpmMaker, key_id, need, run, spki, until, words

MISSING = need('swtpm', 'swtpm_setup', 'swtpm_localca', 'tpm2_getcap')
tpms = pytest.mark.skipif(bool(MISSING), reason=f'{MISSING} is not installed')
SOFTHSM = next((p for p in ('/usr/lib/softhsm/libsofthsm2.so',
                            '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(p)), None)


@pytest.fixture(scope='module')
def maker(gate, tmp_path_factory):
    """Its CAs are believed, as SIMULATED."""
    one = TpmMaker(tmp_path_factory.mktemp('maker'))
    one.manufacture(tmp_path_factory.mktemp('first'))
    for path in one.cas():
        gate.cli('attest', 'trust', path, '--simulated')
    return one


@pytest.fixture
def tpm(maker, tmp_path):
    one = Tpm(tmp_path / 'tpm', maker)
    yield one
    one.stop()


def on(gate, folder, tpm=None, device=None, rot=None):
    """An agent with both identities."""
    one = Agent(gate, folder, device or gate.new_id('ATT'), rot)
    if tpm:
        one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.put_secret(gate.json('device', 'secret', device)['secret'] if device else gate.register(one.id)[1])
    one.enrol()
    return one


def attest(agent):
    done = agent.do('attest', '--json', check=False)
    assert done.returncode in (0, 1) and done.stdout, words(done)
    return json.loads(done.stdout)


def shown(agent):
    row = agent.gate.json('device', 'show', agent.id)
    return row['attestation'], row['attestation_reason'], row['assurance_level']


# --- what stands where -----------------------------------------------------------------------------

@tpms
def test_a_tpm_is_bound_and_trusted(gate, tpm, tmp_path):
    one = on(gate, tmp_path / 'agent', tpm)
    assert shown(one) == ('none', 'no_round', 'AL0')
    said = attest(one)
    assert (said['verdict'], said['level'], said['simulated']) == ('trusted', 3, True)
    assert shown(one) == ('trusted', 'ok', 'AL3 SIMULATED')
    one.do('renew', '--force')  # a new key: it is certified in the next round
    assert attest(one)['verdict'] == 'trusted'
    types = [entry['type'] for _, entry in gate.log_entries() if one.id in json.dumps(entry)]
    assert types.count('attest.enrolled') == 1 and types.count('attest.trusted') == 1


def test_a_software_root_is_at_the_lowest_level(gate, tmp_path):
    one = on(gate, tmp_path / 'agent')
    assert attest(one)['verdict'] == 'trusted'
    assert shown(one) == ('trusted', 'ok', 'AL0')


# --- a device that lies: its keys are Python's, its TLS is openssl's -------------------------------

class Line:
    """One TLS connection of a soft device, by openssl s_client, with its exporter."""
    LABEL = 'EXPORTER-keywright-attest'

    def __init__(self, gate, who):
        self.process = subprocess.Popen(
            ['openssl', 's_client', '-connect', f'localhost:{gate.ports[0]}', '-servername', 'localhost',
             '-CAfile', gate.root, '-cert', who.cert_file, '-key', who.key_file, '-ign_eof',
             '-keymatexport', self.LABEL, '-keymatexportlen', '32'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.seen = b''
        self.who = who
        found = self.wait(rb'Keying material: ([0-9A-F]{64})\n')
        self.exporter = bytes.fromhex(found[1].decode())

    def wait(self, pattern):
        end = time.monotonic() + 30
        while not (found := re.search(pattern, self.seen, re.S)):
            assert time.monotonic() < end and self.process.poll() is None, self.seen[-500:]
            if select.select([self.process.stdout], [], [], 1)[0]:
                self.seen += os.read(self.process.stdout.fileno(), 65536)
        return found

    def ask(self, method, path, body=None):
        octets = json.dumps(body).encode() if body is not None else b''
        kind = 'Content-Type: application/json\r\n' if body is not None else ''
        self.seen = b''
        self.process.stdin.write(f'{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: '
                                 f'{len(octets)}\r\n\r\n'.encode() + octets)
        self.process.stdin.flush()
        head = self.wait(rb'HTTP/1\.1 (\d+) [^\n]*\n.*?[Cc]ontent-[Ll]ength: (\d+)\r\n.*?\r\n\r\n')
        n = int(head[2])
        body = self.wait(re.escape(head[0]) + b'(' + b'.' * 1 + b'{%d})' % n)[1]
        return int(head[1]), json.loads(body)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def challenge(self):
        status, said = self.ask('GET', '/device/v1/attest/challenge')
        assert status == 200, said
        return base64.b64decode(said['nonce'])

    def evidence(self, nonce, key=None, exporter=None):
        """As a device without a TPM answers."""
        key = key or self.who.key
        bound = hashlib.sha256(nonce + hashlib.sha256(spki(self.who.key.public_key())).digest()
                               + (exporter or self.exporter)).digest()
        signature = key.sign(b'keywright-attest-v1\0' + bound, ec.ECDSA(hashes.SHA256()))
        return {'nonce': base64.b64encode(nonce).decode(), 'signature': base64.b64encode(signature).decode()}

    def show(self, evidence):
        status, said = self.ask('POST', '/device/v1/attest/evidence', evidence)
        assert status == 200, said
        return said['verdict'], said['reason']


@pytest.fixture
def liar(gate):
    lines = []
    device = gate.device()

    def connect(who=None):
        lines.append(Line(gate, who or device.ldevid))
        return lines[-1]
    connect.device = device
    yield connect
    for line in lines:
        line.close()


def standing(gate, device):
    row = gate.json('device', 'show', device.id)
    return row['attestation'], row['attestation_reason']


def test_nonces_do_not_exclude_each_other(liar):
    """Given at one moment and used in another order, each of them once."""
    line = liar()
    first, second, third = [line.evidence(line.challenge()) for _ in range(3)]
    for evidence in (second, third, first):
        assert line.show(evidence) == ('trusted', 'ok')
    assert line.show(second) == ('suspect', 'replay')


def test_evidence_of_another_connection(gate, liar):
    one, other = liar(), liar()
    evidence = one.evidence(one.challenge())
    assert other.show(evidence) == ('suspect', 'bad_signature')  # of an exporter that is not this connection's
    assert one.show(evidence) == ('suspect', 'replay')  # the nonce is used up
    assert standing(gate, liar.device) == ('suspect', 'replay')


def test_k_of_n(gate, liar):
    """3 of 5 make it failed; one good round is not enough to be trusted again, and no verdict revokes."""
    line = liar()
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    assert line.show(line.evidence(line.challenge(), key=stranger)) == ('suspect', 'bad_signature')
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    assert line.show(line.evidence(os.urandom(8) + line.challenge()[8:])) == ('suspect', 'wrong_nonce')
    assert line.show(line.evidence(line.challenge(), exporter=b'x' * 32)) == ('failed', 'bad_signature')
    assert standing(gate, liar.device) == ('failed', 'bad_signature')
    seen = [line.show(line.evidence(line.challenge())) for _ in range(3)]
    assert seen[0] == ('suspect', 'ok') and seen[-1] == ('trusted', 'ok')
    assert all(cert['state'] == 'valid' for cert in
               gate.json('cert', 'list', '--owner', f'device:{liar.device.id}')['items'])


def test_the_nonce_of_another_device(gate, liar):
    line, other = liar(), Line(gate, gate.device().ldevid)
    nonce = other.challenge()
    other.close()
    assert line.show(line.evidence(nonce)) == ('suspect', 'wrong_nonce')


def test_a_restart_counts_against_nobody(own_gate):
    device = own_gate.device()
    line = Line(own_gate, device.ldevid)
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    nonce = line.challenge()
    line.close()
    own_gate.stop()
    own_gate.start()
    line = Line(own_gate, device.ldevid)
    assert line.show(line.evidence(nonce)) == ('trusted', 'nonce_lost')
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    line.close()


# --- a TPM that lies, or is another one ------------------------------------------------------------

@tpms
def test_an_unknown_maker(gate, maker, tmp_path):
    """A TPM whose EK certificate leads to nobody believed; then an operator pins that one EK."""
    stranger = TpmMaker(tmp_path / 'stranger')
    tpm = Tpm(tmp_path / 'tpm', stranger)
    one = on(gate, tmp_path / 'agent', tpm)
    done = one.do('attest', check=False)
    assert done.returncode != 0 and 'unknown_ek' in words(done), words(done)
    assert shown(one)[:2] == ('suspect', 'unknown_ek')
    tpm.tool('tpm2_createek', '-G', 'rsa', '-c', tmp_path / 'ek.ctx', '-u', tmp_path / 'ek.pem', '-f', 'pem')
    tpm.tool('tpm2_flushcontext', '-t')
    gate.cli('attest', 'trust', tmp_path / 'ek.pem', '--simulated')
    assert attest(one)['verdict'] == 'trusted'
    tpm.stop()


def give_certificate(tpm, folder, der):
    """Into the place of the TPM's own EK certificate."""
    (folder / 'ek.der').write_bytes(der)
    tpm.tool('tpm2_nvundefine', '-C', 'p', '0x1c00002')
    tpm.tool('tpm2_nvdefine', '-C', 'p', '-s', len(der), '-a',
             'ppwrite|writedefine|ppread|ownerread|authread|no_da|platformcreate', '0x1c00002')
    tpm.tool('tpm2_nvwrite', '-C', 'p', '-i', folder / 'ek.der', '0x1c00002')


@tpms
def test_a_cloned_ek_certificate(gate, maker, tpm, tmp_path):
    genuine = Tpm(tmp_path / 'genuine', maker)
    genuine.tool('tpm2_nvread', '-C', 'o', '-o', tmp_path / 'stolen.der', '0x1c00002')
    genuine.stop()
    give_certificate(tpm, tmp_path, (tmp_path / 'stolen.der').read_bytes())
    one = on(gate, tmp_path / 'agent', tpm)
    done = one.do('attest', check=False)
    assert done.returncode != 0 and 'ek_mismatch' in words(done), words(done)
    assert shown(one)[:2] == ('suspect', 'ek_mismatch')


@tpms
def test_one_tpm_is_one_device(gate, tpm, tmp_path):
    one, other = on(gate, tmp_path / 'one', tpm), on(gate, tmp_path / 'other', tpm)
    assert attest(one)['verdict'] == 'trusted'
    done = other.do('attest', check=False)
    assert done.returncode != 0 and 'ek_taken' in words(done), words(done)
    assert shown(other)[:2] == ('suspect', 'ek_taken')
    assert attest(one)['verdict'] == 'trusted'


@tpms
def test_another_tpm_after_a_repair(gate, maker, tpm, tmp_path):
    """A device's board was replaced: refused until an operator says so."""
    one = on(gate, tmp_path / 'one', tpm)
    assert attest(one)['verdict'] == 'trusted'
    spare = Tpm(tmp_path / 'spare', maker)
    again = on(gate, tmp_path / 'again', spare, device=one.id)
    done = again.do('attest', check=False)
    assert done.returncode != 0 and 'ek_changed' in words(done), words(done)
    assert shown(again)[:2] == ('suspect', 'ek_changed')
    gate.cli('attest', 'reset', one.id)
    assert attest(again)['verdict'] == 'trusted'
    assert one.do('attest', check=False).returncode != 0
    spare.stop()


@tpms
def test_a_device_with_a_tpm_answers_without_it(gate, tpm, tmp_path):
    one = on(gate, tmp_path / 'one', tpm)
    assert attest(one)['verdict'] == 'trusted'
    plain = on(gate, tmp_path / 'plain', device=one.id)
    assert attest(plain)['verdict'] == 'suspect'
    assert shown(plain)[:2] == ('suspect', 'tpm_expected')
