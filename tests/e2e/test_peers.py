"""Faults that users of other CAs report, where no other test of ours would notice that we had them: docs/PEERS-TESTS.md."""
import base64
import datetime
import os
import re
import shutil
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from harness import (EST, KEYWRIGHT, SOURCE, Credential, Gate, certs_in, csr_der, fingerprint, key_id, new_key, run,
                     until, words)
from test_backup import quiet

DAY_S = 86400


def ocsp_request(cert, issuer, nonce=None):
    builder = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA256())
    builder = builder.add_extension(x509.OCSPNonce(nonce), False) if nonce else builder
    return builder.build().public_bytes(Encoding.DER)


def ocsp_status(gate, cert):
    reply = gate.ask('relying', 'POST', '/ocsp/devices', ocsp_request(cert, gate.cert('ca-devices')),
                     {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    return answer.certificate_status.name if answer.response_status.value == 0 else answer.response_status.name


def crl(gate, name='devices'):
    return x509.load_der_x509_crl(gate.curl('relying', f'/crl/{name}.crl').body)


def number(one):
    return one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


# --- lamassuiot#641: a certificate of the future passes where ended ones may renew themselves -----------

def local_vault(gate, *args):
    return run(KEYWRIGHT, 'vault', *args, '--state', gate.state, check=False)


def test_a_certificate_of_the_future_opens_nothing(tmp_path):
    """Issued while the clock was 40 days ahead; afterwards it has not begun, whatever is forgiven to ended ones."""
    profiles = tmp_path / 'profiles'
    shutil.copytree(SOURCE / 'profiles', profiles)
    ldevid = profiles / 'ldevid.yaml'
    ldevid.write_text(ldevid.read_text().replace('renew_expired_hours: 0', 'renew_expired_hours: 2000'))
    gate = Gate(tmp_path / 'gate', '--profiles', profiles).start()
    try:
        device = gate.device()
        gate.stop()
        gate.env = {'KEYWRIGHT_TEST_CLOCK_JUMP_S': str(40 * DAY_S)}
        gate.start(wait=False)
        until('it waits', lambda: 'waiting until it is right' in gate.log())
        local_vault(gate, 'clock')
        gate.wait_healthy()
        early = Credential(device.folder, 'early', key := new_key(), certs_in(
            gate.enrol(csr_der(key, device.id), who=device.ldevid, verb='simplereenroll').body)[0])
        assert early.cert.not_valid_before > datetime.datetime.utcnow() + datetime.timedelta(days=39)
        gate.stop()
        gate.env = {}
        gate.start(wait=False)
        until('it is behind', lambda: 's behind a time' in gate.log())
        local_vault(gate, 'clock')
        gate.wait_healthy()
        before = gate.counts()
        for verb in ('simplereenroll', 'simpleenroll'):
            try:
                reply = gate.enrol(csr_der(new_key(), device.id), who=early, verb=verb)
                assert reply.status == 403, reply
            except OSError:
                pass  # in the handshake already
        try:
            assert device.hello(who=early).status == 403
        except OSError:
            pass
        assert gate.counts() == before
        assert device.hello(who=device.idevid).status == 200, 'what has begun is not concerned'
    finally:
        gate.stop()


# --- step-ca#606: holds and CRL numbers over a restore ---------------------------------------------------

def test_holds_and_crl_numbers_outlive_yesterdays_store(own_gate, tmp_path):
    """What was held, released and blocked since the copy, is so again. And no CRL number comes twice."""
    gate = own_gate
    later, released, both = gate.device(), gate.device(), gate.device()
    gate.cli('cert', 'hold', fingerprint(released.ldevid.cert))
    until('its list has it', lambda: crl(gate).get_revoked_certificate_by_serial_number(released.ldevid.cert.serial_number))
    gate.stop()
    shutil.copytree(gate.state / 'store', tmp_path / 'yesterday')
    gate.start()
    gate.cli('cert', 'hold', fingerprint(later.ldevid.cert))
    gate.cli('cert', 'release', fingerprint(released.ldevid.cert))
    gate.cli('cert', 'hold', fingerprint(both.ldevid.cert))
    until('its list has it', lambda: crl(gate).get_revoked_certificate_by_serial_number(both.ldevid.cert.serial_number))
    gate.cli('cert', 'release', fingerprint(both.ldevid.cert))
    leaked = [new_key() for _ in range(30)]  # more than one entry of the log names
    (tmp_path / 'leaked').write_text(''.join(f'spki:{key_id(key.public_key())}\n' for key in leaked))
    gate.cli('blocklist', 'import', tmp_path / 'leaked', '--list', 'leaked')
    until('its list has it no more',
          lambda: not crl(gate).get_revoked_certificate_by_serial_number(both.ldevid.cert.serial_number))
    quiet(gate)  # nothing is signed behind the export
    numbers = {name: number(crl(gate, name)) for name in ('devices', 'devices.life', 'services')}
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    gate.kill()
    shutil.rmtree(gate.state / 'store')
    shutil.copytree(tmp_path / 'yesterday', gate.state / 'store')
    said = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', tmp_path / 'log').stdout
    assert '30 blocked' in said
    gate.start()
    assert {row['id'] for row in gate.json('blocklist', 'list')['items']} == {key_id(key.public_key()) for key in leaked}
    assert gate.enrol(csr_der(leaked[29], released.id), who=released.idevid).status == 403
    states = [gate.json('cert', 'show', fingerprint(one.ldevid.cert))['state'] for one in (later, released, both)]
    assert states == ['held', 'valid', 'valid']
    assert [ocsp_status(gate, one.ldevid.cert) for one in (later, released, both)] == ['REVOKED', 'GOOD', 'GOOD']
    gate.cli('cert', 'release', fingerprint(later.ldevid.cert))
    assert later.hello().status == 200
    for one in (later.ldevid.cert, later.idevid.cert):
        gate.cli('cert', 'revoke', fingerprint(one), '--reason', 'superseded')
    for name, cert in (('devices', later.ldevid.cert), ('devices.life', later.idevid.cert)):
        until('its list has it', lambda name=name, cert=cert:
              crl(gate, name).get_revoked_certificate_by_serial_number(cert.serial_number))
        assert number(crl(gate, name)) > numbers[name]
    assert number(crl(gate, 'services')) >= numbers['services']


# --- libest, as Cisco's client talks -----------------------------------------------------------------------

class Libest:
    """One request a connection, credentials only when asked for, base64 as OpenSSL's BIO reads and writes it."""

    def __init__(self, gate, folder):
        self.gate, self.folder = gate, folder

    def say(self, verb, body=None, basic=None, who=None):
        port = self.gate.ports[0]
        head = [f'{"POST" if body else "GET"} {EST}/{verb} HTTP/1.1', 'User-Agent: Cisco EST client 1.0',
                'Connection: close', f'Host: localhost:{port}', 'Accept: */*']
        head += [f'Authorization: Basic {base64.b64encode(basic.encode()).decode()}'] if basic else []
        head += ['Content-Type: application/pkcs10', 'Content-Transfer-Encoding: base64',
                 f'Content-Length: {len(body)}'] if body else []
        octets = b''
        with socket.create_connection(('127.0.0.1', port), timeout=30) as raw, \
                self.gate.context(who).wrap_socket(raw, server_hostname='localhost') as tls:
            tls.sendall('\r\n'.join([*head, '', '']).encode() + (body or b''))
            while piece := tls.recv(65536):
                octets += piece
        head, _, body = octets.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        headers = dict(line.split(': ', 1) for line in lines[1:])
        assert int(headers['Content-Length']) == len(body), 'libest reads no chunks'
        return int(lines[0].split()[1]), headers, body

    def decoded(self, body):
        """By OpenSSL's base64 filter, which wants lines."""
        return run('openssl', 'base64', '-d', data=body, text=False).stdout

    def request(self, name):
        key = self.folder / f'{name}.key'
        run('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key)
        der = run('openssl', 'req', '-new', '-key', key, '-subj', f'/CN={name}', '-outform', 'DER', text=False).stdout
        return run('openssl', 'base64', data=der, text=False).stdout

    def certificate(self, answer):
        status, headers, body = answer
        assert status == 200 and headers['Content-Type'].startswith('application/pkcs7-mime'), answer
        assert headers['Content-Transfer-Encoding'] == 'base64'
        pem = run('openssl', 'pkcs7', '-inform', 'DER', '-print_certs', data=self.decoded(body), text=False).stdout
        return x509.load_pem_x509_certificate(pem)


def test_as_libest_talks(gate, tmp_path):
    client = Libest(gate, tmp_path)
    device, secret = gate.register()
    status, headers, body = client.say('cacerts')
    assert status == 200 and headers['Content-Type'].startswith('application/pkcs7-mime')
    pem = run('openssl', 'pkcs7', '-inform', 'DER', '-print_certs', data=client.decoded(body), text=False).stdout
    assert gate.pem('root').strip() in pem
    status, headers, body = client.say('csrattrs')
    assert status == 200 and headers['Content-Type'] == 'application/csrattrs' and client.decoded(body)[0] == 0x30
    first = client.request(device)
    status, headers, _ = client.say('simpleenroll', first)
    challenge = {name.lower(): value for name, value in headers.items()}['www-authenticate']
    assert status == 401 and re.fullmatch(r'Basic realm="[^"]+"', challenge)
    status, headers, _ = client.say('simpleenroll', first, basic=f'{device}:wrong')
    assert status == 401
    cert = client.certificate(client.say('simpleenroll', first, basic=f'{device}:{secret}'))

    class Idevid:
        cert_file, key_file = tmp_path / 'idevid.pem', tmp_path / f'{device}.key'
    Idevid.cert_file.write_bytes(cert.public_bytes(Encoding.PEM))
    (tmp_path / 'born').mkdir()
    client.folder = tmp_path / 'born'
    ldevid = client.certificate(client.say('simpleenroll', client.request(device), who=Idevid))

    class Ldevid:
        cert_file, key_file = tmp_path / 'ldevid.pem', tmp_path / 'born' / f'{device}.key'
    Ldevid.cert_file.write_bytes(ldevid.public_bytes(Encoding.PEM))
    (tmp_path / 'renewed').mkdir()
    client.folder = tmp_path / 'renewed'
    renewed = client.certificate(client.say('simplereenroll', client.request(device), who=Ldevid))
    assert cert.subject == ldevid.subject == renewed.subject
    # libest authenticates by both at once where it has both
    assert client.say('simplereenroll', client.request(device), basic=f'{device}:{secret}', who=Ldevid)[0] == 200


def test_clients_that_wait_for_a_word(gate):
    """Expect: 100-continue, as curl and .NET send it."""
    device, secret = gate.register()
    reply = gate.curl('devices', f'{EST}/simpleenroll', '-H', 'Content-Type: application/pkcs10', '-H',
                      'Expect: 100-continue', '-u', f'{device}:{secret}',
                      data=base64.b64encode(csr_der(new_key(), device)))
    assert reply.status == 200, reply


# --- OCSP paths and times (lamassu's responder) ------------------------------------------------------------

def test_ocsp_get_with_double_slashes(gate):
    """What base64 makes of 0xff 0xff…: empty segments, which nothing on the way may take out here."""
    cert, issuer = gate.device().ldevid.cert, gate.cert('ca-devices')
    for fill in range(3):
        request = ocsp_request(cert, issuer, os.urandom(3 + fill) + b'\xff' * 25)
        text = base64.b64encode(request).decode()
        assert '//' in text
        for path in (text, text.replace('/', '%2F'), text.replace('//', '/%2f'), text.replace('=', '%3D')):
            answer = ocsp.load_der_ocsp_response(gate.curl('relying', f'/ocsp/devices/{path}').body)
            assert answer.certificate_status == ocsp.OCSPCertStatus.GOOD
            assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce.endswith(b'\xff' * 25)


def test_no_issuing_key_signs_answers(gate):
    """Delegated, as RFC 6960 section 4.2.2.2 has it: the CA's key is for certificates and CRLs."""
    cert, issuer = gate.device().ldevid.cert, gate.cert('ca-devices')
    reply = gate.ask('relying', 'POST', '/ocsp/devices', ocsp_request(cert, issuer),
                     {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    (signer,) = answer.certificates
    assert signer.public_key() != issuer.public_key() and signer.issuer == issuer.subject
    assert answer.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(signer.public_key()).digest


# --- step-ca#159, #473: stores that grow without end -----------------------------------------------------

def store_size(gate):
    return sum(path.stat().st_size for path in (gate.state / 'store').rglob('*') if path.is_file())


def test_a_clients_renewals_do_not_fill_the_disk(own_gate):
    """309 GB for eight clients there: here some kilobytes for each certificate, log and keys with it."""
    gate = own_gate
    device = gate.device()
    door = gate.connect('devices', device.idevid)
    assert gate.enrol(csr_der(new_key(), device.id), label='ldevid', connection=door).status == 200
    gate.stop()
    before = store_size(gate)
    gate.start()
    door = gate.connect('devices', device.idevid)
    n = 200
    for _ in range(n):
        assert gate.enrol(csr_der(new_key(), device.id), label='ldevid', connection=door).status == 200
    gate.stop()
    assert store_size(gate) - before < n * 16 * 1024


# --- lamassu: a CRL for each revocation; records that go with their CA -------------------------------------

@pytest.fixture
def pair(tmp_path):
    gate = Gate(tmp_path / 'gate', '--approver', 'bob').start()
    yield gate
    gate.stop()


def test_many_revocations_are_few_lists(pair):
    gate = pair
    device = gate.device()
    door = gate.connect('devices', device.idevid)
    for _ in range(150):
        assert gate.enrol(csr_der(new_key(), device.id), label='ldevid', connection=door).status == 200
    before = number(crl(gate))
    plan = str(gate.json('revoke', 'plan', '--device', device.id, '--profile', 'ldevid', '--reason', 'superseded')['id'])
    gate.cli('revoke', 'run', plan)
    until('all are listed', lambda: len(crl(gate)) >= 151)
    assert 0 < number(crl(gate)) - before < 50


def test_certificates_outlive_their_cas_key(pair):
    """The key that issued them is destroyed: they are found, revoked and told of as before."""
    gate = pair
    device = gate.device()
    shown = gate.json('cert', 'show', fingerprint(device.ldevid.cert))
    gate.cli('key', 'deactivate', 'ca-devices', '--reason', 'closed')
    gate.approved('key', 'destroy', 'ca-devices', '--reason', 'closed')
    assert gate.json('cert', 'show', fingerprint(device.ldevid.cert)) == shown
    gate.cli('cert', 'revoke', fingerprint(device.ldevid.cert), '--reason', 'superseded')
    assert ocsp_status(gate, device.ldevid.cert) == 'REVOKED'
    assert ocsp_status(gate, device.idevid.cert) == 'GOOD'


# --- dogtag#183, #4949: the CA's own certificates have ended, and it starts no more ----------------------

def test_it_starts_after_its_own_certificates_ended(tmp_path, monkeypatch):
    """Off for 100 days: TLS and OCSP certificates have ended; it starts, and has new ones, with no clock tricks."""
    monkeypatch.setenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S', str(-100 * DAY_S))
    gate = Gate(tmp_path / 'gate')
    old = gate.cert('tls-server')
    gate.start(wait=False)
    until('it serves', lambda: gate.curl('operators', '/healthz', '-k', check=False))
    gate.stop()
    monkeypatch.delenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S')
    gate.start()
    try:
        until('another TLS certificate', lambda: gate.cert('tls-server') != old)
        device = gate.device()
        until('OCSP answers', lambda: ocsp_status(gate, device.ldevid.cert) == 'GOOD')
        file = tmp_path / 'ca.pem'
        file.write_bytes(gate.pem('ca-devices'))
        said = words(run('openssl', 'ocsp', '-CAfile', gate.root, '-url', f'{gate.url("relying")}/ocsp/devices', '-issuer',
                         file, '-cert', device.ldevid.cert_file))
        assert 'Response verify OK' in said and 'WARNING' not in said
    finally:
        gate.stop()


# --- smallstep#87: lifetimes for each level -----------------------------------------------------------------

def test_each_ca_and_profile_has_its_own_lifetime(gate):
    """A subordinate at the end of a bad line lives long while its leaves are short: each from its own file."""
    days = {name: (gate.cert(name).not_valid_after - gate.cert(name).not_valid_before).days
            for name in ('ca-services', 'tls-server')}
    leaf = gate.device().ldevid.cert
    assert (leaf.not_valid_after - leaf.not_valid_before).days <= 90 < days['ca-services']
    files = {path.stem: path.read_text() for path in (SOURCE / 'profiles/authorities').glob('*.yaml')}
    hours = int(re.search(r'^validity_hours: (\d+)', files['services'], re.M)[1])
    assert abs(days['ca-services'] * 24 - hours) <= 24


def test_what_is_named_exists():
    """docs/PEERS-TESTS.md tells of no test that is not there."""
    for options in ((), ('--self-test',)):
        run(SOURCE / 'tools/check-peers', *options)
