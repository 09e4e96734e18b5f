"""The revocation filter: exact about every certificate of a CA, by a reader of our own that was written from docs/protocol/filter.md."""
import datetime
import hashlib
import http.server
import struct
import threading

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness import KEYWRIGHT, Gate, fingerprint, run, until, words

FIELDS = ('ca', 'issuer-spki-sha256', 'number', 'this-update', 'next-update', 'begin-until', 'end-from',
          'certificates', 'revoked', 'body-sha256')
EARLIER_S = 1500  # what is to be covered was made so long before the filter


# --- a reader from the page ------------------------------------------------------------------------

class Filter:
    """Parses and verifies; ask() answers."""

    def __init__(self, octets, issuer):
        assert octets[:8] == b'KWFILT01'
        n = struct.unpack_from('>H', octets, 8)[0]
        statement = octets[10:10 + n]
        m = struct.unpack_from('>H', octets, 10 + n)[0]
        signature = octets[12 + n:12 + n + m]
        body = octets[12 + n + m:]
        issuer.verify(signature, statement, ec.ECDSA(hashes.SHA256()))
        lines = statement.decode('ascii').split('\n')
        assert lines[0] == 'revocation-filter v1' and lines[-1] == '' and len(lines) == 2 + len(FIELDS)
        self.said = dict(line.split(': ', 1) for line in lines[1:-1])
        assert tuple(self.said) == FIELDS
        spki = issuer.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert self.said['issuer-spki-sha256'] == hashlib.sha256(spki).hexdigest()
        assert self.said['body-sha256'] == hashlib.sha256(body).hexdigest()
        self.salt = body[:16]
        self.k, self.m1, self.m2 = struct.unpack_from('>BII', body, 16)
        widths = [self.width(self.m1)] * self.k + [self.width(self.m2)]
        self.columns, at = [], 25
        for width in widths:
            self.columns.append(int.from_bytes(body[at:at + width], 'little'))
            at += width
        assert at == len(body)

    @staticmethod
    def width(rows):
        return 0 if rows == 0 else (rows + 63 + 7) // 8

    @staticmethod
    def value(column, first, taken):
        return bin((column >> first) & taken & (2**64 - 1)).count('1') % 2

    def has(self, serial):
        if self.m2 == 0:
            return False
        octets = serial.to_bytes((serial.bit_length() + 7) // 8, 'big')
        a, b, c1, c2, f = struct.unpack_from('>IIQQI', hashlib.sha256(self.salt + octets).digest())
        for j in range(self.k):
            if self.value(self.columns[j], a * self.m1 >> 32, c1 | 1) != f >> j & 1:
                return False
        return self.value(self.columns[self.k], b * self.m2 >> 32, c2 | 1) == 1

    def when(self, name):
        return datetime.datetime.strptime(self.said[name], '%Y-%m-%dT%H:%M:%SZ')

    def ask(self, cert):
        if cert.not_valid_before > self.when('begin-until') or cert.not_valid_after < self.when('end-from'):
            return 'not covered'
        return 'revoked' if self.has(cert.serial_number) else 'good'


# --- a gate with a past ----------------------------------------------------------------------------

class Place:
    """Certificates of some minutes ago, and a filter of now."""

    def __init__(self, folder):
        self.folder = folder
        self.gate = Gate(folder, env={'KEYWRIGHT_TEST_CLOCK_OFFSET_S': str(-EARLIER_S)})
        config = self.gate.state / 'keywright.yaml'
        text = config.read_text()
        assert 'filter_minutes: 0\n' in text, 'an option: none unless somebody wants them'
        config.write_text(text.replace('filter_minutes: 0\n', 'filter_minutes: 60\n'))
        self.gate.start()
        devices = [self.gate.device() for _ in range(5)]
        self.certs = [who.cert for device in devices for who in (device.idevid, device.ldevid)]
        self.revoked, self.held = devices[0].ldevid.cert, devices[1].ldevid.cert
        self.gate.json('cert', 'revoke', fingerprint(self.revoked), '--reason', 'keyCompromise')
        self.gate.json('cert', 'hold', fingerprint(self.held))
        self.gate.stop()
        self.gate.env = {}
        self.gate.start()
        until('the filter is made', lambda: self.get().status == 200)
        self.octets = self.get().body
        self.issuer = folder / 'ca.pem'
        self.issuer.write_bytes(self.gate.pem('ca-devices'))
        self.path = folder / 'devices.filter'
        self.path.write_bytes(self.octets)

    def get(self, ca='devices', headers=()):
        options = [word for header in headers for word in ('-H', header)]
        return self.gate.curl('relying', f'/filter/{ca}.filter', *options)

    def key(self):
        return self.gate.cert('ca-devices').public_key()

    def check(self, cert, path=None, issuer=None):
        file = self.folder / 'asked.pem'
        file.write_bytes(cert.public_bytes(Encoding.PEM))
        return run(KEYWRIGHT, 'filter', 'check', file, '--filter', path or self.path, '--issuer',
                   issuer or self.issuer, check=False)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp('filter'))
    yield place
    place.gate.stop()


def expected(place, cert):
    return 'revoked' if cert in (place.revoked, place.held) else 'good'


def test_exact_about_all(place):
    found = Filter(place.octets, place.key())
    assert int(found.said['certificates']) >= len(place.certs) and int(found.said['revoked']) == 2
    for cert in place.certs:
        assert found.ask(cert) == expected(place, cert)


def test_our_reader_agrees(place):
    for cert in place.certs:
        done = place.check(cert)
        assert (done.returncode == 0) == (expected(place, cert) == 'good'), words(done)
        assert done.stdout.startswith(expected(place, cert))


def test_what_it_cannot_know(place):
    late = place.gate.device().ldevid.cert
    done = place.check(late)
    assert done.returncode != 0 and done.stdout.startswith('not covered'), words(done)
    assert Filter(place.octets, place.key()).ask(late) == 'not covered'


def test_a_changed_filter_is_refused(place):
    for at in (0, 40, len(place.octets) // 2, len(place.octets) - 1):
        octets = bytearray(place.octets)
        octets[at] ^= 1
        path = place.folder / 'changed.filter'
        path.write_bytes(octets)
        done = place.check(place.certs[-1], path)
        assert done.returncode != 0 and not done.stdout, words(done)
        with pytest.raises((AssertionError, InvalidSignature, ValueError, KeyError)):
            Filter(bytes(octets), place.key())


def test_another_ca_is_refused(place):
    other = place.folder / 'other.pem'
    other.write_bytes(place.gate.pem('ca-services'))
    done = place.check(place.certs[0], issuer=other)
    assert done.returncode != 0 and "another CA's key" in words(done)


def test_caches(place):
    reply = place.get()
    assert 'max-age=' in reply.headers['cache-control'] and reply.headers['content-type'] == 'application/octet-stream'
    assert place.get(headers=[f'If-None-Match: {reply.headers["etag"]}']).status == 304
    assert place.get('nobody').status == 404


def test_books_are_balanced(place):
    """Each signature of a filter has its word in the log."""
    place.gate.cli('doctor')  # fails where one is unaccounted for


def test_numbers_rise_over_a_restart(place):
    before = int(Filter(place.get().body, place.key()).said['number'])
    place.gate.stop()
    place.gate.start()

    def newer():
        reply = place.get()  # 503 until the kept one is loaded
        return reply.status == 200 and int(Filter(reply.body, place.key()).said['number']) > before
    until('a newer filter', newer)


# --- keeping one up to date -------------------------------------------------------------------------

class Mirror:
    """A server that gives out what the test says, whoever made it."""

    def __init__(self):
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(mirror.status)
                self.send_header('Content-Length', str(len(mirror.body)))
                self.end_headers()
                self.wfile.write(mirror.body)

            def log_message(self, *args):
                pass
        self.status, self.body = 200, b''
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/filter/devices.filter'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mirror():
    one = Mirror()
    yield one
    one.server.shutdown()
    one.server.server_close()


def fetch(url, issuer, out, *options, env=None):
    return run(KEYWRIGHT, 'filter', 'fetch', url, '--issuer', issuer, '--out', out, *options, check=False,
               env=env)


def test_fetch_takes_newer_ones_and_never_goes_back(place, mirror, tmp_path):
    out = tmp_path / 'kept.filter'
    mirror.body = place.octets
    done = fetch(mirror.url, place.issuer, out)
    assert done.returncode == 0 and done.stdout.startswith('fetched'), words(done)
    assert out.read_bytes() == place.octets
    done = fetch(mirror.url, place.issuer, out)
    assert done.returncode == 0 and done.stdout.startswith('unchanged'), words(done)
    place.gate.stop()
    place.gate.start()
    url = place.gate.url('relying') + '/filter/devices.filter'
    until('a newer one', lambda: fetch(url, place.issuer, out).stdout.startswith('fetched'))
    newer = out.read_bytes()
    assert newer != place.octets
    done = fetch(mirror.url, place.issuer, out)
    assert done.returncode != 0 and 'an old filter' in words(done), words(done)
    assert out.read_bytes() == newer


def test_fetch_takes_nothing_that_does_not_prove_itself(place, mirror, tmp_path):
    out, other = tmp_path / 'kept.filter', tmp_path / 'other.pem'
    other.write_bytes(place.gate.pem('ca-services'))
    mirror.body = place.octets

    def refused(why, issuer=place.issuer, **how):
        done = fetch(mirror.url, issuer, out, **how)
        return done.returncode != 0 and why in words(done) and not done.stdout, words(done)
    for good, said in (refused("another CA's key", issuer=other),
                       refused('stale', env={'KEYWRIGHT_TEST_CLOCK_OFFSET_S': '864000'}),
                       refused('stale', env={'KEYWRIGHT_TEST_CLOCK_OFFSET_S': '-86400'})):
        assert good, said
    for status, body, why in ((200, place.octets[:-1], ''), (200, b'', ''), (200, place.octets + b'x', ''),
                              (404, b'', 'status 404'), (302, place.octets, 'status 302'), (503, b'', 'status 503')):
        mirror.status, mirror.body = status, body
        good, said = refused(why)
        assert good, said
    assert not out.exists()
    for url in ('https://127.0.0.1:1/x', 'ftp://127.0.0.1/x', 'http://127.0.0.1', mirror.url[7:]):
        assert fetch(url, place.issuer, out).returncode == 2
    mirror.status, mirror.body = 200, place.octets
    out.write_bytes(b'something else')
    good, said = refused('remove it to begin anew')
    assert good and out.read_bytes() == b'something else', said
