"""Classes of bad input times messages; test_routes.py has every route. Never a 5xx, always words that say why, and the server lives."""
import base64
import json
import urllib.parse

import pytest
from cmp_messages import CERTCONF, ERROR, POLLREQ, Client, Message
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes, serialization
from harness import EST, csr_der, fingerprint, new_key

SIZE = 1 << 20
DEPTH = 2000


def ocsp_query(gate, device):
    query = ocsp.OCSPRequestBuilder().add_certificate(device.ldevid.cert, gate.cert('ca-devices'), hashes.SHA1())
    return query.build().public_bytes(serialization.Encoding.DER)


def cmp_query(gate, device):
    """A header and a body of genm without protection: well-formed as DER, of nobody."""
    return bytes.fromhex('30 1f 30 19 02 01 02 a4 0b 30 09 31 07 30 05 06 03 55 04 03 0c 00 a4 07 30 05 a0 00 30 00 00'
                         .replace(' ', ''))[:33]


def enrolment(gate, device):
    return base64.b64encode(csr_der(new_key(), device.id))


def device_json(gate, device):
    return json.dumps({'agent': 'test 1', 'root_of_trust': 'soft'}).encode()


def import_lines(gate, device):
    """A device that is there already: whatever becomes of the line, nobody is registered."""
    return f'id,product\r\n{device.id},thermostat-1\r\n'.encode()


def import_json(gate, device):
    return json.dumps({'id': device.id, 'product': 'thermostat-1'}).encode()


def index_line(gate, device):
    return b'V\t271121102233Z\t\t00FFEE\tunknown\t/CN=y\n'


# door, path, media type, a good body, who asks
ENDPOINTS = {
    'EST simpleenroll': ('devices', f'{EST}/simpleenroll', 'application/pkcs10', enrolment, 'idevid'),
    'EST simplereenroll': ('devices', f'{EST}/simplereenroll', 'application/pkcs10', enrolment, 'ldevid'),
    'EST serverkeygen': ('devices', f'{EST}/serverkeygen', 'application/pkcs10', enrolment, 'idevid'),
    'EST with a label': ('devices', f'{EST}/ldevid/simpleenroll', 'application/pkcs10', enrolment, 'idevid'),
    'CMP': ('devices', '/.well-known/cmp', 'application/pkixcmp', cmp_query, 'idevid'),
    'CMP of a profile': ('devices', '/.well-known/cmp/p/ldevid', 'application/pkixcmp', cmp_query, 'idevid'),
    'OCSP': ('relying', '/ocsp/devices', 'application/ocsp-request', ocsp_query, None),
    'device hello': ('devices', '/device/v1/hello', 'application/json', device_json, 'ldevid'),
    'REST import': ('operators', '/api/v1/devices/import', 'text/csv', import_lines, 'operator'),
    'REST import of JSON': ('operators', '/api/v1/devices/import', 'application/x-ndjson', import_json, 'operator'),
    'REST block list': ('operators', '/api/v1/blocklist/classes', 'text/plain', lambda gate, device: b'number:00', 'operator'),
    'REST index': ('operators', '/api/v1/sync/external?ca=devices', 'text/plain', index_line, 'operator'),
}
# what is no fault there: reports tell of each line, and changing nothing is allowed
REPORTS = ('REST import', 'REST import of JSON', 'REST block list', 'REST index')


def nested(media, good):
    """Structures in structures, as the media type writes them."""
    if 'json' in media:
        return b'[' * DEPTH + b']' * DEPTH
    der = b''
    for _ in range(DEPTH):
        n = len(der)
        der = b'\x30' + (bytes([n]) if n < 128 else b'\x82' + n.to_bytes(2, 'big')) + der
    return base64.b64encode(der) if 'pkcs10' in media else der


def twice(media, good):
    """A field twice, or the whole twice where fields have no names."""
    if 'csv' in media:  # the same line once more: two headers would name a device "id"
        return good + good.split(b'\n', 1)[1]
    return good[:-1] + b',' + good[1:] if 'json' in media else good + good


# what becomes of a good body
CLASSES = {
    'nothing': lambda media, good: b'',
    'one octet': lambda media, good: good[:1],
    'truncated': lambda media, good: good[:len(good) // 2],
    'one octet short': lambda media, good: good[:-1],
    'oversize': lambda media, good: good + b'A' * SIZE,
    'wrong type': lambda media, good: b'{"a":1}' if 'json' not in media else b'"text"',
    'null': lambda media, good: b'null',
    'no base64': lambda media, good: b'\xff\xfe!!!' + good,
    'NUL in it': lambda media, good: good[:4] + b'\0' + good[4:],
    'wrong encoding': lambda media, good: good.decode('latin-1').encode('utf-16'),
    'not UTF-8': lambda media, good: good.replace(b'"', b'"\xc3\x28', 1) if b'"' in good else b'\xc3\x28' + good,
    'too deep': nested,
    'twice': twice,
    'zeroes': lambda media, good: bytes(500),
}
MEDIA = ('text/plain', 'application/octet-stream', 'multipart/form-data; boundary=x', '', 'x' * 900)


@pytest.fixture(scope='module')
def device(gate):
    return gate.device()


def ask(gate, device, endpoint, method, body, media):
    door, path, _, _, who = ENDPOINTS[endpoint]
    who = gate.operator if who == 'operator' else who and getattr(device, who)
    headers = {'Content-Type': media} if media is not None else {}
    try:
        return gate.ask(door, method, path, body, headers, who=who)
    except OSError:  # the server may close before it has read all of what is too much
        return None


def judge(gate, what, reply):
    assert gate.alive(), what
    if reply is not None:
        assert reply.status < 500, (what, reply)
        if reply.status >= 400:
            assert reply.body.strip() and 'tmp' not in reply.text, (what, reply)
            assert '.c:' not in reply.text, (what, reply)


@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_bodies(gate, device, endpoint):
    _, _, media, make, _ = ENDPOINTS[endpoint]
    good = make(gate, device)
    before = gate.counts()
    if endpoint in REPORTS and endpoint != 'REST block list':
        assert ask(gate, device, endpoint, 'POST', good, media).status == 200, 'it is read at all'
    for name, spoil in CLASSES.items():
        reply = ask(gate, device, endpoint, 'POST', spoil(media, good), media)
        judge(gate, f'{endpoint}: {name}', reply)
        if reply is None:
            assert name == 'oversize', name
        elif endpoint == 'OCSP':  # RFC 6960: an error is an answer of its own
            assert reply.status != 200 or ocsp.load_der_ocsp_response(reply.body).response_status.value != 0, name
        elif endpoint.startswith('CMP'):  # RFC 9811: so is CMP's
            assert reply.status in (200, 400, 413, 415), (name, reply)
        else:
            assert reply.status >= 400 or endpoint in REPORTS, (name, reply)
    assert gate.counts() == before
    assert gate.ask('devices', 'GET', f'{EST}/cacerts').status == 200


@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_media_types_and_methods(gate, device, endpoint):
    door, path, media, make, _ = ENDPOINTS[endpoint]
    good = make(gate, device)
    before = gate.counts()
    for other in (one for one in MEDIA if one != media):
        reply = ask(gate, device, endpoint, 'POST', good, other)
        judge(gate, f'{endpoint}: {other[:30]!r}', reply)
        if endpoint == 'OCSP' and reply and reply.status == 200:
            assert ocsp.load_der_ocsp_response(reply.body).response_status.value != 0, other[:30]
        else:
            assert reply is None or reply.status in (400, 415), (other[:30], reply)
    for method in ('PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'X'):
        reply = ask(gate, device, endpoint, method, good, media)
        if reply is None or reply.status != 501:  # a method that it does not know (RFC 9110 section 15.6.2)
            judge(gate, f'{endpoint}: {method}', reply)
        assert reply is None or reply.status in (400, 404, 405, 411, 501), (method, reply)
    assert gate.counts() == before


# --- each message of CMP ------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def born(gate, tmp_path_factory):
    one = Client(gate, tmp_path_factory.mktemp('classes'), *gate.register(None, '--cmp'))
    one.ask('ir', 'idevid', *one.by_secret())
    one.ask('cr', 'ldevid', *one.by_cert('idevid'))
    one.fresh = Client(gate, tmp_path_factory.mktemp('fresh'), *gate.register(None, '--cmp'))
    return one


def p10cr(born):
    born.csr = born.folder / 'classes.csr'
    key = born.key('p10')
    pem = x509.load_der_x509_csr(csr_der(serialization.load_pem_private_key(key.read_bytes(), None), born.id))
    born.csr.write_bytes(pem.public_bytes(serialization.Encoding.PEM))
    return born.request('p10cr', '-csr', born.csr, '-certout', born.folder / 'never.pem', *born.by_cert('idevid'))


def with_body(born, kind, content):
    """A protected message of a kind that openssl does not send by itself."""
    message = Message(born.request('genm', *born.by_cert('idevid'), '-infotype', 'caCerts'))
    message.body[:] = [0xa0 | kind, [content]]
    return message.sign(serialization.load_pem_private_key((born.folder / 'idevid.key').read_bytes(), None)).der()


MESSAGES = {
    'ir': lambda born: born.fresh.request('ir', *born.fresh.by_secret(), '-newkey', born.fresh.key('k')),
    'cr': lambda born: born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('k')),
    'kur': lambda born: born.request('kur', *born.by_cert('ldevid'), '-newkey', born.key('k')),
    'p10cr': p10cr,
    'rr': lambda born: born.request('rr', '-oldcert', born.folder / 'ldevid.pem', '-revreason', '4', *born.by_cert('ldevid')),
    'genm': lambda born: born.request('genm', *born.by_cert('idevid'), '-infotype', 'caCerts'),
    'certConf': lambda born: with_body(born, CERTCONF, [0x30, [[0x30, [[4, bytes(32)], [2, b'\0']]]]]),
    'pollReq': lambda born: with_body(born, POLLREQ, [0x30, [[0x30, [[2, b'\0']]]]]),
    'error': lambda born: with_body(born, ERROR, [0x30, [[0x30, [[2, b'\2']]]]]),
    'nested': lambda born: with_body(born, 20, [0x30, [[0x30, []]]]),
}


@pytest.mark.parametrize('kind', MESSAGES)
def test_each_cmp_message(gate, born, kind):
    """Whatever becomes of it on the way: nothing is issued or revoked; the answer rejects it, in CMP or in HTTP."""
    good = MESSAGES[kind](born)
    assert Message(good).root[0] == 0x30 and len(good) > 150
    before = gate.counts()
    spoils = dict(CLASSES)
    spoils.update({f'octet {part} of 8 flipped': lambda media, good, part=part: flipped(good, len(good) * part // 8)
                   for part in range(8)})
    for name, spoil in spoils.items():
        try:
            reply = gate.ask('relying', 'POST', '/.well-known/cmp', spoil('application/pkixcmp', good),
                             {'Content-Type': 'application/pkixcmp'})
        except OSError:
            assert name == 'oversize', name
            continue
        judge(gate, f'{kind}: {name}', reply)
        assert reply.status in (200, 400, 413), (name, reply)
        if reply.status == 200:
            assert Message(reply.body).status() == 2, (name, 'not a rejection')
    assert gate.counts() == before


def flipped(octets, at):
    return octets[:at] + bytes([octets[at] ^ 0x55]) + octets[at + 1:]


# --- what stands in addresses -------------------------------------------------------------------------

def test_ocsp_by_get(gate, device):
    good = ocsp_query(gate, device)
    for name, spoil in CLASSES.items():
        for text in (base64.b64encode(spoil('', good)[:12000]).decode(), spoil('', good)[:4000].decode('latin-1')):
            path = '/ocsp/devices/' + urllib.parse.quote(text, safe='')
            reply = gate.ask('relying', 'GET', path)
            judge(gate, f'OCSP GET: {name}', reply)
            if reply.status == 200:
                answer = ocsp.load_der_ocsp_response(reply.body)
                assert answer.response_status.value != 0 or spoil('', good) == good, name


QUERIES = {
    '/api/v1/certs': ('max', 'after', 'serial', 'key', 'subject', 'device', 'owner', 'state', 'expires_days', 'expires_hours',
                      'firmware', 'firmware_from', 'ca'),
    '/api/v1/devices': ('max', 'after'), '/api/v1/batches': ('max', 'after', 'state'), '/api/v1/requests': ('state', 'after', 'owner'),
    '/api/v1/feed': ('since', 'max', 'wait', 'consumer'), '/api/v1/consumers': ('after', 'max'),
    '/api/v1/sync/check': ('after',), '/api/v1/blocklist': ('after', 'max'), '/api/v1/blocklist/hits': ('after',),
    '/api/v1/revocations': ('after', 'max'), '/api/v1/stats': ('online_minutes',), '/api/v1/stations': ('after',),
    '/api/v1/log/tail': ('max', 'first'), '/api/v1/certs/{cert}/download': ('format', 'chain'),
}
VALUES = ('', '-1', '0', '99999999999999999999', '1e3', '0x10', 'x' * 300, "' OR 1=1 --", '../..', '%00', '%ff%fe', '%', '%zz',
          '%E6%BA%AB', 'a%0d%0aX: y', '2:00')


@pytest.mark.parametrize('path', QUERIES)
def test_queries(gate, device, path):
    connection = gate.connect('operators', gate.operator)
    where = path.format(cert=fingerprint(device.ldevid.cert))
    for name in QUERIES[path]:
        for value in VALUES:
            for query in (f'{name}={value}', f'{name}={value}&{name}=1', f'{name}'):
                query = query.replace(' ', '%20')
                try:
                    reply = gate.ask('operators', 'GET', f'{where}?{query}', connection=connection)
                except OSError:  # it closes after what is no HTTP
                    connection = gate.connect('operators', gate.operator)
                    continue
                judge(gate, f'{where}?{query}', reply)
                assert reply.status in (200, 400, 404, 409, 416), (query, reply)
    connection.close()
