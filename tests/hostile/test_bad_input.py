"""What nobody should send: a clear error with the right status, nothing recorded, nothing leaked, server alive."""
import base64
import datetime
import json
import os
import re
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from harness import (EST, Credential, csr_der, der_of, fingerprint, key_id, name_of, new_key, until)

SIMPLEENROLL = f'{EST}/simpleenroll'
JSON = {'Content-Type': 'application/json'}


@pytest.fixture(scope='module')
def device(gate):
    """A device with both identities."""
    return gate.device()


@pytest.fixture
def fresh(gate):
    """A device with an unused secret."""
    return gate.register()


@pytest.fixture(autouse=True)
def nothing_happens(gate, request):
    """Around every test that does not set `records`: the registry is as before, and a new client is served."""
    for name in ('device', 'fresh'):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    before = gate.counts()
    yield
    assert gate.alive()
    assert gate.ask('devices', 'GET', f'{EST}/cacerts').status == 200
    if not getattr(request.node, 'records', False):
        assert gate.counts() == before


def refused(gate, reply, status, why):
    """The status, one line that names the cause, and no secret, path, or place in the source."""
    assert reply.status == status, reply
    assert re.search(why, reply.text), reply
    assert str(gate.state) not in reply.text and str(gate.folder) not in reply.text
    assert not re.search(r'\.c:\d|src/|/tmp/|/var/|sqlite|SELECT|0x[0-9a-f]{8}', reply.text), reply
    assert int(reply.headers['content-length']) == len(reply.body)
    return reply


def made_cert(key, subject, issuer=None):
    """A certificate that nobody of ours has made."""
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
            .serial_number(x509.random_serial_number()).not_valid_before(datetime.datetime(2026, 1, 1))
            .not_valid_after(datetime.datetime(2036, 1, 1)).public_key(key.public_key())
            .sign(key, hashes.SHA256()))


# --- certification requests ------------------------------------------------------------------------

def flipped(der, at):
    at %= len(der)
    return der[:at] + bytes([der[at] ^ 1]) + der[at + 1:]


REQUESTS = {
    'empty': (lambda device: b'', 400, 'request'),
    'zeros': (lambda device: bytes(300), 400, 'certification request|PKCS#10|request'),
    'noise': (lambda device: os.urandom(300), 400, 'request'),
    'trailing octet': (lambda device: csr_der(new_key(), device) + b'\0', 400, 'request|trailing|after'),
    'two requests': (lambda device: csr_der(new_key(), device) * 2, 400, 'request|trailing|after'),
    'wrong signature': (lambda device: flipped(csr_der(new_key(), device), -1), 400, 'signature|possession'),
    'changed subject': (lambda device: csr_der(new_key(), device).replace(device.encode(), device[:-1].encode() + b'x'),
                        400, 'signature|possession'),
    'RSA-1024': (lambda device: csr_der(rsa.generate_private_key(65537, 1024), device), 400, 'key|RSA'),
    'RSA-2048': (lambda device: csr_der(rsa.generate_private_key(65537, 2048), device), 400, 'key|RSA'),
    'RSA-3072': (lambda device: csr_der(rsa.generate_private_key(65537, 3072), device), 400, 'rsa-3072'),
    'P-521': (lambda device: csr_der(new_key(ec.SECP521R1()), device), 400, 'key|curve'),
    'secp256k1': (lambda device: csr_der(new_key(ec.SECP256K1()), device), 400, 'key|curve'),
    'a certificate': (lambda device: der_of(made_cert(new_key(), name_of(device))), 400, 'request|DER'),
    "another device's name": (lambda device: csr_der(new_key(), 'DEV-0000'), 403, 'name|subject|DEV-0000|device'),
}


@pytest.mark.parametrize('what', REQUESTS)
def test_request(gate, fresh, what):
    make, status, why = REQUESTS[what]
    refused(gate, gate.enrol(make(fresh[0]), secret=fresh), status, why)


def test_secret_survives_a_bad_request(gate, fresh, request):
    """A request that was refused for its form did not use the secret up."""
    request.node.records = True
    assert gate.enrol(b'nonsense', secret=fresh).status == 400
    assert gate.enrol(csr_der(new_key(), fresh[0]), secret=fresh).status == 200


@pytest.mark.parametrize('part', [0, 1, 2, 4, 10, 50, 90, 99])
def test_truncated_der(gate, fresh, part):
    der = csr_der(new_key(), fresh[0])
    refused(gate, gate.enrol(der[:len(der) * part // 100 or part], secret=fresh), 400, 'request')


@pytest.mark.parametrize('body', [b'!!!!', b'AAA', b'A', b'AA=A', b'=', b'====', b'MIIB\0MIIB', b'\xff\xfe\xfd',
                                  b'-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n'])
def test_not_base64(gate, fresh, body):
    refused(gate, gate.enrol(b'', secret=fresh, encode=lambda der: body), 400, 'base64')


def test_unknown_label(gate, fresh):
    refused(gate, gate.enrol(csr_der(new_key(), fresh[0]), secret=fresh, label='nonsense'), 404, 'nonsense|profile')


@pytest.mark.parametrize('label', ['operator', 'tls-server', 'ocsp-signer', 'ldevid'])
def test_label_of_no_business(gate, fresh, label):
    refused(gate, gate.enrol(csr_der(new_key(), fresh[0]), secret=fresh, label=label), 403, label)


# --- keys ------------------------------------------------------------------------------------------

def test_key_of_another_device(gate, device, fresh):
    refused(gate, gate.enrol(csr_der(device.ldevid.key, fresh[0]), secret=fresh), 409, 'used before')


def test_idevid_key_for_the_ldevid(gate, device):
    refused(gate, gate.enrol(csr_der(device.idevid.key, device.id), who=device.idevid), 409, 'used before')


def test_renewal_with_the_same_key(gate, device):
    refused(gate, gate.enrol(csr_der(device.ldevid.key, device.id), who=device.ldevid, verb='simplereenroll'), 409,
            'new key|used before')


def test_key_of_the_operator(gate, fresh):
    key = load_pem_private_key(gate.operator.key_file.read_bytes(), None)
    refused(gate, gate.enrol(csr_der(key, fresh[0]), secret=fresh), 409, 'used before')


def test_renewal_of_the_idevid(gate, device):
    refused(gate, gate.enrol(csr_der(new_key(), device.id), who=device.idevid, verb='simplereenroll'), 409, 'life')


def test_ldevid_is_no_proof_for_another_ldevid(gate, device):
    refused(gate, gate.enrol(csr_der(new_key(), device.id), who=device.ldevid), 403, 'IDevID')


def test_other_name_with_own_certificate(gate, device):
    refused(gate, gate.enrol(csr_der(new_key(), 'DEV-0000'), who=device.idevid), 403, 'DEV-0000|name|subject|device')


def test_idevid_by_certificate(gate, device):
    refused(gate, gate.enrol(csr_der(new_key(), device.id), who=device.idevid, label='idevid'), 403, 'secret')


# --- secrets ---------------------------------------------------------------------------------------

def test_secret_used_already(gate, device):
    reply = gate.enrol(csr_der(new_key(), device.id), secret=(device.id, device.secret))
    assert device.secret not in refused(gate, reply, 409, 'used already').text


def test_wrong_secret_and_unknown_device_look_alike(gate, fresh):
    def answer(who):
        reply = refused(gate, gate.enrol(csr_der(new_key(), who), secret=(who, 'A' * 24)), 401, 'wrong')
        assert reply.headers['www-authenticate'].startswith('Basic realm=')
        return re.sub(r'request [0-9a-f]+', 'request', reply.text), sorted(set(reply.headers) - {'date'})
    assert answer(fresh[0]) == answer('NO-SUCH-DEVICE')


def test_wrong_secrets_lock_nobody_out(gate, fresh, request):
    """Who knows a device's id, which stands on its label, can neither stop it from enrolling nor fill the log."""
    request.node.records = True
    csr = csr_der(new_key(), fresh[0])
    for _ in range(13):
        refused(gate, gate.enrol(csr, secret=(fresh[0], 'wrong')), 401, 'wrong')
    told = [entry for _, entry in gate.log_entries(30)
            if entry['type'] == 'access.refuse' and entry['object'] == f'device:{fresh[0]}']
    assert len(told) == 10
    assert gate.enrol(csr, secret=fresh).status == 200


BASIC = {
    'nothing': None,
    'no colon': 'Basic ' + base64.b64encode(b'DEV1').decode(),
    'no id': 'Basic ' + base64.b64encode(b':secret').decode(),
    'not base64': 'Basic !!!',
    'empty': 'Basic ',
    'bearer': 'Bearer abcdef',
    'long id': 'Basic ' + base64.b64encode(b'D' * 120 + b':s').decode(),
    'long secret': 'Basic ' + base64.b64encode(b'D:' + b's' * 190).decode(),
    'longer': 'Basic ' + base64.b64encode(b'D:' + b's' * 3000).decode(),
    'NUL': 'Basic ' + base64.b64encode(b'D\0EV:s\0s').decode(),
    'control': 'Basic ' + base64.b64encode(b'D\r\nX: y:s').decode(),
    'quotes': 'Basic ' + base64.b64encode(b"' OR 1=1 --:s").decode(),
}


@pytest.mark.parametrize('what', BASIC)
def test_who_asks_is_not_proven(gate, what):
    headers = {'Content-Type': 'application/pkcs10'}
    if BASIC[what] is not None:
        headers['Authorization'] = BASIC[what]
    reply = gate.ask('devices', 'POST', SIMPLEENROLL, base64.b64encode(csr_der(new_key(), 'X')), headers)
    if BASIC[what] is None:  # it was asked for, not refused: Bouncy Castle's EST client takes no body here
        assert (reply.status, reply.body, reply.headers['content-length']) == (401, b'', '0')
    else:
        refused(gate, reply, 401, 'certificate|secret|Basic')
    assert reply.headers['www-authenticate'] == 'Basic realm="keywright"'


# --- HTTP ------------------------------------------------------------------------------------------

@pytest.mark.parametrize('octets', [16385, 20000, 5_000_000])
def test_oversized_body(gate, fresh, octets):
    """As soon as the headers say so, in the style of EST."""
    reply = gate.curl('devices', SIMPLEENROLL, '-u', ':'.join(fresh), '-H', 'Content-Type: application/pkcs10',
                      data=b'A' * octets)
    assert reply.status == 413 and 'at most' in reply.text and reply.headers['content-type'].startswith('text/plain'), reply


@pytest.mark.parametrize('media', ['text/plain', 'application/json', 'application/pkcs7-mime', 'a/b/c', ''])
def test_wrong_content_type(gate, fresh, media):
    headers = {'Content-Type': media,
               'Authorization': 'Basic ' + base64.b64encode(':'.join(fresh).encode()).decode()}
    reply = gate.ask('devices', 'POST', SIMPLEENROLL, base64.b64encode(csr_der(new_key(), fresh[0])), headers)
    refused(gate, reply, 415, 'application/pkcs10')


@pytest.mark.parametrize('door,method,path,allow', [
    ('devices', 'GET', SIMPLEENROLL, 'POST'), ('devices', 'POST', f'{EST}/cacerts', 'GET, HEAD'),
    ('devices', 'DELETE', SIMPLEENROLL, 'POST'), ('devices', 'PUT', f'{EST}/cacerts', 'GET, HEAD'),
    ('relying', 'GET', '/ocsp/devices', 'POST'), ('relying', 'POST', '/crl/devices.crl', 'GET, HEAD'),
    ('operators', 'DELETE', '/api/v1/devices', 'GET, HEAD, POST')])
def test_wrong_method(gate, door, method, path, allow):
    reply = gate.ask(door, method, path, who=gate.operator if door == 'operators' else None)
    assert refused(gate, reply, 405, 'takes').headers['allow'].replace(', HEAD', '') == allow.replace(', HEAD', '')


@pytest.mark.parametrize('door,path', [
    ('devices', '/'), ('devices', '/.well-known/est'), ('devices', f'{EST}/'), ('devices', f'{EST}/a/b/cacerts'),
    ('devices', f'{EST}/../../etc/passwd'), ('devices', '/%2e%2e/%2e%2e/etc/passwd'), ('devices', '/api/v1/about'),
    ('operators', f'{EST}/cacerts'), ('operators', '/api/v1/nothing'), ('relying', '/api/v1/about'),
    ('relying', '/crl/../keeper.passphrase'), ('relying', '/crl/%2e%2e%2fkeeper.passphrase.crl'),
    ('relying', '/crl/nonsense.crl'), ('relying', '/ca/nonsense.cer'), ('relying', '/ca/root'),
    ('relying', '/log/tile/../../keeper.passphrase'), ('relying', '/log/tile/0/../../../keywright.yaml'),
    ('relying', '/log/tile/9/x999/999'), ('relying', '/metrics')])
def test_unknown_path(gate, door, path):
    reply = gate.curl(door, path, *(('--cert', gate.operator.cert_file, '--key', gate.operator.key_file)
                                    if door == 'operators' else ()))
    assert reply.status in (400, 404), reply
    assert 'passphrase:' not in reply.text and 'root:' not in reply.text and 'organization' not in reply.text


def test_log_entries_are_not_public(gate):
    refused(gate, gate.ask('relying', 'GET', '/log/tile/entries/000.p/1'), 403, 'operators')


# --- certificates that do not fit ------------------------------------------------------------------

def test_operator_on_the_devices_listener(gate):
    reply = gate.ask('devices', 'POST', '/device/v1/hello', '{"agent":"a","root_of_trust":"soft"}', JSON,
                     who=gate.operator)
    refused(gate, reply, 403, 'admin')
    refused(gate, gate.enrol(csr_der(new_key(), 'x'), who=gate.operator), 403, 'admin')


@pytest.mark.parametrize('path', ['/api/v1/about', '/api/v1/devices', '/api/v1/log/tail', '/api/v1/certs'])
def test_device_on_the_operators_listener(gate, device, path):
    for who in (device.idevid, device.ldevid):
        refused(gate, gate.ask('operators', 'GET', path, who=who), 403, device.id)
    refused(gate, gate.ask('operators', 'GET', path), 401, 'certificate')


def self_made(gate, tmp_path, name, issuer=None):
    key = new_key()
    return Credential(tmp_path, name, key, made_cert(key, name_of(name), issuer.subject if issuer else None))


@pytest.mark.parametrize('issuer', [None, 'ca-devices', 'root'])
@pytest.mark.parametrize('door', ['devices', 'operators'])
def test_self_made_certificate(gate, tmp_path, door, issuer):
    who = self_made(gate, tmp_path, 'DEV-0001', gate.cert(issuer) if issuer else None)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gate.ask(door, 'GET', '/healthz' if door == 'operators' else f'{EST}/cacerts', who=who)


def test_certificate_without_its_key(gate, device, tmp_path):
    """curl itself refuses such a pair; so the handshake is made with a key that does not fit, by the other's certificate."""
    stolen = self_made(gate, tmp_path, device.id)
    stolen.cert_file.write_bytes(device.ldevid.cert_file.read_bytes())
    with pytest.raises(ssl.SSLError):
        gate.ask('devices', 'GET', f'{EST}/cacerts', who=stolen)


@pytest.mark.parametrize('door', ['devices', 'operators'])
def test_tls_1_2_is_refused(gate, door):
    port = gate.ports[0 if door == 'devices' else 1]
    context = gate.context(version=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ssl.SSLError, match='version|VERSION'):
        with socket.create_connection(('127.0.0.1', port), timeout=20) as one:
            context.wrap_socket(one, server_hostname='localhost')


# --- octets ----------------------------------------------------------------------------------------

def connect(gate, door):
    one = socket.create_connection(('127.0.0.1', gate.ports[['devices', 'operators', 'relying'].index(door)]), timeout=30)
    return one if door == 'relying' else gate.context().wrap_socket(one, server_hostname='localhost')


def read_all(one):
    octets = b''
    try:
        while piece := one.recv(65536):
            octets += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return octets


def raw(gate, door, octets):
    """What comes back for these octets, up to the end of the connection or of one answer."""
    with connect(gate, door) as one:
        try:
            one.sendall(octets)
        except (ConnectionError, ssl.SSLError):
            pass
        answer = b''
        try:
            while piece := one.recv(65536):
                answer += piece
                head, end, body = answer.partition(b'\r\n\r\n')
                length = re.search(rb'content-length: *(\d+)', head, re.I)
                if end and length and len(body) >= int(length[1]):
                    break
        except (ConnectionError, ssl.SSLError):
            pass
        return answer


@pytest.mark.parametrize('port', [0, 1, 2])
@pytest.mark.parametrize('octets', [b'\0' * 100, b'\xff' * 5000, os.urandom(2000), b'GET / HTTP/1.1\r\n\r\n',
                                    b'\x16\x03\x01\xff\xff' + b'A' * 2000, b'\r\n' * 500, b'SSH-2.0-x\r\n',
                                    b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], ids=range(8))
def test_garbage(gate, port, octets):
    with socket.create_connection(('127.0.0.1', gate.ports[port]), timeout=20) as one:
        one.sendall(octets)
        one.shutdown(socket.SHUT_WR)
        answer = read_all(one)
    assert b' 200 ' not in answer[:20]


BOMBS = {
    'long header': b'GET /ca/root.cer HTTP/1.1\r\nHost: x\r\nA: ' + b'a' * 200000 + b'\r\n\r\n',
    'many headers': b'GET /ca/root.cer HTTP/1.1\r\nHost: x\r\n' + b''.join(b'H%d: x\r\n' % i for i in range(20000)) + b'\r\n',
    'long target': b'GET /ca/' + b'a' * 5000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
    'longest target': b'GET /' + b'a' * 500000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
    'two lengths': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'signed length': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nab',
    'negative length': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\nab',
    'length and chunks': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'odd encoding': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'two hosts': b'GET /ca/root.cer HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
    'no host': b'GET /ca/root.cer HTTP/1.1\r\n\r\n',
    'space before colon': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\nab',
    'HTTP/9.9': b'GET /ca/root.cer HTTP/9.9\r\nHost: x\r\n\r\n',
    'huge chunk': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nabc',
    'no chunk': b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n',
    'TRACE': b'TRACE /ca/root.cer HTTP/1.1\r\nHost: x\r\n\r\n',
}


@pytest.mark.parametrize('what', BOMBS)
def test_header_bombs(gate, what):
    answer = raw(gate, 'relying', BOMBS[what])
    assert not answer or re.match(rb'HTTP/1\.[01] (4\d\d|501) ', answer), answer[:200]


def test_pipelining(gate):
    """Requests in one go are answered one after the other, in order; none is taken for another's body."""
    one = b'GET /ca/root.cer HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'
    with connect(gate, 'relying') as sock:
        sock.sendall(one * 20)
        sock.sendall(b'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        answer = read_all(sock)
    statuses = [int(status) for status in re.findall(rb'HTTP/1\.1 (\d+) ', answer)]
    assert statuses == [200, 404] * 20 + [404]


@pytest.mark.parametrize('door', ['devices', 'operators', 'relying'])
def test_refused_before_the_body(gate, door):
    """What the first octets tell already is answered at once, as a problem, and the connection ends."""
    for octets, status in ((b'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', 501),
                           (b'BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n', 501),
                           (b'nonsense nonsense nonsense\r\n\r\n', 400),
                           (b'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n', 413)):
        began = time.monotonic()
        with connect(gate, door) as sock:
            sock.sendall(octets)
            answer = read_all(sock)
        assert time.monotonic() - began < 10  # not by the 15 s limit
        head, _, body = answer.partition(b'\r\n\r\n')
        assert head.startswith(f'HTTP/1.1 {status} '.encode()) and b'Connection: close' in head, answer
        assert b'application/problem+json' in head and json.loads(body)['status'] == status
    assert gate.alive()


# --- slow and idle ---------------------------------------------------------------------------------

def test_slow_clients_are_dropped_and_disturb_nobody(gate, request):
    """Within the 15 s that a request may take; meanwhile others are served at once."""
    request.node.records = True  # long enough for what earlier tests have begun to end
    slow = [connect(gate, door) for door in ('devices', 'operators', 'relying') for _ in range(5)]
    slow.append(connect(gate, 'relying'))
    slow[-1].sendall(b'POST /ocsp/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n'
                     b'Content-Length: 1000\r\n\r\n')
    bare = [socket.create_connection(('127.0.0.1', port), timeout=30) for port in gate.ports[:2]]  # no TLS at all
    began, ended, slowest = time.monotonic(), {}, 0
    head = b'GET /ca/root.cer HTTP/1.1\r\nHost: x\r\nX-Slow: ' + b'a' * 1000
    for i in range(1000):
        for one in slow + bare:
            if one in ended:
                continue
            try:
                one.sendall(head[i:i + 1] if one in slow else b'\x16\x03\x01\x02\x00'[i:i + 1])
                one.settimeout(0.001)
                if one.recv(1000) == b'':
                    raise ConnectionError
            except (TimeoutError, ssl.SSLWantReadError):
                pass
            except OSError as error:
                if 'timed out' not in str(error):
                    ended[one] = time.monotonic() - began
        if len(ended) == len(slow + bare) or time.monotonic() - began > 20:
            break
        at = time.monotonic()
        assert gate.ask('relying', 'GET', '/ca/root.cer').status == 200
        assert gate.ask('devices', 'GET', f'{EST}/cacerts').status == 200
        slowest = max(slowest, time.monotonic() - at)
        time.sleep(0.2)
    for one in slow + bare:
        one.close()
    assert len(ended) == len(slow + bare), f'{len(slow + bare) - len(ended)} slow clients are still connected after 20 s'
    assert max(ended.values()) < 18
    assert slowest < 1.5


def test_idle_connections_disturb_nobody(gate, device):
    idle = []
    try:
        for i in range(300):
            idle.append(connect(gate, ('devices', 'operators', 'relying')[i % 3]))
        began = time.monotonic()
        assert device.hello().status == 200
        assert gate.operators_get('/api/v1/about').status == 200
        assert gate.ask('relying', 'GET', '/crl/devices.crl').status == 200
        assert time.monotonic() - began < 3
        assert gate.metric('connections_open') >= 300
    finally:
        for one in idle:
            one.close()
    until('the connections are forgotten', lambda: gate.metric('connections_open') < 20)


def test_connections_that_end_in_the_middle(gate, device):
    body = base64.b64encode(csr_der(new_key(), device.id))
    octets = (f'POST {SIMPLEENROLL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\n'
              f'Content-Length: {len(body)}\r\n\r\n').encode() + body
    for at in range(1, len(octets) - 1, 20):
        one = connect(gate, 'devices')
        one.sendall(octets[:at])
        one.close()


# --- the JSON API ----------------------------------------------------------------------------------

BODIES = {
    'empty': (b'', 400), 'not JSON': (b'{', 400), 'array': (b'[]', 400), 'null': (b'null', 400), 'text': (b'"x"', 400),
    'two values': (b'{"id":"X1","product":"p"}{}', 400),
    'unknown field': (b'{"id":"X1","product":"p","colour":"red"}', 400),
    'no product': (b'{"id":"X1"}', 400),
    'number for text': (b'{"id":1,"product":"p"}', 400), 'null for text': (b'{"id":null,"product":"p"}', 400),
    'text for number': (b'{"id":"X1","product":"p","secret_hours":"1"}', 400),
    'fraction': (b'{"id":"X1","product":"p","secret_hours":1.5}', 400),
    'negative': (b'{"id":"X1","product":"p","secret_hours":-1}', 400),
    'huge number': (b'{"id":"X1","product":"p","secret_hours":99999999999999999999999}', 400),
    'duplicate key': (b'{"id":"X1","id":"X2","product":"p"}', 400),
    'too deep': (b'{"id":' + b'[' * 5000 + b']' * 5000 + b',"product":"p"}', 413),
    'not UTF-8': (b'{"id":"X\xff","product":"p"}', 400), 'overlong UTF-8': (b'{"id":"X\xc0\xaf","product":"p"}', 400),
    'surrogate': (b'{"id":"X\\ud800","product":"p"}', 400), 'NUL': (b'{"id":"X\\u0000Y","product":"p"}', 400),
    'long id': (b'{"id":"' + b'X' * 65 + b'","product":"p"}', 400),
    'longer id': (b'{"id":"' + b'X' * 3000 + b'","product":"p"}', 413),
    'empty id': (b'{"id":"","product":"p"}', 400), 'space': (b'{"id":"A B","product":"p"}', 400),
    'line end': (b'{"id":"A\\nB","product":"p"}', 400), 'escape': (b'{"id":"A\\u001bB","product":"p"}', 400),
    'slash': (b'{"id":"A/B","product":"p"}', 400), 'not ASCII': ('{"id":"裝置","product":"p"}'.encode(), 400),
    'quote': (b'{"id":"A\'B","product":"p"}', 400), 'bad OID': (b'{"id":"X1","product":"p","hw_type":"abc"}', 400),
    'oversized': (b'{"id":"X1","product":"p","serial":"' + b'x' * 200000 + b'"}', 413),
    'UTF-16': ('{"id":"X1","product":"p"}'.encode('utf-16'), 400),
}


@pytest.mark.parametrize('what', BODIES)
def test_registration(gate, what):
    body, status = BODIES[what]
    devices = gate.metric('devices')
    reply = gate.ask('operators', 'POST', '/api/v1/devices', body, JSON, who=gate.operator)
    refused(gate, reply, status, '.')
    assert reply.headers['content-type'] == 'application/problem+json'
    problem = json.loads(reply.body)
    assert problem['status'] == status and problem['code'] and problem['detail'] and problem['request_id']
    assert not re.search(r'[\x00-\x1f\x7f]', problem['detail'])
    assert gate.metric('devices') == devices


def test_registered_twice(gate, fresh):
    body = json.dumps({'id': fresh[0], 'product': 'p'})
    refused(gate, gate.ask('operators', 'POST', '/api/v1/devices', body, JSON, who=gate.operator), 409, fresh[0])


@pytest.mark.parametrize('path,status', [
    ('certs/zz', 400), ('certs/' + 'a' * 64, 404), ('certs/' + 'a' * 63, 404), ('certs/00', 404), ('certs/' + 'a' * 500, 400),
    ('certs?max=x', 400), ('certs?max=-1', 400), ('certs?max=99999999', 400), ('certs?state=nonsense', 400),
    ('certs?owner=' + 'a' * 300, 400), ('certs?owner=%zz', 400), ('devices/NO-SUCH', 404), ('keys/NO-SUCH', 404),
    ('cas/nonsense/certs/01', 404), ('log/prove/99999999', 404), ('log/prove/x', 400), ('log/prove/-1', 400),
    ('log/tail?max=100000', 400), ('log/tile/0/zzz', 404), ('log/tile/../../../etc/passwd', 404)])
def test_questions_about_nothing(gate, path, status):
    reply = gate.ask('operators', 'GET', f'/api/v1/{path}', who=gate.operator)
    assert reply.status in (status, 400 if status == 404 else status), reply
    refused(gate, reply, reply.status, '.')


@pytest.mark.parametrize('body,status', [(b'{"reason":"nonsense"}', 400), (b'{"reason":"certificateHold"}', 400),
                                         (b'{"reason":1}', 400), (b'[]', 400), (b'', 400)])
def test_revocation_for_no_reason(gate, device, body, status):
    path = f'/api/v1/certs/{fingerprint(device.ldevid.cert)}/revoke'
    refused(gate, gate.ask('operators', 'POST', path, body, JSON, who=gate.operator), status, '.')


@pytest.mark.parametrize('body', [b'', b'{}', b'{"agent":1,"root_of_trust":"x"}', b'[' * 4000, b'\xff',
                                  b'{"agent":"a","root_of_trust":"b","extra":1}',
                                  b'{"agent":"' + b'a' * 500 + b'","root_of_trust":"b"}',
                                  b'{"agent":"a\\u0007","root_of_trust":"b"}', b'{"agent":"a"}' * 2], ids=range(9))
def test_hello(gate, device, body):
    reply = gate.ask('devices', 'POST', '/device/v1/hello', body, JSON, who=device.ldevid)
    refused(gate, reply, 413 if len(body) > 300 else 400, '.')


def test_one_key_is_not_the_device(gate, request):
    """Who has one key of a device can end that, and not have it taken for wiped: the birth identity is left."""
    request.node.records = True
    device = gate.device()
    gate.cli('device', 'wipe', device.id)
    for identity, told in (device.ldevid, 'ordered'), (device.idevid, 'done'):
        receipt = {'device': device.id, 'action': 'wipe', 'key': key_id(identity.key.public_key()),
                   'time': '2026-11-20T00:00:00.000Z', 'proof': '', 'readback': 'gone'}
        text = 'keywright receipt v1\n' + ''.join(
            f'{name}: {receipt[name]}\n' for name in ('device', 'action', 'key', 'time', 'proof'))
        receipt['signature'] = base64.b64encode(identity.key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))).decode()
        reply = gate.ask('devices', 'POST', '/device/v1/receipts', json.dumps(receipt), JSON)
        assert reply.status == 204, reply
        assert gate.json('device', 'show', device.id)['wipe'] == told


@pytest.mark.parametrize('change,status', [
    ({}, 401), ({'device': 'NO-SUCH'}, 403), ({'action': 'dance'}, 400), ({'key': 'zz'}, 400), ({'key': 'a' * 64}, 403),
    ({'signature': '!!'}, 400), ({'signature': ''}, 400), ({'time': 'yesterday'}, 400)])
def test_forged_receipt(gate, device, change, status):
    """Nobody else can have a device's key recorded as destroyed, and its certificates revoked."""
    receipt = {'device': device.id, 'action': 'wipe', 'key': key_id(device.idevid.key.public_key()),
               'time': '2026-11-20T00:00:00Z', 'proof': '', 'readback': 'gone',
               'signature': base64.b64encode(new_key().sign(b'something', ec.ECDSA(hashes.SHA256()))).decode()}
    receipt.update(change)
    reply = gate.ask('devices', 'POST', '/device/v1/receipts', json.dumps(receipt), JSON)
    assert reply.status in (status, 400, 401, 403), reply
    refused(gate, reply, reply.status, '.')
    assert device.hello(who=device.idevid).status == 200
