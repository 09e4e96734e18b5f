"""Revocation that bites: requests, handshakes, OCSP, CRLs, as foreign relying parties see them."""
import base64
import datetime
import email.utils
import os
import re
import ssl
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from harness import EST, csr_der, fingerprint, need, new_key, run, serial_hex, until, words


@pytest.fixture(scope='module')
def pki(gate, tmp_path_factory):
    """Certificates of the CAs as files."""
    folder = tmp_path_factory.mktemp('pki')
    for name in ('root', 'ca-devices', 'ca-services'):
        (folder / f'{name}.pem').write_bytes(gate.pem(name))
    return folder


def revoke(gate, cert, reason='keyCompromise'):
    return gate.json('cert', 'revoke', fingerprint(cert), '--reason', reason)


def crl_of(gate, ca):
    reply = gate.curl('relying', f'/crl/{ca}.crl')
    assert reply.status == 200 and reply.headers['content-type'] == 'application/pkix-crl', reply
    return x509.load_der_x509_crl(reply.body)


def number_of(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def listed(gate, cert, ca='devices'):
    return crl_of(gate, ca).get_revoked_certificate_by_serial_number(cert.serial_number)


# --- connections -----------------------------------------------------------------------------------

def test_next_request_and_next_handshake(gate):
    device = gate.device()
    live = gate.connect('devices', device.ldevid)
    assert device.hello(connection=live).status == 200
    revoke(gate, device.ldevid.cert)
    refused = device.hello(connection=live)
    assert refused.status == 403 and 'revoked' in refused.text and 'keyCompromise' in refused.text
    live.close()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        device.hello()
    assert device.hello(who=device.idevid).status == 200, 'the other identity is not concerned'


def test_curl_is_refused_in_the_handshake(gate):
    device = gate.device()
    tls = ('--cert', device.ldevid.cert_file, '--key', device.ldevid.key_file)
    assert gate.curl('devices', f'{EST}/cacerts', *tls).status == 200
    revoke(gate, device.ldevid.cert)
    assert gate.curl('devices', f'{EST}/cacerts', *tls, check=False) is None


def test_no_way_back(gate):
    """Neither renewal nor enrolment nor the answer of before, on a live connection or a new one."""
    device = gate.device()
    csr = csr_der(new_key(), device.id)
    renewed = gate.enrol(csr, who=device.ldevid, verb='simplereenroll')
    assert renewed.status == 200
    live = gate.connect('devices', device.ldevid)
    live_idevid = gate.connect('devices', device.idevid)
    assert device.hello(connection=live).status == device.hello(connection=live_idevid).status == 200
    for cert in gate.json('cert', 'list', '--owner', f'device:{device.id}')['items']:
        gate.cli('cert', 'revoke', cert['fingerprint'], '--reason', 'keyCompromise')
    before = gate.counts()
    for request, verb in ((csr, 'simplereenroll'), (csr_der(new_key(), device.id), 'simplereenroll')):
        assert gate.enrol(request, verb=verb, connection=live).status == 403
    assert gate.enrol(csr_der(new_key(), device.id), connection=live_idevid).status == 403
    for who in (device.idevid, device.ldevid):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            gate.enrol(csr_der(new_key(), device.id), who=who)
    assert gate.enrol(csr_der(new_key(), device.id), secret=(device.id, device.secret)).status == 409
    assert gate.counts() == before


def test_no_way_back_by_the_idevid(gate):
    """The device is barred, whatever becomes of the certificate, until a person lets it."""
    device = gate.device()
    revoke(gate, device.ldevid.cert, 'privilegeWithdrawn')
    assert gate.json('device', 'show', device.id)['barred'] == 'privilegeWithdrawn'
    before = gate.counts()
    refused = gate.enrol(csr_der(new_key(), device.id), who=device.idevid)
    assert (refused.status, 'readmit' in refused.text) == (409, True), refused.text
    assert gate.counts() == before
    told = [entry['type'] for _, entry in gate.log_entries(10) if entry['object'] == f'device:{device.id}']
    assert told[-1] == 'cert.refuse', told
    gate.cli('device', 'readmit', device.id, '--reason', 'the customer has paid')
    assert 'barred' not in gate.json('device', 'show', device.id)
    device.ldevid = device.get('ldevid-2', who=device.idevid)
    assert device.hello().status == 200
    again = gate.cli('device', 'readmit', device.id, '--reason', 'x', check=False)
    assert again.returncode == 1 and 'may enrol as it is' in words(again)


def test_twice(gate):
    device = gate.device()
    revoke(gate, device.ldevid.cert)
    again = gate.cli('cert', 'revoke', fingerprint(device.ldevid.cert), check=False)
    assert again.returncode == 1 and 'already' in words(again)
    reply = gate.ask('operators', 'POST', f'/api/v1/certs/{fingerprint(device.ldevid.cert)}/revoke', '{}',
                     {'Content-Type': 'application/json'}, who=gate.operator)
    assert reply.status == 409


def test_by_serial_number_and_of_nothing(gate):
    device = gate.device()
    shown = gate.json('cert', 'revoke', serial_hex(device.ldevid.cert), '--reason', 'superseded')
    assert (shown['state'], shown['reason']) == ('revoked', 'superseded')
    number = f'{device.ldevid.cert.serial_number:x}'
    for same in (number, number.upper(), '0x' + number, '00' + serial_hex(device.ldevid.cert)):
        assert gate.json('cert', 'show', same)['serial'] == shown['serial']
    for unknown in ('ab' * 32, 'ab' * 19):
        done = gate.cli('cert', 'revoke', unknown, check=False)
        assert done.returncode == 3 and 'no ' in words(done)


def test_retired_device(gate):
    device = gate.device()
    live = gate.connect('devices', device.ldevid)
    assert device.hello(connection=live).status == 200
    gate.cli('device', 'retire', device.id, '--reason', 'cessationOfOperation')
    assert device.hello(connection=live).status == 403
    for who in (device.idevid, device.ldevid):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            device.hello(who=who)
        assert until('the CRL lists it', lambda cert=who.cert: listed(gate, cert))
    assert gate.json('device', 'show', device.id)['state'] == 'retired'
    assert gate.cli('device', 'secret', device.id, check=False).returncode == 1
    assert gate.cli('device', 'retire', device.id, check=False).returncode == 1
    assert gate.cli('device', 'register', device.id, '--product', 'p', check=False).returncode == 1


# --- OCSP by openssl -------------------------------------------------------------------------------

def openssl_ocsp(gate, pki, cert_file, *options, issuer='ca-devices', ca='devices', check=True):
    return words(run('openssl', 'ocsp', '-CAfile', pki / 'root.pem', '-url', f'{gate.url("relying")}/ocsp/{ca}',
                     *options, '-issuer', pki / f'{issuer}.pem', '-cert', cert_file, check=check))


@pytest.mark.parametrize('digest', ['-sha1', '-sha256'])
@pytest.mark.parametrize('nonce', ['-nonce', '-no_nonce'])
def test_openssl_ocsp(gate, pki, digest, nonce):
    device = gate.device()
    file = device.ldevid.cert_file
    answer = openssl_ocsp(gate, pki, file, digest, nonce)
    assert 'Response verify OK' in answer and f'{file}: good' in answer and 'Next Update' in answer
    assert 'WARNING' not in answer
    revoke(gate, device.ldevid.cert)
    answer = openssl_ocsp(gate, pki, file, digest, nonce)
    assert 'Response verify OK' in answer and f'{file}: revoked' in answer and 'Reason: keyCompromise' in answer


@pytest.mark.parametrize('digest', ['-sha1', '-sha256'])
def test_never_good_for_what_we_did_not_issue(gate, pki, digest):
    for serial in ('0x1234567890abcdef1234', '1'):
        done = run('openssl', 'ocsp', '-CAfile', pki / 'root.pem', '-url', f'{gate.url("relying")}/ocsp/devices',
                   digest, '-issuer', pki / 'ca-devices.pem', '-serial', serial, check=False)
        assert 'unauthorized' in words(done) and 'good' not in words(done)


@pytest.mark.parametrize('digest', ['-sha1', '-sha256'])
def test_foreign_issuer(gate, pki, digest):
    """The serial number is ours, the issuer is not the one that this responder answers for."""
    device = gate.device()
    for issuer, ca in (('root', 'devices'), ('ca-services', 'devices'), ('ca-devices', 'services')):
        answer = openssl_ocsp(gate, pki, device.ldevid.cert_file, digest, issuer=issuer, ca=ca, check=False)
        assert 'unauthorized' in answer and 'good' not in answer


def test_unknown_responder(gate):
    assert gate.ask('relying', 'POST', '/ocsp/nonsense', b'x', {'Content-Type': 'application/ocsp-request'}).status \
        in (200, 404)


@pytest.mark.parametrize('octets', [b'', b'x', b'\x30\x80', bytes(4000), b'\x30\x03\x30\x01\x00'], ids=range(5))
def test_malformed(gate, octets):
    reply = gate.ask('relying', 'POST', '/ocsp/devices', octets, {'Content-Type': 'application/ocsp-request'})
    assert reply.status == 200 and reply.headers['content-type'] == 'application/ocsp-response'
    assert ocsp.load_der_ocsp_response(reply.body).response_status == ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def request_for(cert, issuer, algorithm=None, nonce=None):
    builder = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, algorithm or hashes.SHA1())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), False)
    return builder.build().public_bytes(Encoding.DER)


@pytest.mark.parametrize('length,fine', [(0, False), (1, True), (16, True), (32, True), (128, True), (129, False)])
def test_nonce_lengths(gate, length, fine):
    """RFC 9654 section 2.1: 16 to 32 octets are accepted, more than 128 and none at all are malformed."""
    request = request_for(gate.device_cert, gate.cert('ca-devices'), nonce=bytes(length))
    reply = gate.ask('relying', 'POST', '/ocsp/devices', request, {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    assert (answer.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL) == fine
    if fine and 16 <= length <= 32:
        assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == bytes(length)


@pytest.fixture(autouse=True, scope='module')
def device_cert(gate):
    gate.device_cert = gate.device().ldevid.cert


def slashed_request(gate, issuer):
    """A request whose base64 has '/' and '+' (RFC 6960 appendix A.1.1 has them percent-encoded)."""
    for _ in range(100000):
        request = request_for(gate.device_cert, issuer, hashes.SHA256(), os.urandom(32))
        text = base64.b64encode(request).decode()
        if '/' in text and '+' in text:
            return text
    raise AssertionError('no such request')


@pytest.mark.parametrize('quote', [lambda text: urllib.parse.quote(text, safe=''), lambda text: text,
                                   lambda text: text.replace('/', '%2f'), lambda text: text.replace('+', '%2B')],
                         ids=['percent', 'raw', 'lower case', 'plus only'])
def test_ocsp_get(gate, tmp_path, pki, quote):
    text = slashed_request(gate, gate.cert('ca-devices'))
    reply = gate.curl('relying', '/ocsp/devices/' + quote(text))
    assert reply.status == 200 and reply.headers['content-type'] == 'application/ocsp-response'
    (tmp_path / 'answer').write_bytes(reply.body)
    said = words(run('openssl', 'ocsp', '-respin', tmp_path / 'answer', '-issuer', pki / 'ca-devices.pem', '-CAfile',
                     pki / 'root.pem', '-resp_text'))
    assert 'Response verify OK' in said and 'Cert Status: good' in said


def test_ocsp_caching_headers(gate):
    text = base64.b64encode(request_for(gate.device_cert, gate.cert('ca-devices'))).decode()
    reply = gate.curl('relying', '/ocsp/devices/' + urllib.parse.quote(text, safe=''))
    answer = ocsp.load_der_ocsp_response(reply.body)
    age = int(re.search(r'max-age=(\d+)', reply.headers['cache-control'])[1])
    assert 0 < age < (answer.next_update - answer.this_update).total_seconds()
    assert not re.search('no-store|no-cache', reply.headers['cache-control'])
    assert int(reply.headers['content-length']) == len(reply.body)


def test_ocsp_headers_of_get(gate):
    """RFC 9919 section 7.2; a cache that asks again hears that nothing is new."""
    text = base64.b64encode(request_for(gate.device_cert, gate.cert('ca-devices'), hashes.SHA256())).decode()
    path = '/ocsp/devices/' + urllib.parse.quote(text, safe='')
    reply = gate.curl('relying', path)
    answer = ocsp.load_der_ocsp_response(reply.body)

    def date(name):
        return email.utils.parsedate_to_datetime(reply.headers[name]).replace(tzinfo=None)
    assert date('last-modified') == answer.this_update and date('expires') == answer.next_update
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs(now - answer.this_update) < datetime.timedelta(minutes=10), 'signed now, not yesterday'
    for known in (reply.headers['etag'], '*'):
        again = gate.curl('relying', path, '-H', f'If-None-Match: {known}')
        assert again.status == 304 and again.body == b''


def test_ocsp_get_in_the_other_alphabet(gate):
    text = slashed_request(gate, gate.cert('ca-devices'))
    for same in (text.replace('/', '_').replace('+', '-'), text.replace('/', '_').replace('+', '-').rstrip('=')):
        answer = ocsp.load_der_ocsp_response(gate.curl('relying', '/ocsp/devices/' + same).body)
        assert answer.certificate_status == ocsp.OCSPCertStatus.GOOD


def test_several_questions_in_one(gate, pki):
    """OpenSSL asks about two of ours and one that nobody issued: each has its own answer."""
    good, bad = gate.device(), gate.device()
    revoke(gate, bad.ldevid.cert, 'superseded')
    said = words(run('openssl', 'ocsp', '-CAfile', pki / 'root.pem', '-url', f'{gate.url("relying")}/ocsp/devices',
                     '-issuer', pki / 'ca-devices.pem', '-cert', good.ldevid.cert_file, '-cert', bad.ldevid.cert_file,
                     '-serial', '0x1234567890abcdef'))
    assert 'Response verify OK' in said
    assert f'{good.ldevid.cert_file}: good' in said and f'{bad.ldevid.cert_file}: revoked' in said
    assert 'Reason: superseded' in said and '0x1234567890abcdef: unknown' in said


@pytest.mark.parametrize('digest', ['-sha384', '-sha512'])
def test_hash_that_we_do_not_answer(gate, pki, digest):
    said = openssl_ocsp(gate, pki, gate.device().ldevid.cert_file, digest, check=False)
    assert 'unauthorized' in said and 'good' not in said


def test_name_of_ours_and_key_of_another(gate):
    """Both hashes count: right name with another key, and the other way round, are foreign issuers."""
    ours, other = (request_for(gate.device_cert, gate.cert(name)) for name in ('ca-devices', 'ca-services'))
    asked = ocsp.load_der_ocsp_request(ours)

    def status(request):
        reply = gate.ask('relying', 'POST', '/ocsp/devices', request, {'Content-Type': 'application/ocsp-request'})
        return ocsp.load_der_ocsp_response(reply.body).response_status
    assert status(ours) == ocsp.OCSPResponseStatus.SUCCESSFUL
    for mixed in (other, ours.replace(asked.issuer_key_hash, bytes(20)), ours.replace(asked.issuer_name_hash, bytes(20))):
        assert mixed != ours and status(mixed) == ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_a_kept_answer_is_not_given_after_the_revocation(gate, pki):
    device = gate.device()
    text = base64.b64encode(request_for(device.ldevid.cert, gate.cert('ca-devices'))).decode()
    path = '/ocsp/devices/' + urllib.parse.quote(text, safe='')
    for _ in range(3):
        good = ocsp.load_der_ocsp_response(gate.curl('relying', path).body)
        assert good.certificate_status == ocsp.OCSPCertStatus.GOOD
    revoke(gate, device.ldevid.cert)
    revoked = ocsp.load_der_ocsp_response(gate.curl('relying', path).body)
    assert revoked.certificate_status == ocsp.OCSPCertStatus.REVOKED


def test_ocsptool_of_gnutls(gate, pki, tmp_path):
    if need('ocsptool'):
        pytest.skip('ocsptool is not installed')
    device = gate.device()

    def ask():
        return words(run('ocsptool', f'--ask={gate.url("relying")}/ocsp/devices', '--load-cert',
                         device.ldevid.cert_file, '--load-issuer', pki / 'ca-devices.pem', '--load-trust',
                         pki / 'ca-devices.pem', '--outfile', tmp_path / 'out', check=False))
    said = ask()
    assert re.search(r'Certificate Status: good', said) and 'Success' in said, said
    revoke(gate, device.ldevid.cert)
    assert re.search(r'Certificate Status: revoked', ask())


# --- CRLs ------------------------------------------------------------------------------------------

def test_crl(gate, pki, tmp_path):
    device = gate.device()
    before = number_of(crl_of(gate, 'devices'))
    revoke(gate, device.ldevid.cert)
    entry = until('the CRL lists it', lambda: listed(gate, device.ldevid.cert))
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.key_compromise
    reply = gate.curl('relying', '/crl/devices.crl')
    assert 'max-age' in reply.headers['cache-control']
    crl = x509.load_der_x509_crl(reply.body)
    assert number_of(crl) > before
    assert crl.is_signature_valid(gate.cert('ca-devices').public_key())
    for ca in ('devices', 'root'):
        der = tmp_path / f'{ca}.crl'
        der.write_bytes(gate.curl('relying', f'/crl/{ca}.crl').body)
        run('openssl', 'crl', '-inform', 'DER', '-in', der, '-out', tmp_path / f'{ca}.crl.pem')

    def verify(cert, *options, crls=('devices',)):
        lists = [part for name in crls for part in ('-CRLfile', tmp_path / f'{name}.crl.pem')]
        return run('openssl', 'verify', '-x509_strict', *options, '-CAfile', pki / 'root.pem', '-untrusted',
                   pki / 'ca-devices.pem', *lists, cert, check=False)
    for options, crls in ((('-crl_check',), ('devices',)), (('-crl_check_all',), ('devices', 'root'))):
        fine, bad = (verify(one.cert_file, *options, crls=crls) for one in (device.idevid, device.ldevid))
        assert fine.returncode == 0, words(fine)
        assert bad.returncode != 0 and 'certificate revoked' in words(bad), words(bad)


def test_list_of_certificates_without_end(gate, pki, tmp_path):
    """An IDevID names a list of its own, with an issuingDistributionPoint in DER, that OpenSSL takes for it alone."""
    device = gate.device()
    (point,) = device.idevid.cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = point.full_name[0].value
    path = urllib.parse.urlsplit(url).path
    assert path == '/crl/devices.life.crl'
    revoke(gate, device.idevid.cert)
    until('its list has it', lambda: listed(gate, device.idevid.cert, 'devices.life'))
    reply = gate.curl('relying', path)
    crl = x509.load_der_x509_crl(reply.body)
    idp = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert idp.critical and idp.value.full_name[0].value == url
    assert not any((idp.value.only_contains_user_certs, idp.value.only_contains_ca_certs, idp.value.indirect_crl,
                    idp.value.only_contains_attribute_certs, idp.value.only_some_reasons))
    # SEQUENCE { [0] { [0] { [6] url } } } and nothing else: what is FALSE by default is absent
    name = url.encode()
    want = bytes([0x30, len(name) + 6, 0xa0, len(name) + 4, 0xa0, len(name) + 2, 0x86, len(name)]) + name
    assert want in crl.public_bytes(Encoding.DER) and len(name) < 110
    (tmp_path / 'life.crl').write_bytes(reply.body)
    run('openssl', 'crl', '-inform', 'DER', '-in', tmp_path / 'life.crl', '-out', tmp_path / 'life.pem',
        '-CAfile', pki / 'ca-devices.pem', '-verify')

    def verify(cert):
        return words(run('openssl', 'verify', '-crl_check', '-CAfile', pki / 'root.pem', '-untrusted',
                         pki / 'ca-devices.pem', '-CRLfile', tmp_path / 'life.pem', cert, check=False))
    assert 'certificate revoked' in verify(device.idevid.cert_file)
    assert 'different CRL scope' in verify(device.ldevid.cert_file), 'the list is not about this one'
    assert verify(gate.device().idevid.cert_file).strip().endswith(': OK')


def test_crl_headers(gate):
    first = gate.curl('relying', '/crl/services.crl')
    etag, modified = first.headers['etag'], first.headers['last-modified']
    assert re.fullmatch(r'"[0-9a-f]{64}"', etag)
    crl = x509.load_der_x509_crl(first.body)
    assert email.utils.parsedate_to_datetime(modified) == crl.last_update.replace(tzinfo=datetime.timezone.utc)
    for header in (f'If-None-Match: {etag}', f'If-None-Match: "x", {etag}', f'If-Modified-Since: {modified}'):
        again = gate.curl('relying', '/crl/services.crl', '-H', header)
        assert again.status == 304 and again.body == b'' and again.headers['etag'] == etag
    for header in ('If-None-Match: "x"', 'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT'):
        assert gate.curl('relying', '/crl/services.crl', '-H', header).body == first.body


@pytest.mark.parametrize('name', ['nobody', 'devices.s1', 'devices.delta', 'devices.x', '.life', 'devices.life.life'])
def test_no_such_list(gate, name):
    reply = gate.curl('relying', f'/crl/{name}.crl')
    assert reply.status == 404 and reply.headers['content-type'].startswith('text/plain')


def test_crl_numbers_rise(gate):
    numbers = []
    for _ in range(3):
        device = gate.device()
        revoke(gate, device.ldevid.cert, 'unspecified')
        entry = until('the CRL lists it', lambda one=device: listed(gate, one.ldevid.cert))
        assert not list(entry.extensions), '"unspecified" is told by no reason at all (RFC 5280 section 5.3.1)'
        numbers.append(number_of(crl_of(gate, 'devices')))
    assert numbers == sorted(set(numbers))


def test_crl_of_nothing_has_no_entries(gate):
    crl = crl_of(gate, 'root')
    assert len(crl) == 0 and number_of(crl) >= 1
    assert b'revokedCertificates' not in crl.public_bytes(Encoding.DER)


def test_points_in_certificates_lead_there(gate):
    """CRL distribution point and OCSP responder of a certificate are reachable as they are written."""
    cert = gate.device_cert
    points = cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = points[0].full_name[0].value
    assert url.startswith(gate.url('relying'))
    assert gate.curl('relying', url[len(gate.url('relying')):]).status == 200
    aia = cert.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    urls = {one.access_method: one.access_location.value for one in aia}
    assert urls[x509.AuthorityInformationAccessOID.OCSP] == f'{gate.url("relying")}/ocsp/devices'


def test_operator_certificate_revoked(own_gate, tmp_path):
    """The operator's own certificate: the command that revokes it is the last one, and somebody else is left."""
    live = own_gate.connect('operators', own_gate.operator)
    assert own_gate.ask('operators', 'GET', '/api/v1/about', connection=live).status == 200
    cert = x509.load_pem_x509_certificate(own_gate.operator.cert_file.read_bytes())
    for command in (('cert', 'revoke', fingerprint(cert)), ('cert', 'hold', fingerprint(cert)),
                    ('revoke', 'plan', '--ca', 'services', '--dry-run')):
        done = own_gate.cli(*command, check=False)
        assert done.returncode == 1 and 'operator\'s certificate' in done.stderr and 'issue' in done.stderr, words(done)
    request, key = tmp_path / 'carol.csr', tmp_path / 'carol.key'
    run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-subj', '/CN=carol',
        '-out', request)
    own_gate.cli('cert', 'issue', '--profile', 'operator', '--name', 'carol', '--csr', request, '--out', tmp_path / 'carol.pem')
    revoke(own_gate, cert)
    assert own_gate.ask('operators', 'GET', '/api/v1/about', connection=live).status == 403
    assert own_gate.cli('device', 'list', check=False).returncode != 0
    assert own_gate.operators_get('/healthz', who=None).status == 200


def test_survives_a_restart(own_gate):
    device = own_gate.device()
    revoke(own_gate, device.ldevid.cert)
    own_gate.kill()
    own_gate.start()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        device.hello()
    assert until('the CRL lists it', lambda: listed(own_gate, device.ldevid.cert))
