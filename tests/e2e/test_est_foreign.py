"""curl and openssl, nothing of ours, as the EST client (RFC 7030, RFC 8951)."""
import base64
import re
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA3_256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from harness import EST, Agent, certs_in, csr_der, name_of, new_key, run, spki, words

PKCS10 = ('-H', 'Content-Type: application/pkcs10')


@pytest.fixture(scope='module')
def person(gate, tmp_path_factory):
    """Somebody with openssl and curl: key, request and certificate as files."""
    return Person(gate, tmp_path_factory.mktemp('person'))


class Person:
    def __init__(self, gate, folder):
        self.gate, self.folder = gate, folder

    def request(self, name, subject):
        """A new key in NAME.key; base64 of its request, by openssl."""
        key = self.folder / f'{name}.key'
        run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-keyout', key, '-subj', subject, '-outform', 'DER', '-out', self.folder / f'{name}.csr')
        return run('openssl', 'base64', '-in', self.folder / f'{name}.csr').stdout.encode()

    def save(self, name, reply):
        """The certificate of the answer in NAME.pem, unpacked by openssl."""
        assert reply.status == 200, reply
        (self.folder / f'{name}.p7').write_bytes(base64.b64decode(reply.body))
        pem = run('openssl', 'pkcs7', '-inform', 'DER', '-in', self.folder / f'{name}.p7', '-print_certs').stdout
        assert pem.count('BEGIN CERTIFICATE') == 1, 'only the issued certificate (RFC 7030 section 4.2.3)'
        (self.folder / f'{name}.pem').write_text(pem)
        return x509.load_pem_x509_certificate(pem.encode())

    def tls(self, name):
        return ('--cert', self.folder / f'{name}.pem', '--key', self.folder / f'{name}.key')

    def enrol(self, name, path, *options, subject=None):
        return self.save(name, self.gate.curl('devices', EST + path, *PKCS10, *options,
                                              data=self.request(name, subject or f'/CN={name}')))


def subject_of(cert):
    return {attribute.oid: attribute.value for attribute in cert.subject}


@pytest.mark.parametrize('label', ['', '/idevid', '/ldevid'])
def test_cacerts(gate, tmp_path, label):
    reply = gate.curl('devices', f'{EST}{label}/cacerts')
    assert reply.status == 200
    assert reply.headers['content-type'] == 'application/pkcs7-mime; smime-type=certs-only'
    assert int(reply.headers['content-length']) == len(reply.body)
    lines = reply.body.decode('ascii').splitlines()
    assert len(lines) > 1 and all(len(line) <= 76 for line in lines), 'wrapped, as libest wants it'
    (tmp_path / 'p7').write_bytes(base64.b64decode(reply.body))
    run('openssl', 'pkcs7', '-inform', 'DER', '-in', tmp_path / 'p7', '-print_certs', '-out', tmp_path / 'pem')
    found = {cert.subject for cert in pkcs7.load_der_pkcs7_certificates((tmp_path / 'p7').read_bytes())}
    assert found == {gate.cert(name).subject for name in ('ca-devices', 'ca-services', 'root')}


def test_cacerts_of_unknown_label(gate):
    assert gate.curl('devices', f'{EST}/nonsense/cacerts').status == 404


@pytest.mark.parametrize('label, purposes', [('', []), ('/idevid', []), ('/ldevid', ['TLS Web Client Authentication'])])
def test_csrattrs_say_what_is_wanted(gate, tmp_path, label, purposes):
    """RFC 9908 section 3: one attribute for the key, one for the extensions, the signature's algorithm."""
    reply = gate.curl('devices', f'{EST}{label}/csrattrs')
    assert (reply.status, reply.headers['content-type']) == (200, 'application/csrattrs')
    (tmp_path / 'attrs').write_bytes(base64.b64decode(reply.body))
    text = run('openssl', 'asn1parse', '-inform', 'DER', '-in', tmp_path / 'attrs').stdout
    found = re.findall(r'OBJECT +:(.*)', text)
    assert found == ['id-ecPublicKey', 'prime256v1', 'Extension Request', 'X509v3 Key Usage'] + \
        (['X509v3 Extended Key Usage'] if purposes else []) + ['ecdsa-with-SHA256']


@pytest.mark.parametrize('label', ['', '/idevid'])
def test_first_certificate_with_secret(gate, person, label):
    device, secret = gate.register(None, '--serial', f'SN-{label.strip("/") or "none"}')
    cert = person.enrol(device, f'{label}/simpleenroll', '-u', f'{device}:{secret}')
    assert subject_of(cert)[NameOID.COMMON_NAME] == device
    assert subject_of(cert)[NameOID.SERIAL_NUMBER] == f'SN-{label.strip("/") or "none"}'
    assert subject_of(cert)[NameOID.ORGANIZATION_NAME] == 'Example Maker'
    assert cert.not_valid_after.isoformat() == '9999-12-31T23:59:59'
    (person.folder / 'chain.pem').write_bytes(gate.pem('ca-devices'))
    run('openssl', 'verify', '-x509_strict', '-CAfile', gate.root, '-untrusted', person.folder / 'chain.pem',
        person.folder / f'{device}.pem')


def test_whole_life_by_curl(gate, person):
    device, secret = gate.register()
    idevid = person.enrol(device, '/simpleenroll', '-u', f'{device}:{secret}')
    ldevid = person.enrol(f'{device}-l', '/simpleenroll', *person.tls(device), subject=f'/CN={device}')
    renewed = person.enrol(f'{device}-r', '/simplereenroll', *person.tls(f'{device}-l'), subject=f'/CN={device}')
    assert idevid.subject == ldevid.subject == renewed.subject
    assert len({spki(cert.public_key()) for cert in (idevid, ldevid, renewed)}) == 3
    assert 89 <= (renewed.not_valid_after - renewed.not_valid_before).days <= 90
    shown = gate.json('cert', 'list', '--owner', f'device:{device}')['items']
    assert sorted((cert['profile'], cert['state']) for cert in shown) == \
        [('idevid', 'valid'), ('ldevid', 'superseded'), ('ldevid', 'valid')]


def test_labelled_ldevid_and_renewal(gate, person):
    device, secret = gate.register()
    person.enrol(device, '/idevid/simpleenroll', '-u', f'{device}:{secret}')
    person.enrol(f'{device}-l', '/ldevid/simpleenroll', *person.tls(device), subject=f'/CN={device}')
    person.enrol(f'{device}-r', '/ldevid/simplereenroll', *person.tls(f'{device}-l'), subject=f'/CN={device}')


@pytest.mark.parametrize('subject', ['', '/', '/CN=', '/O=Somebody Else/CN='])
def test_subject_comes_from_the_registry(gate, subject):
    device, secret = gate.register()
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Somebody Else')] if 'Else' in subject else []
    parts += [x509.NameAttribute(NameOID.COMMON_NAME, device)] if 'CN' in subject else []
    reply = gate.enrol(csr_der(new_key(), '', x509.Name(parts)), secret=(device, secret))
    assert reply.status == 200, reply
    (cert,) = certs_in(reply.body)
    assert subject_of(cert) == {NameOID.ORGANIZATION_NAME: 'Example Maker', NameOID.COMMON_NAME: device,
                                NameOID.SERIAL_NUMBER: device}


@pytest.mark.parametrize('device,options', [('00:1B:44:11:3A:B7', ()), ('UNIT_7', ('--serial', 'S-7'))])
def test_ids_that_makers_have(gate, person, device, options):
    """A MAC address has colons, which HTTP Basic has, too; a '_' is no letter of serialNumber (X.520)."""
    _, secret = gate.register(device, *options)
    first, second = f'maker-{len(options)}', f'maker-{len(options)}-l'
    cert = person.enrol(first, '/simpleenroll', '-u', f'{device}:{secret}', subject=f'/CN={device}')
    assert subject_of(cert)[NameOID.COMMON_NAME] == device
    assert person.enrol(second, '/simpleenroll', *person.tls(first), subject=f'/CN={device}').subject == cert.subject


def test_the_agent_goes_by_a_mac_address(gate, tmp_path):
    device, secret = gate.register('00:1B:44:11:3A:B8')
    agent = Agent(gate, tmp_path / 'agent', device)
    agent.put_secret(secret)
    agent.enrol()
    agent.do('renew')
    assert {cert['profile'] for cert in gate.json('cert', 'list', '--owner', f'device:{device}')['items']} == {'idevid', 'ldevid'}


def test_a_request_signed_by_what_is_not_taken_is_told_what_is(gate):
    device, secret = gate.register()
    request = x509.CertificateSigningRequestBuilder().subject_name(name_of(device)).sign(new_key(), SHA3_256())
    reply = gate.enrol(request.public_bytes(Encoding.DER), secret=(device, secret))
    assert reply.status == 400 and 'SHA-256, SHA-384 and SHA-512 are' in reply.text, reply


def test_serial_numbers_that_no_certificate_carries_are_refused_at_once(gate):
    for options in (('UNIT_8',), ('UNIT-8', '--serial', 'S_8')):
        done = gate.cli('device', 'register', *options, '--product', 'thermostat-1', check=False)
        assert done.returncode == 2 and 'PrintableString' in words(done)


def test_same_request_again_gives_the_same_certificate(gate):
    device, secret = gate.register()
    csr = csr_der(new_key(), device)
    first = gate.enrol(csr, secret=(device, secret))
    before = gate.counts()
    again = gate.enrol(csr, secret=(device, secret))
    assert (first.status, again.status) == (200, 200)
    assert certs_in(first.body) == certs_in(again.body)
    assert gate.counts() == before


def test_same_renewal_again_gives_the_same_certificate(gate):
    device = gate.device()
    csr = csr_der(new_key(), device.id)
    first = gate.enrol(csr, who=device.ldevid, verb='simplereenroll')
    again = gate.enrol(csr, who=device.ldevid, verb='simplereenroll')
    assert (first.status, again.status) == (200, 200), again
    assert certs_in(first.body) == certs_in(again.body)


def test_the_answer_was_lost_and_the_request_is_signed_anew(gate):
    """A client that keeps its key and no request: each signature is another one, what it asks is the same."""
    device, secret = gate.register()
    key = new_key()
    first, again = (gate.enrol(csr_der(key, device), secret=(device, secret)) for _ in range(2))
    assert (first.status, again.status) == (200, 200), again
    assert certs_in(first.body) == certs_in(again.body)
    assert gate.enrol(csr_der(new_key(), device), secret=(device, secret)).status == 409, 'another key is another request'
    full = gate.device()
    key = new_key()
    first, again = (gate.enrol(csr_der(key, full.id), who=full.ldevid, verb='simplereenroll') for _ in range(2))
    assert (first.status, again.status) == (200, 200), again
    assert certs_in(first.body) == certs_in(again.body)


ENCODINGS = {
    'wrapped': base64.encodebytes,
    'unwrapped': base64.b64encode,
    'CRLF': lambda der: base64.encodebytes(der).replace(b'\n', b'\r\n'),
    'spaces': lambda der: b' ' + base64.encodebytes(der).replace(b'\n', b' \n') + b'\n\n',
}


@pytest.mark.parametrize('how', ENCODINGS)
@pytest.mark.parametrize('header', [None, 'base64', 'binary'])
def test_base64_whatever_its_header_says(gate, how, header):
    """RFC 8951 section 3: Content-Transfer-Encoding is ignored, white space is tolerated."""
    device, secret = gate.register()
    headers = ('-H', f'Content-Transfer-Encoding: {header}') if header else ()
    reply = gate.curl('devices', f'{EST}/simpleenroll', *PKCS10, *headers, '-u', f'{device}:{secret}',
                      data=ENCODINGS[how](csr_der(new_key(), device)))
    assert reply.status == 200, reply


def test_chunked_body(gate):
    device, secret = gate.register()
    reply = gate.curl('devices', f'{EST}/simpleenroll', *PKCS10, '-H', 'Transfer-Encoding: chunked', '-u',
                      f'{device}:{secret}', data=base64.encodebytes(csr_der(new_key(), device)))
    assert reply.status == 200, reply


@pytest.mark.parametrize('digest', [[], ['-sha384'], ['-sha512']])
def test_p384(gate, person, digest):
    """Whatever hash: without one openssl takes SHA-256 by a P-384 key, too."""
    device, secret = gate.register()
    run('openssl', 'ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', person.folder / 'p384.key')
    run('openssl', 'req', '-new', '-key', person.folder / 'p384.key', *digest, '-subj', f'/CN={device}',
        '-outform', 'DER', '-out', person.folder / 'p384.csr')
    reply = gate.enrol((person.folder / 'p384.csr').read_bytes(), secret=(device, secret))
    assert reply.status == 200, reply


def test_answer_comes_in_the_first_read(gate):
    """strongSwan wants headers and Content-Length in its first TLS read."""
    device, secret = gate.register()
    body = base64.b64encode(csr_der(new_key(), device))
    basic = base64.b64encode(f'{device}:{secret}'.encode()).decode()
    with socket.create_connection(('127.0.0.1', gate.ports[0]), timeout=30) as raw, \
            gate.context().wrap_socket(raw, server_hostname='localhost') as tls:
        tls.sendall((f'POST {EST}/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n'
                     f'Content-Type: application/pkcs10\r\nContent-Length: {len(body)}\r\n\r\n').encode() + body)
        first = tls.recv(16384)
    head, _, rest = first.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200'), first
    length = int(re.search(rb'Content-Length: (\d+)', head, re.I)[1])
    assert len(head) < 1024 and len(rest) == length


def test_head_and_keep_alive(gate):
    connection = gate.connect('devices')
    for method in ('HEAD', 'GET', 'HEAD', 'GET'):
        reply = gate.ask('devices', method, f'{EST}/cacerts', connection=connection)
        assert reply.status == 200
        assert (reply.body == b'') == (method == 'HEAD')
    connection.close()


def test_media_type_parameters_are_fine(gate):
    device, secret = gate.register()
    reply = gate.curl('devices', f'{EST}/simpleenroll', '-H', 'Content-Type: Application/PKCS10; charset=us-ascii',
                      '-u', f'{device}:{secret}', data=base64.b64encode(csr_der(new_key(), device)))
    assert reply.status == 200, reply


@pytest.mark.parametrize('path', [f'{EST}/fullcmc', f'{EST}/ldevid/fullcmc', f'{EST}/requestvoucher', '/.well-known/brski/requestvoucher',
                                  '/.well-known/brski/voucher_status', '/.well-known/brski/enrollstatus', '/.well-known/brski'])
def test_what_is_not_offered(gate, path):
    """Full CMC is optional (RFC 7030 section 4.3), vouchers are BRSKI's (RFC 8995): libest asks, and is told that there is none."""
    for method in ('GET', 'POST'):
        reply = gate.ask('devices', method, path, b'MAA=' if method == 'POST' else None, {'Content-Type': 'application/pkcs7-mime'})
        assert reply.status == 404 and reply.body.strip(), (method, reply)
