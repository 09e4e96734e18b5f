"""Classes of bad input times endpoints: never a 5xx, always words that say why, and the server lives."""
import base64
import json

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes, serialization
from harness import EST, csr_der, new_key

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


def registration(gate, device):
    return json.dumps({'id': 'CLS-1', 'product': 'thermostat-1'}).encode()


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
    'REST registration': ('operators', '/api/v1/devices', 'application/json', registration, 'operator'),
    'REST issue': ('operators', '/api/v1/certs', 'application/json', registration, 'operator'),
    'REST plan': ('operators', '/api/v1/revocations', 'application/json', registration, 'operator'),
    'REST CA': ('operators', '/api/v1/cas', 'application/json', registration, 'operator'),
}


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
            assert reply.status >= 400, (name, reply)
    assert gate.counts() == before
    assert gate.ask('devices', 'GET', f'{EST}/cacerts').status == 200


@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_media_types_and_methods(gate, device, endpoint):
    door, path, media, make, _ = ENDPOINTS[endpoint]
    good = make(gate, device)
    before = gate.counts()
    for other in MEDIA:
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
