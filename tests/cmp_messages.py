"""Messages of the Certificate Management Protocol as a foreign client makes them: `openssl cmp`, and its messages
altered octet by octet. Just enough DER for that; nothing of ours reads or writes here."""
import hashlib
import hmac
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from harness import run

IR, IP, CR, CP, P10CR, KUR, KUP, RR, RP, PKICONF, NESTED, GENM, GENP, ERROR, CERTCONF, POLLREQ, POLLREP = (
    0, 1, 2, 3, 4, 7, 8, 11, 12, 19, 20, 21, 22, 23, 24, 25, 26)
FAIL = ('badAlg badMessageCheck badRequest badTime badCertId badDataFormat wrongAuthority incorrectData missingTimeStamp '
        'badPOP certRevoked certConfirmed wrongIntegrity badRecipientNonce timeNotAvailable unacceptedPolicy '
        'unacceptedExtension addInfoNotAvailable badSenderNonce badCertTemplate signerNotTrusted transactionIdInUse '
        'unsupportedVersion notAuthorized systemUnavail systemFailure duplicateCertReq').split()


# --- DER: a node is [tag, octets] or [tag, list of nodes] ---------------------------------------------

def parse(der):
    nodes = []
    while der:
        tag, length, at = der[0], der[1], 2
        if length & 0x80:
            at += length & 0x7f
            length = int.from_bytes(der[2:at], 'big')
        content = der[at:at + length]
        assert len(content) == length
        nodes.append([tag, parse(content) if tag & 0x20 else content])
        der = der[at + length:]
    return nodes


def encode(node):
    tag, content = node
    octets = b''.join(map(encode, content)) if isinstance(content, list) else content
    n = len(octets)
    size = (n.bit_length() + 7) // 8
    head = bytes([n]) if n < 0x80 else bytes([0x80 | size]) + n.to_bytes(size, 'big')
    return bytes([tag]) + head + octets


class Message:
    """A PKIMessage, to be read and altered."""

    def __init__(self, der):
        (self.root,) = parse(der)
        self.header, self.body = self.root[1][0], self.root[1][1]

    @property
    def type(self):
        return self.body[0] & 0x1f

    def field(self, tag):
        """An explicitly tagged field of the header; None where it is not there."""
        for node in self.header[1][3:]:
            if node[0] == 0xa0 | tag:
                return node[1][0]
        return None

    def drop(self, tag):
        self.header[1] = [node for node in self.header[1] if node[0] != 0xa0 | tag or node is self.header[1][1]
                          or node is self.header[1][2]]

    def put(self, tag, octets):
        """An OCTET STRING of the header, in its place."""
        names, rest = self.header[1][:3], [node for node in self.header[1][3:] if node[0] != 0xa0 | tag]
        rest.append([0xa0 | tag, [[4, octets]]])
        self.header[1] = names + sorted(rest, key=lambda node: node[0])

    @property
    def protection(self):
        for node in self.root[1][2:]:
            if node[0] == 0xa0:
                return node[1][0][1][1:]
        return None

    @property
    def certs(self):
        for node in self.root[1][2:]:
            if node[0] == 0xa1:
                return [x509.load_der_x509_certificate(encode(one)) for one in node[1][0][1]]
        return []

    def protected(self):
        return encode([0x30, [self.header, self.body]])

    def der(self):
        return encode(self.root)

    # protection

    def unprotected(self):
        self.root[1] = self.root[1][:2]
        self.drop(1)
        return self

    def _protect(self, octets):
        rest = [node for node in self.root[1][2:] if node[0] != 0xa0]
        self.root[1] = [self.header, self.body, [0xa0, [[3, b'\0' + octets]]]] + rest
        return self

    def sign(self, key):
        return self._protect(key.sign(self.protected(), ec.ECDSA(hashes.SHA256())))

    def code(self, secret):
        """RFC 9810 section 5.1.3.1, with the parameters of the header."""
        salt, owf, count, mac = self.field(1)[1][1][1]
        name = {b'\x60\x86\x48\x01\x65\x03\x04\x02\x01': 'sha256'}[owf[1][0][1]]
        key = secret.encode() + salt[1]
        for _ in range(int.from_bytes(count[1], 'big')):
            key = hashlib.new(name, key).digest()
        inner = {b'\x2b\x06\x01\x05\x05\x08\x01\x02': 'sha1', b'\x2a\x86\x48\x86\xf7\x0d\x02\x09': 'sha256'}
        return hmac.new(key, self.protected(), inner[mac[1][0][1]]).digest()

    def mac(self, secret):
        return self._protect(self.code(secret))

    def check(self, root, secret=None):
        """Is this answer protected, by the secret or by a certificate below the root?"""
        if secret:
            assert hmac.compare_digest(self.code(secret), self.protection)
            return self
        signer, issuer = self.certs[0], self.certs[1]
        signer.public_key().verify(self.protection, self.protected(), ec.ECDSA(hashes.SHA256()))
        signer.verify_directly_issued_by(issuer) if hasattr(signer, 'verify_directly_issued_by') else None
        assert x509.oid.ObjectIdentifier('1.3.6.1.5.5.7.3.27') in signer.extensions.get_extension_for_class(
            x509.ExtendedKeyUsage).value
        assert issuer.issuer == x509.load_pem_x509_certificate(pathlib.Path(root).read_bytes()).subject
        return self

    # what answers say

    def status_info(self):
        """PKIStatusInfo of whatever kind of answer it is."""
        content = self.body[1][0]
        if self.type == ERROR:
            return content[1][0]
        if self.type == RP:
            return content[1][0][1][0]
        responses = [node for node in content[1] if node[0] == 0x30][0]
        return responses[1][0][1][1]

    def status(self):
        return int.from_bytes(self.status_info()[1][0][1], 'big')

    def text(self):
        return ' '.join(one[1].decode() for node in self.status_info()[1] if node[0] == 0x30 for one in node[1])

    def fail(self):
        """The one bit that is set, by its name; None: no failInfo."""
        for node in self.status_info()[1]:
            if node[0] == 3:
                unused, octets = node[1][0], node[1][1:]
                bits = [i for i in range(8 * len(octets)) if octets[i // 8] & 0x80 >> i % 8]
                assert len(bits) == 1 and unused == 7 - bits[0] % 8, 'named bits without trailing zeroes'
                return FAIL[bits[0]]
        return None

    def cert(self):
        """The issued certificate of ip, cp, kup."""
        responses = [node for node in self.body[1][0][1] if node[0] == 0x30][0]
        pair = responses[1][0][1][2]
        return x509.load_der_x509_certificate(encode(pair[1][0][1][0]))


class Client:
    """A device with `openssl cmp`."""

    def __init__(self, gate, folder, device, secret=None):
        self.gate, self.folder, self.id, self.secret = gate, pathlib.Path(folder), device, secret
        self.folder.mkdir(parents=True, exist_ok=True)

    def key(self, name, curve='P-256'):
        path = self.folder / f'{name}.key'
        run('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', f'ec_paramgen_curve:{curve}', '-out', path)
        return path

    def by_secret(self, secret=None):
        return ('-ref', self.id, '-secret', 'pass:' + (secret or self.secret))

    def by_cert(self, name):
        return ('-cert', self.folder / f'{name}.pem', '-key', self.folder / f'{name}.key', '-trusted', self.gate.root)

    def run(self, cmd, *options, door='relying', path='/.well-known/cmp', check=True):
        port = self.gate.ports[0 if door == 'devices' else 2]
        tls = ('-tls_used', '-tls_trusted', self.gate.root) if door == 'devices' else ()
        return run('openssl', 'cmp', '-config', '', '-cmd', cmd, '-server', f'localhost:{port}', '-path', path, '-recipient',
                   '/CN=whoever', *tls, *options, check=check, cwd=self.folder)

    def ask(self, cmd, name, *options, **how):
        """A certificate for a new key, into NAME.pem."""
        key = self.key(name)
        self.run(cmd, '-newkey', key, '-certout', self.folder / f'{name}.pem', *options, **how)
        return self.cert(name)

    def cert(self, name):
        return x509.load_pem_x509_certificate((self.folder / f'{name}.pem').read_bytes())

    def request(self, cmd, *options):
        """The octets of the first message that openssl would send; nothing of it comes to our server."""
        out = self.folder / 'request.der'
        if '-newkey' in options:
            options += ('-certout', self.folder / 'never.pem')
        if '-infotype' in options:
            options += ('-cacertsout', self.folder / 'never.pem')
        run('openssl', 'cmp', '-config', '', '-cmd', cmd, '-server', 'localhost:1', '-recipient', '/CN=whoever', '-reqout', out,
            '-total_timeout', 5, *options, check=False, cwd=self.folder)
        return out.read_bytes()

    def post(self, message, path='/.well-known/cmp', door='relying'):
        """Send octets; the answer as a Message, after a look at the HTTP around it."""
        reply = self.gate.ask(door, 'POST', path, message, {'Content-Type': 'application/pkixcmp'})
        assert reply.status == 200 and reply.headers['content-type'] == 'application/pkixcmp', (reply.status, reply.body)
        return Message(reply.body)
