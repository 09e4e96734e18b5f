"""Attestation over HTTP: the agent on a TPM with an EK certificate (swtpm, SIMULATED), on a software root and on a
PKCS#11 token; a device that lies; a TPM that lies."""
import base64
import datetime
import hashlib
import json
import os
import re
import select
import shutil
import struct
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from harness import (BUILD, SOURCE, Agent, Credential, Gate, Tpm, TpmMaker, certs_in, csr_der, need, new_key, run, spki, until,
                     words)

MISSING = need('swtpm', 'swtpm_setup', 'swtpm_localca', 'tpm2_getcap')
tpms = pytest.mark.skipif(bool(MISSING), reason=f'{MISSING} is not installed')
SOFTHSM = next((p for p in ('/usr/lib/softhsm/libsofthsm2.so',
                            '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(p)), None)


@pytest.fixture(scope='module')
def maker(tmp_path_factory):
    """Its TPMs are made once; each test has copies."""
    one = TpmMaker(tmp_path_factory.mktemp('maker'))
    one.manufacture(tmp_path_factory.mktemp('first'))
    return one


def believe(gate, maker):
    """Its CAs, as SIMULATED."""
    for path in maker.cas():
        gate.cli('attest', 'trust', path, '--simulated')


@pytest.fixture(scope='module')
def believed(gate, maker):
    believe(gate, maker)
    return maker


@pytest.fixture
def build(gate, believed, tmp_path):
    """TPMs by serial number; at the end no device is bound to them any more, for they are the next test's, too."""
    made = []

    def one(serial=0, maker=believed):
        made.append(Tpm(tmp_path / f'tpm-{len(made)}', maker, serial))
        return made[-1]
    yield one
    for tpm in made:
        tpm.stop()
        for device in tpm.devices:
            gate.cli('attest', 'reset', device)


@pytest.fixture
def tpm(build):
    return build()


def on(gate, folder, tpm=None, device=None, rot=None):
    """An agent with both identities."""
    one = Agent(gate, folder, device or gate.new_id('ATT'), rot)
    if tpm:
        one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
        tpm.devices.append(one.id)
    one.put_secret(gate.json('device', 'secret', device)['secret'] if device else gate.register(one.id)[1])
    one.enrol()
    return one


def attest(agent):
    done = agent.do('attest', '--json', check=False)
    assert done.returncode in (0, 1) and done.stdout, words(done)
    return json.loads(done.stdout)


def trusted(agent):
    assert attest(agent)['verdict'] == 'trusted', shown(agent)
    return True


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


class Born:
    """With its IDevID only: more is for those who attested."""

    def __init__(self, gate, product='thermostat-1'):
        self.id = gate.new_id('BORN')
        secret = gate.json('device', 'register', self.id, '--product', product)['secret']
        folder = gate.folder / self.id
        folder.mkdir()
        key = new_key()
        reply = gate.enrol(csr_der(key, self.id), secret=(self.id, secret), label='idevid')
        assert reply.status == 200, reply
        self.idevid = Credential(folder, 'idevid', key, certs_in(reply.body)[0])


def test_patience_is_data(gate, tmp_path):
    """A product whose units are given no second chance, and two hours."""
    file = tmp_path / 'policy.yaml'

    def set_to(text, check=True):
        file.write_text(text)
        return gate.cli('attest', 'policy', file, check=check)
    set_to('product: strict-1\nfailed: 1\nrounds: 1\ntrusted_hours: 2\n')
    one = Born(gate, 'strict-1')
    line = Line(gate, one.idevid)
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    until_when = datetime.datetime.fromisoformat(gate.json('device', 'show', one.id)['attested_until'].rstrip('Z'))
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert datetime.timedelta(0) < until_when - now < datetime.timedelta(hours=3)
    assert line.show(line.evidence(line.challenge(), key=new_key())) == ('failed', 'bad_signature')
    rows = gate.json('attest', 'policy', 'show')['items']
    assert [(row.get('product'), row['failed'], row['rounds'], row['trusted_hours'], row['fresh_minutes']) for row in rows] \
        == [(None, 3, 5, 24, 10), ('strict-1', 1, 1, 2, 10)]
    for text, why in (('failed: 6\nrounds: 5\n', 'failed 1 to rounds'), ('rounds: 40\n', 'rounds'),
                      ('patience: 3\n', 'patience'), ('trusted_hours: 0\n', 'trusted_hours')):
        done = set_to(text, check=False)
        assert done.returncode != 0 and why in words(done), words(done)
    gate.cli('attest', 'drop-policy', 'strict-1')
    assert line.show(line.evidence(line.challenge(), key=new_key())) == ('suspect', 'bad_signature')
    assert len(gate.json('attest', 'policy')['items']) == 1
    line.close()


def test_an_operator_takes_trust_away(gate, liar):
    """At once, against all that the device can show, until it is given back."""
    line = liar()
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    gate.cli('attest', 'untrust', liar.device.id, '--reason', 'stolen')
    assert standing(gate, liar.device) == ('failed', 'untrusted')
    assert line.show(line.evidence(line.challenge())) == ('failed', 'untrusted')
    gate.cli('attest', 'reset', liar.device.id)
    assert standing(gate, liar.device) == ('failed', 'untrusted')
    assert line.show(line.evidence(line.challenge())) == ('failed', 'untrusted')
    gate.cli('attest', 'retrust', liar.device.id)
    assert standing(gate, liar.device) == ('trusted', 'ok')
    assert gate.cli('attest', 'retrust', liar.device.id, check=False).returncode != 0
    told = [(entry['type'], entry['detail']) for _, entry in gate.log_entries()
            if entry.get('object') == f'device:{liar.device.id}' and entry['type'].startswith('attest.')]
    assert [kind for kind, _ in told][:2] == ['attest.trusted', 'attest.failed'] and 'stolen' in told[1][1], told


def test_the_nonce_of_another_device(gate, liar):
    line, other = liar(), Line(gate, gate.device().ldevid)
    nonce = other.challenge()
    other.close()
    assert line.show(line.evidence(nonce)) == ('suspect', 'wrong_nonce')


# --- a TPM that lies, or is another one ------------------------------------------------------------

@tpms
def test_an_unknown_maker(gate, build, tmp_path):
    """A TPM whose EK certificate leads to nobody believed; then an operator pins that one EK."""
    tpm = build(maker=TpmMaker(tmp_path / 'stranger'))
    one = on(gate, tmp_path / 'agent', tpm)
    done = one.do('attest', check=False)
    assert done.returncode != 0 and 'unknown_ek' in words(done), words(done)
    assert '{' not in words(done), 'a sentence, not what the server sent'
    told = [entry['detail'] for _, entry in gate.log_entries() if entry.get('object') == f'device:{one.id}']
    assert any('was not added; ask its maker for it, and keywright attest trust FILE' in text for text in told), told
    assert shown(one)[:2] == ('suspect', 'unknown_ek')
    tpm.tool('tpm2_createek', '-G', 'rsa', '-c', tmp_path / 'ek.ctx', '-u', tmp_path / 'ek.pem', '-f', 'pem')
    tpm.tool('tpm2_flushcontext', '-t')
    gate.cli('attest', 'trust', tmp_path / 'ek.pem', '--simulated')
    assert attest(one)['verdict'] == 'trusted'


def maker_crl(maker, path, serials, hours_ago):
    """Signed by who signs the maker's EK certificates."""
    issuer = x509.load_pem_x509_certificate((maker.folder / 'issuer.pem').read_bytes())
    key = serialization.load_pem_private_key((maker.folder / 'key.pem').read_bytes(), None)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    made = now - datetime.timedelta(hours=hours_ago)
    crl = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(made).next_update(
        now + datetime.timedelta(days=30))
    for serial in serials:
        crl = crl.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(made).build())
    path.write_bytes(crl.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return path


@tpms
def test_a_maker_takes_an_endorsement_key_back(gate, believed, build, tmp_path):
    """By its CRL, after the device was bound; a newer one gives it back."""
    tpm = build(serial=2)
    one = on(gate, tmp_path / 'agent', tpm)
    tpm.tool('tpm2_nvread', '-C', 'o', '-o', tmp_path / 'ek.der', '0x1c00002')
    serial = x509.load_der_x509_certificate((tmp_path / 'ek.der').read_bytes()).serial_number
    assert attest(one)['verdict'] == 'trusted'
    told = gate.cli('attest', 'crl', maker_crl(believed, tmp_path / 'one.crl', [1, serial], 5)).stdout
    assert '2 taken back; 1 devices' in told, told
    assert shown(one)[:2] == ('failed', 'ek_revoked')
    assert attest(one)['verdict'] == 'failed' and shown(one)[1] == 'ek_revoked'
    gate.cli('attest', 'reset', one.id)
    done = one.do('attest', check=False)
    assert done.returncode != 0 and 'ek_revoked' in words(done), words(done)
    for path, why in ((maker_crl(believed, tmp_path / 'old.crl', [], 6), 'as new'),
                      (maker_crl(TpmMaker.made(tmp_path / 'stranger'), tmp_path / 'other.crl', [], 1), 'signed by no CA')):
        done = gate.cli('attest', 'crl', path, check=False)
        assert done.returncode != 0 and why in words(done), words(done)
    gate.cli('attest', 'crl', maker_crl(believed, tmp_path / 'new.crl', [1], 4))
    attest(one)
    assert shown(one)[1] == 'ok'
    assert [row['entries'] for row in gate.json('attest', 'crl')['items']] == [1]


def give_certificate(tpm, folder, der):
    """Into the place of the TPM's own EK certificate."""
    (folder / 'ek.der').write_bytes(der)
    tpm.tool('tpm2_nvundefine', '-C', 'p', '0x1c00002')
    tpm.tool('tpm2_nvdefine', '-C', 'p', '-s', len(der), '-a',
             'ppwrite|writedefine|ppread|ownerread|authread|no_da|platformcreate', '0x1c00002')
    tpm.tool('tpm2_nvwrite', '-C', 'p', '-i', folder / 'ek.der', '0x1c00002')


@tpms
def test_the_missing_ca_is_named_with_its_address(gate, tpm, tmp_path):
    """An EK certificate of an intermediate that nobody added: its AIA says where that is."""
    tpm.tool('tpm2_createek', '-G', 'rsa', '-c', tmp_path / 'ek.ctx', '-u', tmp_path / 'ek.pem', '-f', 'pem')
    tpm.tool('tpm2_flushcontext', '-t')
    ek = serialization.load_pem_public_key((tmp_path / 'ek.pem').read_bytes())
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    place = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS,
                                   x509.UniformResourceIdentifier('http://ek.example/ca7.cer'))
    cert = x509.CertificateBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'Example EK CA 7')]),
                                   x509.Name([]), ek, 7, now - datetime.timedelta(days=1), now + datetime.timedelta(days=9)
                                   ).add_extension(x509.AuthorityInformationAccess([place]), False)
    give_certificate(tpm, tmp_path, cert.sign(new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    one = on(gate, tmp_path / 'agent', tpm)
    done = one.do('attest', check=False)
    assert done.returncode != 0 and 'unknown_ek' in words(done), words(done)
    told = [entry['detail'] for _, entry in gate.log_entries() if entry.get('object') == f'device:{one.id}']
    assert any("'/CN=Example EK CA 7' was not added; it is at http://ek.example/ca7.cer" in text for text in told), told


@tpms
def test_a_cloned_ek_certificate(gate, build, tpm, tmp_path):
    build(serial=1).tool('tpm2_nvread', '-C', 'o', '-o', tmp_path / 'stolen.der', '0x1c00002')
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
def test_another_tpm_after_a_repair(gate, build, tpm, tmp_path):
    """A device's board was replaced: refused until an operator says so."""
    one = on(gate, tmp_path / 'one', tpm)
    assert attest(one)['verdict'] == 'trusted'
    again = on(gate, tmp_path / 'again', build(serial=1), device=one.id)
    done = again.do('attest', check=False)
    assert done.returncode != 0 and 'ek_changed' in words(done) and f'attest reset {one.id}' in words(done), words(done)
    assert shown(again)[:2] == ('suspect', 'ek_changed')
    gate.cli('attest', 'reset', one.id)
    assert attest(again)['verdict'] == 'trusted'
    assert one.do('attest', check=False).returncode != 0


@tpms
def test_a_device_with_a_tpm_answers_without_it(gate, tpm, tmp_path):
    one = on(gate, tmp_path / 'one', tpm)
    assert trusted(one)
    plain = on(gate, tmp_path / 'plain', device=one.id)
    assert attest(plain)['verdict'] == 'suspect'
    assert shown(plain)[:2] == ('suspect', 'tpm_expected')


# --- a TPM that lies: the agent with its quotes altered on their way (tests/e2e/liar.c) -----------

LIAR = BUILD / 'tests/e2e/agent-liar'


def lie_at(agent, *verb, **more):
    return run(LIAR, *verb, '--state', agent.state, check=False, env={key: str(value) for key, value in more.items()})


def lie(agent, how, **more):
    """What the server made of it."""
    done = lie_at(agent, 'attest', '--json', KW_LIE=how, **more)
    assert done.returncode in (0, 1) and done.stdout, words(done)
    return shown(agent)[1]


@tpms
def test_each_lie_of_a_tpm_has_its_reason(gate, build, tpm, tmp_path):
    one = on(gate, tmp_path / 'agent', tpm)
    two = on(gate, tmp_path / 'two', build(serial=1))
    assert attest(one)['verdict'] == attest(two)['verdict'] == 'trusted'
    for how, reason in (('signature', 'bad_signature'), ('magic', 'bad_magic'), ('values', 'pcr_digest'),
                        ('pcrs', 'wrong_pcrs'), ('certificate', 'bad_type'), ('signer', 'wrong_ak')):
        assert lie(one, how, KW_LIE_ROT=two.rot) == reason, how
    assert shown(one)[0] == 'failed'
    assert lie(two, 'replay', KW_LIE_FILE=tmp_path / 'old') == 'ok'  # kept
    assert lie(two, 'replay', KW_LIE_FILE=tmp_path / 'old') == 'replay'
    assert attest(two)['verdict'] == 'trusted'
    assert lie(two, 'replay', KW_LIE_FILE=tmp_path / 'old') == 'wrong_binding'  # older than the last


# --- measured boots --------------------------------------------------------------------------------

def event(pcr, digest, kind=0x80000003):
    return struct.pack('<IIIH', pcr, kind, 1, 0x000b) + digest + struct.pack('<I', 2) + b'ok'


class Boot:
    """A machine's firmware: what it extends, it writes down."""

    def __init__(self, agent, tpm, folder):
        self.agent, self.tpm, self.path = agent, tpm, folder / 'binary_bios_measurements'
        spec = b'Spec ID Event03\0' + struct.pack('<IBBBBIHHB', 0, 0, 2, 0, 2, 1, 0x000b, 32, 0)
        self.write(struct.pack('<II20sI', 0, 3, bytes(20), len(spec)) + spec)
        config = agent.state / 'config.json'
        config.write_text(json.dumps(dict(json.loads(config.read_text()), event_log=str(self.path))))

    def write(self, log):
        self.log = log
        self.path.write_bytes(log)

    def measure(self, pcr, what, kind=0x80000003, extend=True, note=True):
        digest = hashlib.sha256(what).digest()
        if extend:
            self.tpm.tool('tpm2_pcrextend', f'{pcr}:sha256={digest.hex()}')
        if note:
            self.write(self.log + event(pcr, digest, kind))


@tpms
def test_the_log_and_the_quote(gate, tpm, tmp_path):
    one = on(gate, tmp_path / 'agent', tpm)
    boot = Boot(one, tpm, tmp_path)
    assert attest(one)['verdict'] == 'trusted'
    boot.measure(4, b'boot loader', note=False)
    assert attest(one)['verdict'] == 'suspect' and shown(one)[1] == 'log_mismatch'
    boot.measure(4, b'boot loader', extend=False)
    assert attest(one)['verdict'] == 'trusted'
    boot.measure(5, b'written after the quote', extend=False)  # log n + 1
    assert attest(one)['verdict'] == 'trusted'
    whole = boot.log
    boot.write(whole[:-1])
    attest(one)
    assert shown(one)[1] == 'log_malformed'
    boot.write(b'')
    attest(one)
    assert shown(one)[1] == 'log_absent'


@tpms
def test_reference_sets(gate, tpm, tmp_path):
    """A roll-out: the old release's events, then both, then only the new one's."""
    one = on(gate, tmp_path / 'agent', tpm)
    product = gate.json('device', 'show', one.id)['product']
    boot = Boot(one, tpm, tmp_path)
    boot.measure(0, b'firmware 1')
    boot.measure(4, b'kernel 1')
    boot.measure(5, b'this boot only')  # not judged
    text = gate.cli('attest', 'accept', boot.path, '--name', 'release-1', '--product', product).stdout
    assert '2 events' in text, text
    try:
        assert attest(one)['verdict'] == 'trusted'
        gate.cli('attest', 'untrust', 'release-1', '--reference')
        assert shown(one)[:2] == ('failed', 'reference_untrusted')
        gate.cli('attest', 'retrust', 'release-1', '--reference')
        assert attest(one)['verdict'] == 'trusted'
        boot.measure(4, b'a stranger')
        assert attest(one)['verdict'] == 'suspect'
        row = gate.json('device', 'show', one.id)
        assert row['attestation_reason'] == 'unknown_event'
        gate.cli('attest', 'accept', boot.path, '--name', 'release-2', '--product', product)
        assert attest(one)['verdict'] == 'trusted'
        names = {row['name']: row['state'] for row in gate.json('attest', 'references')['items']}
        assert names['release-1'] == names['release-2'] == 'open'
        gate.cli('attest', 'close', 'release-2')
        assert attest(one)['verdict'] == 'suspect' and shown(one)[1] == 'reference_closed'
        gate.cli('attest', 'open', 'release-2')
        boot.measure(7, b'secure boot is off', extend=False)
        gate.cli('attest', 'forget', 'release-2')
        gate.cli('attest', 'accept', boot.path, '--name', 'release-3', '--product', product)
        gate.cli('attest', 'forget', 'release-1')
        attest(one)
        assert shown(one)[1] == 'missing_event'  # PCR 7 was never extended so
    finally:
        for name in ('release-1', 'release-2', 'release-3'):
            gate.cli('attest', 'forget', name, check=False)
    told = [entry['detail'] for _, entry in gate.log_entries() if entry.get('object', '') == 'attest-reference:release-2']
    assert [text.split()[0] for text in told] == ['opened', 'closed', 'opened', 'forgotten']


def test_reference_sets_refuse_what_is_none(gate, tmp_path):
    (tmp_path / 'log').write_bytes(b'nonsense')
    for options, why in ((['--name', 'x'], 'not an event log'), ([], '--name'),
                         (['--name', 'x', '--pcrs', '0,8'], 'PCRs 0 to 7'), (['--name', 'x', '--pcrs', '1;2'], '--pcrs')):
        done = gate.cli('attest', 'accept', tmp_path / 'log', *options, check=False)
        assert done.returncode != 0 and why in words(done), words(done)
    assert gate.cli('attest', 'close', 'nobody', check=False).returncode != 0
    assert gate.json('attest', 'references')['items'] == []


# --- a secure element ------------------------------------------------------------------------------

@pytest.mark.skipif(not SOFTHSM or not shutil.which('softhsm2-util'), reason='SoftHSM is not installed')
def test_a_secure_element_is_vouched_for(gate, tmp_path, monkeypatch):
    """SoftHSM, SIMULATED: AL1 where the operator says that the product's units have one."""
    (tmp_path / 'tokens').mkdir()
    (tmp_path / 'softhsm2.conf').write_text(f'directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\n')
    monkeypatch.setenv('SOFTHSM2_CONF', str(tmp_path / 'softhsm2.conf'))
    run('softhsm2-util', '--init-token', '--free', '--label', 'unit', '--so-pin', '12345678', '--pin', '87654321')
    (tmp_path / 'pin').write_text('87654321')
    (tmp_path / 'pin').chmod(0o600)
    one = on(gate, tmp_path / 'agent', rot=f'pkcs11:token=unit?module-path={SOFTHSM}&pin-source=file:{tmp_path}/pin')
    product = gate.json('device', 'show', one.id)['product']
    one.do('hello')
    assert attest(one)['verdict'] == 'trusted' and shown(one)[2] == 'AL0 SIMULATED'
    gate.cli('attest', 'vouch', product)
    try:
        assert [row['product'] for row in gate.json('attest', 'elements')['items']] == [product]
        assert attest(one)['level'] == 1 and shown(one)[2] == 'AL1 SIMULATED'
        soft = on(gate, tmp_path / 'soft')  # of the same product, and it does not even say so
        soft.do('hello')
        assert attest(soft)['level'] == 0 and shown(soft)[2] == 'AL0'
    finally:
        gate.cli('attest', 'unvouch', product)
    assert attest(one)['level'] == 0


# --- who asks for the verdict ----------------------------------------------------------------------

@pytest.fixture(scope='module')
def strict(tmp_path_factory):
    """Its LDevIDs are only for devices that attested just now, with the key."""
    one = Gate(tmp_path_factory.mktemp('strict'))
    profile = one.state / 'profiles/ldevid.yaml'
    profile.write_text(profile.read_text() + 'attest: fresh\n')
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


def test_est_wants_a_fresh_verdict(strict):
    """By IDevID, as after the LDevID's end: refused until the evidence is good, and again when it is not."""
    one = Born(strict)
    birth, device = one.idevid, one.id
    wish = csr_der(new_key(), device)
    reply = strict.enrol(wish, who=birth)
    assert reply.status == 403 and 'attestation needed' in reply.text, reply
    line = Line(strict, birth)
    assert line.show(line.evidence(line.challenge(), key=new_key()))[0] == 'suspect'
    assert strict.enrol(wish, who=birth).status == 403
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    assert strict.enrol(wish, who=birth).status == 200
    line.close()


def test_the_broker_hears_of_it(gate, liar, tmp_path):
    """In the snapshot and change feed that brokers follow, with the verdict and its end."""
    (tmp_path / 'plugin.so').touch()
    gate.cli('broker', 'config', tmp_path / 'broker', '--name', 'localhost', '--port', '18883', '--plugin',
             tmp_path / 'plugin.so',
             *(['--user', 'root'] if os.geteuid() == 0 else []))

    class Feed:
        cert_file = key_file = tmp_path / 'broker/feed.pem'

    def ask(path):
        reply = gate.ask('devices', 'GET', f'/broker/v1/{path}', who=Feed)
        assert reply.status == 200, reply
        return json.loads(reply.body)
    line = liar()
    cursor = ask('snapshot')['cursor']
    for change, verdict in ((lambda: line.show(line.evidence(line.challenge())), 'trusted'),
                            (lambda: gate.cli('attest', 'untrust', liar.device.id), 'failed'),
                            (lambda: gate.cli('attest', 'retrust', liar.device.id), 'trusted'),
                            (lambda: line.show(line.evidence(line.challenge(), key=new_key())), 'suspect')):
        change()
        said = ask(f'changes?since={cursor}&wait=10')
        cursor = said['cursor']
        mine = [item for item in said['items'] if item['owner'] == f'device:{liar.device.id}']
        assert mine and all(item['attestation'] == verdict for item in mine), said
        assert all(('attested_until' in item) == (verdict == 'trusted') for item in mine), said


def test_a_refused_renewal_attests_first(strict, tmp_path):
    """The device that is refused for want of a verdict attests, and asks again."""
    one = on(strict, tmp_path / 'agent')  # its first LDevID is refused too, until it attested
    assert shown(one)[0] == 'trusted'
    strict.cli('attest', 'reset', one.id)
    assert shown(one)[0] != 'trusted'
    one.do('renew', '--force')
    assert shown(one)[0] == 'trusted'


def test_a_restart_counts_against_nobody(strict):
    device = Born(strict)
    line = Line(strict, device.idevid)
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    nonce = line.challenge()
    line.close()
    strict.stop()
    strict.start()
    line = Line(strict, device.idevid)
    assert line.show(line.evidence(nonce)) == ('trusted', 'nonce_lost')
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    line.close()


def test_a_live_session_ends_with_its_trust(gate, tmp_path):
    """Mosquitto with a policy that lets in only the trusted: in by evidence, cut when the next is bad."""
    mqtt = pytest.importorskip('test_mqtt')
    if not mqtt.MOSQUITTO or not mqtt.PLUGIN.exists() or need('mosquitto_pub'):
        pytest.skip('mosquitto or its plugin is not there')
    broker = mqtt.Broker(gate, tmp_path / 'broker',
                         edit=lambda text: text.replace('[none, trusted, suspect]', '[trusted]')).filled()
    hub = mqtt.hub_of(gate)
    line = Line(gate, hub.ldevid)
    until('it is refused for that', lambda: not mqtt.publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data')
          and 'attestation does not suffice' in broker.log())
    assert line.show(line.evidence(line.challenge())) == ('trusted', 'ok')
    mqtt.comes_in(gate, broker, hub)
    ear = mqtt.Listener(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/command')
    gate.cli('attest', 'untrust', hub.id)  # by an operator's word
    assert ear.cut.wait(30)
    ear.client.loop_stop()
    gate.cli('attest', 'retrust', hub.id)
    mqtt.comes_in(gate, broker, hub)
    ear = mqtt.Listener(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/command')
    assert line.show(line.evidence(line.challenge(), key=new_key())) == ('suspect', 'bad_signature')
    assert ear.cut.wait(30)
    ear.client.loop_stop()
    assert not mqtt.publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data')
    line.close()
    broker.stop()


# --- after the LDevID's end ------------------------------------------------------------------------

AWAY_S = 91 * 86400  # longer than an LDevID lives


@pytest.fixture(scope='module')
def later(strict, request, tmp_path_factory):
    """Three months later, for who has no clock of its own, too: devices that were off all the time. Last in this file: for
    the server there is no way back."""
    folder = tmp_path_factory.mktemp('later')
    slept = {'soft': on(strict, folder / 'soft')}
    tpm = None
    if not MISSING:
        maker = request.getfixturevalue('maker')
        believe(strict, maker)
        tpm = Tpm(folder / 'tpm', maker)
        slept['tpm'] = on(strict, folder / 'agent', tpm)
    strict.stop()
    with pytest.MonkeyPatch.context() as clock:
        clock.setenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S', str(AWAY_S))
        strict.start(wait=False)
        until('it serves', lambda: strict.curl('operators', '/healthz', '-k', check=False))
        yield slept
    if tpm:
        tpm.stop()


def ended(agent):
    cert = x509.load_pem_x509_certificate((agent.state / 'ldevid.pem').read_bytes())
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)  # as older releases of the library have it
    return cert.not_valid_after < now + datetime.timedelta(seconds=AWAY_S)


def of(gate, agent):
    return [(entry['type'], entry.get('detail', '')) for _, entry in gate.log_entries() if agent.id in json.dumps(entry)]


@tpms
def test_back_after_its_certificate_ended(strict, later):
    """LDevID over: by IDevID, with fresh evidence that holds, of a key that lies in the TPM."""
    one = later['tpm']
    assert ended(one)
    types = [kind for kind, _ in of(strict, one)]  # its first LDevID was given for evidence, too
    assert types.index('attest.trusted') < len(types) - 1 - types[::-1].index('cert.issue'), types
    born = (one.state / 'ldevid.pem').read_bytes()
    done = lie_at(one, 'renew', KW_LIE_CSR=1)  # good evidence, and a request for a key in software
    assert done.returncode != 0 and 'did not certify the key of this request' in words(done), words(done)
    assert shown(one)[:2] == ('trusted', 'ok')
    done = lie_at(one, 'renew', KW_LIE='values')  # evidence that does not hold
    assert done.returncode != 0 and 'pcr_digest' in words(done), words(done)
    assert (one.state / 'ldevid.pem').read_bytes() == born
    one.do('renew')
    assert not ended(one) and shown(one) == ('trusted', 'ok', 'AL3 SIMULATED')
    one.do('hello')
    one.do('renew', '--force')  # the verdict is fresh, and its next key is another
    assert trusted(one)


def test_not_back_when_revoked_meanwhile(strict, later):
    """The key of the birth identity was lost: neither it nor the LDevID leads back."""
    one = later['soft']
    assert ended(one)
    certs = strict.json('cert', 'list', '--owner', f'device:{one.id}')['items']
    birth = next(cert for cert in certs if cert['profile'] == 'idevid')
    strict.cli('cert', 'revoke', birth['serial'], '--reason', 'keyCompromise')
    done = one.do('renew', check=False)
    assert done.returncode != 0 and 'revoked' in words(done), words(done)
    assert ended(one)
    assert len(strict.json('cert', 'list', '--owner', f'device:{one.id}')['items']) == len(certs)
