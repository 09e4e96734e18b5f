"""EST where profiles ask for more: channel binding, keys made by the server, approval, late renewal."""
import base64
import email
import re
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.name import _ASN1Type
from harness import (EST, SOURCE, Credential, Gate, certs_in, csr_der, key_pem, name_of, new_key, run, spki,
                     until)

DAY_S = 86400
PKCS10 = ('-H', 'Content-Type: application/pkcs10')
CHALLENGE, DECRYPT_SECRET, DECRYPT_KEY = ('1.2.840.113549.1.9.7', '1.2.840.113549.1.9.16.2.37',
                                          '1.2.840.113549.1.9.16.2.54')


def profiles_in(folder, **changes):
    """Our profiles, but for some lines: profile=[(old, new), ...]."""
    shutil.copytree(SOURCE / 'profiles', folder)
    for name, lines in changes.items():
        path = folder / f'{name}.yaml'
        text = path.read_text('utf-8')
        for old, new in lines:
            assert old in text, f'{name}: {old}'
            text = text.replace(old, new, 1)
        path.write_text(text, 'utf-8')
    return folder


@pytest.fixture(scope='module')
def strict(tmp_path_factory):
    """A server whose IDevIDs are bound to their connection, and that makes LDevIDs' keys."""
    folder = tmp_path_factory.mktemp('strict')
    profiles = profiles_in(folder / 'profiles',
                           idevid=[('channel_binding: none', 'channel_binding: required')],
                           ldevid=[('server_keygen: false', 'server_keygen: true'),
                                   ('renew_expired_hours: 0', 'renew_expired_hours: 48')])
    one = Gate(folder / 'gate', '--profiles', profiles)
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


def csr_with(key, name, *attributes):
    """A request with attributes: (OID, value, ASN.1 tag)."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of(name))
    for oid, value, tag in attributes:
        builder = builder.add_attribute(x509.ObjectIdentifier(oid), value, _tag=tag)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


# --- channel binding (RFC 7030 section 3.5, RFC 9266) ----------------------------------------------

class Exporter:
    """One TLS connection of `openssl s_client`, whose channel binding it tells."""

    def __init__(self, gate):
        self.process = subprocess.Popen(
            ['openssl', 's_client', '-connect', f'127.0.0.1:{gate.ports[0]}', '-CAfile', str(gate.root), '-ign_eof',
             '-keymatexport', 'EXPORTER-Channel-Binding', '-keymatexportlen', '32'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        text = b''
        while not (found := re.search(rb'Keying material: ([0-9A-F]{64})', text)):
            piece = self.process.stdout.readline()
            assert piece, text
            text += piece
        self.binding = base64.b64encode(bytes.fromhex(found[1].decode())).decode()

    def enrol(self, device, secret, csr):
        """One request on this connection; the status."""
        body = base64.b64encode(csr)
        basic = base64.b64encode(f'{device}:{secret}'.encode()).decode()
        head = (f'POST {EST}/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n'
                f'Content-Type: application/pkcs10\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n')
        try:
            out, _ = self.process.communicate(head.encode() + body, timeout=30)
        finally:
            self.process.kill()
        return int(re.search(rb'HTTP/1.1 (\d+)', out)[1])


def bound_csr(key, device, binding):
    return csr_with(key, device, (CHALLENGE, binding.encode(), _ASN1Type.PrintableString))


def test_bound_request_is_taken(strict):
    device, secret = strict.register()
    connection = Exporter(strict)
    assert connection.enrol(device, secret, bound_csr(new_key(), device, connection.binding)) == 200


def test_request_bound_to_another_connection_is_refused(strict):
    device, secret = strict.register()
    there, here = Exporter(strict), Exporter(strict)
    csr = bound_csr(new_key(), device, there.binding)
    assert here.enrol(device, secret, csr) == 403
    assert there.enrol(device, secret, csr) == 200, 'refused elsewhere, it is still good where it was made'


@pytest.mark.parametrize('challenge', [None, 'A' * 43 + '=', 'letmein', '!'])
def test_unbound_or_wrongly_bound_is_refused(strict, challenge):
    device, secret = strict.register()
    csr = bound_csr(new_key(), device, challenge) if challenge else csr_der(new_key(), device)
    before = strict.counts()
    assert strict.enrol(csr, secret=(device, secret)).status == 403
    assert strict.counts() == before


def test_wrong_challenge_is_refused_where_none_is_wanted(gate):
    """"the EST server MUST verify": also where the profile does not ask for it."""
    device, secret = gate.register()
    assert gate.enrol(bound_csr(new_key(), device, 'letmein'), secret=(device, secret)).status == 403


def test_csrattrs_ask_for_the_challenge(strict, gate):
    def asks(one):
        return b'\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07' in base64.b64decode(one.curl('devices', f'{EST}/csrattrs').body)
    assert asks(strict) and not asks(gate)


# --- serverkeygen (RFC 7030 section 4.4) -----------------------------------------------------------

def identity(gate, folder):
    """A device with an IDevID at a server that wants bound requests."""
    device, secret = gate.register()
    key, connection = new_key(), Exporter(gate)
    csr = bound_csr(key, device, connection.binding)
    assert connection.enrol(device, secret, csr) == 200
    again = Exporter(gate)  # the same request, bound anew: the certificate again
    csr = bound_csr(key, device, again.binding)
    assert again.enrol(device, secret, csr) == 200
    (shown,) = gate.json('cert', 'list', '--owner', f'device:{device}')['items']
    reply = gate.cli('cert', 'pem', shown['fingerprint']).stdout
    return device, Credential(folder, device, key, x509.load_pem_x509_certificate(reply.encode()))


def key_name(key):
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest


def keygen(gate, who, csr, label='/ldevid'):
    return gate.ask('devices', 'POST', f'{EST}{label}/serverkeygen', base64.encodebytes(csr),
                    {'Content-Type': 'application/pkcs10'}, who=who)


def parts_of(reply):
    message = email.message_from_bytes(b'Content-Type: ' + reply.headers['content-type'].encode() + b'\r\n\r\n' +
                                       reply.body)
    return message.get_payload()


def test_key_made_by_the_server(strict, tmp_path):
    """openssl opens it, with the key that signed the request; the certificate is for what is in it."""
    device, idevid = identity(strict, tmp_path)
    own = new_key()
    csr = csr_with(own, device, (DECRYPT_KEY, key_name(own), _ASN1Type.OctetString))
    first, second = (keygen(strict, idevid, csr) for _ in range(2))
    assert (first.status, second.status) == (200, 200), first
    assert first.headers['content-type'].startswith('multipart/mixed; boundary=')
    key_part, cert_part = parts_of(first)
    assert key_part['Content-Type'] == 'application/pkcs7-mime; smime-type=server-generated-key'
    assert cert_part['Content-Type'] == 'application/pkcs7-mime; smime-type=certs-only'
    (cert,) = certs_in(cert_part.get_payload().encode())
    (tmp_path / 'own.key').write_bytes(key_pem(own))
    (tmp_path / 'key.p7').write_bytes(base64.b64decode(key_part.get_payload()))
    (tmp_path / 'cert.pem').write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (tmp_path / 'cas.pem').write_bytes(strict.root.read_bytes() + strict.pem('ca-devices'))
    run('openssl', 'cms', '-decrypt', '-binary', '-inform', 'DER', '-in', tmp_path / 'key.p7', '-inkey', tmp_path / 'own.key',
        '-out', tmp_path / 'signed.p7')
    run('openssl', 'cms', '-verify', '-binary', '-inform', 'DER', '-in', tmp_path / 'signed.p7', '-nointern', '-certfile',
        tmp_path / 'cert.pem', '-CAfile', tmp_path / 'cas.pem', '-purpose', 'any', '-out', tmp_path / 'package')
    package = (tmp_path / 'package').read_bytes()
    pkcs8 = package[2 if package[1] < 0x80 else 3 if package[1] == 0x81 else 4:]
    made = serialization.load_der_private_key(pkcs8, None)
    assert spki(made.public_key()) == spki(cert.public_key()) != spki(own.public_key())
    (other,) = certs_in(parts_of(second)[1].get_payload().encode())
    assert spki(other.public_key()) != spki(cert.public_key()), 'made anew, never kept'
    ldevid = Credential(tmp_path, 'made', made, cert)
    assert strict.ask('devices', 'POST', '/device/v1/hello', '{"agent":"a 1","root_of_trust":"soft"}', who=ldevid,
                      headers={'Content-Type': 'application/json'}).status in (200, 204)
    assert strict.cli('doctor').returncode == 0


BAD_NAMES = {
    'none': lambda own: [],
    'of nobody': lambda own: [(DECRYPT_KEY, bytes(20), _ASN1Type.OctetString)],
    'empty': lambda own: [(DECRYPT_KEY, b'', _ASN1Type.OctetString)],
    'long': lambda own: [(DECRYPT_KEY, bytes(65), _ASN1Type.OctetString)],
    'text': lambda own: [(DECRYPT_KEY, b'abc', _ASN1Type.UTF8String)],
    'secret': lambda own: [(DECRYPT_SECRET, b'abc', _ASN1Type.OctetString)],
    'secret too': lambda own: [(DECRYPT_KEY, key_name(own), _ASN1Type.OctetString),
                               (DECRYPT_SECRET, b'abc', _ASN1Type.OctetString)],
}


def test_nothing_leaves_unencrypted(strict, tmp_path):
    device, idevid = identity(strict, tmp_path)
    before = strict.counts()
    for name, attributes in BAD_NAMES.items():
        own = new_key()
        reply = keygen(strict, idevid, csr_with(own, device, *attributes(own)))
        assert reply.status == 400, (name, reply)
    # the IDevID signs: nobody encrypts to it
    reply = keygen(strict, idevid, csr_with(new_key(), device,
                                            (DECRYPT_KEY, key_name(idevid.key), _ASN1Type.OctetString)))
    assert reply.status == 400
    assert keygen(strict, idevid, b'no request').status == 400
    assert keygen(strict, None, csr_der(new_key(), device)).status == 401
    assert keygen(strict, idevid, csr_der(new_key(), device), label='/nonsense').status == 404
    assert strict.counts() == before


def test_keys_are_made_only_where_the_profile_says_so(gate):
    device = gate.device()
    own = new_key()
    csr = csr_with(own, device.id, (DECRYPT_KEY, key_name(own), _ASN1Type.OctetString))
    assert keygen(gate, device.idevid, csr).status == 403


# --- approval (RFC 7030 section 4.2.3) -------------------------------------------------------------

def test_waits_for_an_officer(tmp_path):
    profiles = profiles_in(tmp_path / 'profiles', idevid=[('approval: none', 'approval: officer')])
    gate = Gate(tmp_path / 'gate', '--profiles', profiles, '--approver', 'bob')
    gate.start()
    try:
        device, secret = gate.register()
        csr = csr_der(new_key(), device)
        for _ in range(2):
            reply = gate.enrol(csr, secret=(device, secret))
            assert (reply.status, int(reply.headers['retry-after']) > 0) == (202, True), reply
        (waiting,) = gate.json('request', 'list')['items']
        gate.cli('request', 'approve', waiting['id'])
        first, again = (gate.enrol(csr, secret=(device, secret)) for _ in range(2))
        assert (first.status, again.status) == (200, 200), first
        assert certs_in(first.body) == certs_in(again.body)
    finally:
        gate.stop()


# --- renewal after the end -------------------------------------------------------------------------

def past_gate(folder, profiles, monkeypatch, days):
    """A server as it was `days` ago, with a device's identities; its own TLS certificate is as old."""
    monkeypatch.setenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S', str(-days * DAY_S))
    gate = Gate(folder / 'gate', '--profiles', profiles)
    gate.start(wait=False)
    until('it serves', lambda: gate.curl('operators', '/healthz', '-k', check=False))
    return gate


def old_identity(gate, folder, device, name, verb, *who):
    key = new_key()
    reply = gate.curl('devices', f'{EST}/{verb}', '-k', *PKCS10, *who, data=base64.b64encode(csr_der(key, device)))
    assert reply.status == 200, reply
    return Credential(folder, name, key, certs_in(reply.body)[0])


def shows(who):
    return ('--cert', who.cert_file, '--key', who.key_file)


@pytest.mark.parametrize('days, renews', [(91, True), (93, False)])
def test_ended_certificates_renew_themselves_for_a_while(tmp_path, monkeypatch, days, renews):
    profiles = profiles_in(tmp_path / 'profiles', ldevid=[('renew_expired_hours: 0', 'renew_expired_hours: 48')])
    gate = past_gate(tmp_path, profiles, monkeypatch, days)
    try:
        device, secret = gate.register()
        idevid = old_identity(gate, tmp_path, device, 'idevid', 'simpleenroll', '-u', f'{device}:{secret}')
        ldevid = old_identity(gate, tmp_path, device, 'ldevid', 'simpleenroll', *shows(idevid))
        gate.stop()
        monkeypatch.delenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S')
        gate.start()
        body = base64.b64encode(csr_der(new_key(), device))
        # everything else is refused, in the handshake or after it
        for path, data, media in ((f'{EST}/simpleenroll', body, 'application/pkcs10'),
                                  (f'{EST}/cacerts', None, 'text/plain'),
                                  ('/device/v1/hello', b'{"agent":"a","root_of_trust":"s"}', 'application/json')):
            reply = gate.curl('devices', path, '-H', f'Content-Type: {media}', *shows(ldevid), data=data, check=False)
            assert reply is None or reply.status == 403, (path, reply)
        reply = gate.curl('devices', f'{EST}/simplereenroll', *PKCS10, *shows(ldevid), data=body, check=False)
        if renews:
            assert reply.status == 200, reply
            assert certs_in(reply.body)[0].subject == ldevid.cert.subject
        else:
            assert reply is None or reply.status == 403, reply
    finally:
        gate.stop()


# --- stations (RFC 7030 section 3.7) ---------------------------------------------------------------

def station_of(gate, folder, name):
    """A station's certificate, by an operator's word."""
    key = new_key()
    request = x509.load_der_x509_csr(csr_der(key, name))
    (folder / f'{name}.csr').write_bytes(request.public_bytes(serialization.Encoding.PEM))
    gate.cli('cert', 'issue', '--profile', 'station', '--name', name, '--csr', folder / f'{name}.csr', '--out',
             folder / f'{name}.crt')
    return Credential(folder, name, key, x509.load_pem_x509_certificate((folder / f'{name}.crt').read_bytes()))


def test_station_enrols_its_products_devices(gate, tmp_path):
    station = station_of(gate, tmp_path, 'LINE-1')
    device, _ = gate.register()
    key = new_key()
    csr = csr_der(key, device)
    assert gate.enrol(csr, who=station).status == 403, 'no grant'
    gate.cli('station', 'grant', 'LINE-1', '--product', 'thermostat-1')
    assert [one['product'] for one in gate.json('station', 'list')['items'] if one['station'] == 'LINE-1'] == ['thermostat-1']
    reply = gate.enrol(csr, who=station)
    assert reply.status == 200, reply
    (cert,) = certs_in(reply.body)
    assert spki(cert.public_key()) == spki(key.public_key())
    assert gate.enrol(csr_der(new_key(), device), who=station).status == 409, 'born once'
    assert gate.enrol(csr_der(new_key(), 'NOBODY'), who=station).status == 403
    for verb in ('simplereenroll', 'serverkeygen'):
        assert gate.enrol(csr_der(new_key(), device), who=station, verb=verb).status == 403
    gate.cli('station', 'revoke', 'LINE-1', '--product', 'thermostat-1')
    other, _ = gate.register()
    assert gate.enrol(csr_der(new_key(), other), who=station).status == 403
