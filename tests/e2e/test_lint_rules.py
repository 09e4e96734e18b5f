"""One broken certificate for each rule of `keywright lint`, made by another library; and what the server issues breaks none."""
import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from harness import KEYWRIGHT, run, words

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 11, 21)
USAGES = ('digital_signature', 'content_commitment', 'key_encipherment', 'data_encipherment', 'key_agreement',
          'key_cert_sign', 'crl_sign', 'encipher_only', 'decipher_only')
CA_KEY = ec.generate_private_key(ec.SECP256R1())
LEAF_KEY = ec.generate_private_key(ec.SECP256R1())
CA_NAME = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Lint'),
                     x509.NameAttribute(NameOID.COMMON_NAME, 'Lint CA')])


def attribute(oid, value, kind=None):
    return x509.NameAttribute(oid, value, _type=kind, _validate=False)


def name(*more):
    return x509.Name([attribute(NameOID.COMMON_NAME, 'device 1'), *more])


def usage(*on):
    return x509.KeyUsage(**{one: one in on for one in USAGES})


def crl_at(url):
    return x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)])


def access(url):
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))])


def dns(*names):
    return x509.SubjectAlternativeName([x509.DNSName(one) for one in names])


def hw(serial):
    inner = b'\x06\x09\x2b\x06\x01\x04\x01\x83\xa8\x31\x01' + b'\x04' + bytes([len(serial)]) + serial
    value = b'\x30' + bytes([len(inner)]) + inner
    return x509.OtherName(ObjectIdentifier('1.3.6.1.5.5.7.8.4'), value)


AKI = x509.AuthorityKeyIdentifier.from_issuer_public_key(CA_KEY.public_key())


def certificate(subject=None, issuer=CA_NAME, key=LEAF_KEY, signer=CA_KEY, serial=0x1234567890abcdef12, start=NOW,
                end=NOW + 90 * DAY, drop=(), **changes):
    """A right one, but for the changes: extension=(value, critical)."""
    public = key.public_key()
    exts = {'usage': (usage('digital_signature'), True),
            'ski': (x509.SubjectKeyIdentifier.from_public_key(public), False),
            'aki': (AKI, False),
            'crl': (crl_at('http://ca.example/ca.crl'), False),
            'aia': (access('http://ca.example/ocsp'), False)}
    exts.update(changes)
    builder = (x509.CertificateBuilder().subject_name(name() if subject is None else subject).issuer_name(issuer)
               .public_key(public).serial_number(serial).not_valid_before(start).not_valid_after(end))
    for which, (value, critical) in exts.items():
        if which not in drop:
            builder = builder.add_extension(value, critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, digest)


def ca(**changes):
    exts = {'usage': (usage('key_cert_sign', 'crl_sign'), True),
            'basic': (x509.BasicConstraints(True, 0), True),
            'constraints': (x509.NameConstraints([x509.DNSName('example')], None), True),
            'purposes': eku(ExtendedKeyUsageOID.CLIENT_AUTH, SERVER, OCSP, ExtendedKeyUsageOID.CODE_SIGNING)}
    exts.update(changes)
    return certificate(CA_NAME, key=CA_KEY, end=NOW + 900 * DAY, start=NOW - 9 * DAY, **exts)


def eku(*oids):
    return (x509.ExtendedKeyUsage(oids), False)


def san(value, critical=False):
    return (value, critical)


def der(tag, body):
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + size + body


def elements(whole):
    """What a SEQUENCE holds, each with its header."""
    def header(at):
        octets = whole[at + 1] & 127 if whole[at + 1] & 128 else 0
        return 2 + octets, int.from_bytes(whole[at + 2:at + 2 + octets], 'big') if octets else whole[at + 1]
    at, found = header(0)[0], []
    while at < len(whole):
        first, size = header(at)
        found.append(whole[at:at + first + size])
        at += first + size
    return found


def version_1():
    """No library writes one any more: a right certificate without its version and extensions."""
    tbs, alg, _ = elements(certificate().public_bytes(serialization.Encoding.DER))
    tbs = der(0x30, b''.join(one for one in elements(tbs) if one[0] not in (0xa0, 0xa3)))
    return der(0x30, tbs + alg + der(3, b'\0' + CA_KEY.sign(tbs, ec.ECDSA(hashes.SHA256()))))


def patched(cert, old, new):
    """Octets exchanged behind the library's back; the signature does not matter here."""
    der = cert.public_bytes(serialization.Encoding.DER)
    assert der.count(old) == 1 and len(old) == len(new)
    return der.replace(old, new)


SERVER, OCSP = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING
UTF8 = x509.name._ASN1Type.UTF8String
PRINTABLE = x509.name._ASN1Type.PrintableString

# rule: what breaks it
BROKEN = {
    'serial': lambda: certificate(serial=0x1234),
    'signature': lambda: certificate(signer=ed25519.Ed25519PrivateKey.generate()),
    'issuer-exact': lambda: certificate(issuer=x509.Name([*CA_NAME][::-1])),
    'times': lambda: patched(certificate(end=NOW + 10 * DAY), b'261201000000Z', b'251201000000Z'),
    'outlives-issuer': lambda: certificate(end=NOW + 901 * DAY),
    'before-issuer': lambda: certificate(start=NOW - 10 * DAY),
    'issuer-key': lambda: certificate(key=CA_KEY),
    'subject-form': lambda: certificate(x509.Name([x509.RelativeDistinguishedName(
        [attribute(NameOID.COMMON_NAME, 'a'), attribute(NameOID.ORGANIZATIONAL_UNIT_NAME, 'b')])])),
    'subject-types': lambda: certificate(name(attribute(NameOID.SERIAL_NUMBER, 'S1', UTF8))),
    'subject-lengths': lambda: certificate(x509.Name([attribute(NameOID.COMMON_NAME, 'n' * 65)])),
    'subject-country': lambda: certificate(name(attribute(NameOID.COUNTRY_NAME, 'tw', PRINTABLE))),
    'subject-characters': lambda: certificate(name(attribute(NameOID.SERIAL_NUMBER, 'S_1', PRINTABLE))),
    'subject-spaces': lambda: certificate(x509.Name([attribute(NameOID.COMMON_NAME, 'device 1 ')])),
    'subject-once': lambda: certificate(name(attribute(NameOID.COMMON_NAME, 'device 2'))),
    'subject-or-san': lambda: certificate(x509.Name([])),
    'san-critical': lambda: certificate(san=san(dns('a.example'), True)),
    'san-once': lambda: certificate(san=san(dns('a.example', 'a.example'))),
    'san-dns': lambda: certificate(san=san(dns('a_b.example'))),
    'san-uri': lambda: certificate(san=san(x509.SubjectAlternativeName([x509.UniformResourceIdentifier('nothing')]))),
    'san-hw': lambda: certificate(san=san(x509.SubjectAlternativeName([hw(b'')]))),
    'constraints': lambda: certificate(san=san(dns('a.other'))),
    'unknown-critical': lambda: certificate(other=(x509.UnrecognizedExtension(ObjectIdentifier('1.2.3.4'), b'\5\0'), True)),
    'never-critical': lambda: certificate(ski=(x509.SubjectKeyIdentifier.from_public_key(LEAF_KEY.public_key()), True)),
    'ca-constraints': lambda: certificate(basic=(x509.BasicConstraints(True, 0), False), usage=(usage('key_cert_sign'), True)),
    'ca-usage': lambda: certificate(usage=(usage('digital_signature', 'key_cert_sign'), True)),
    'name-constraints': lambda: certificate(nc=(x509.NameConstraints([x509.DNSName('a.example')], None), True)),
    'usage-present': lambda: certificate(drop=['usage']),
    'usage-critical': lambda: certificate(usage=(usage('digital_signature'), False)),
    'usage-key': lambda: certificate(usage=(usage('digital_signature', 'key_encipherment'), True)),
    'eku-once': lambda: certificate(eku=eku(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)),
    'eku-any': lambda: certificate(eku=eku(ObjectIdentifier('2.5.29.37.0'))),
    'eku-usage': lambda: certificate(eku=eku(ExtendedKeyUsageOID.CODE_SIGNING), usage=(usage('key_agreement'), True)),
    'eku-issuer': lambda: certificate(eku=eku(ExtendedKeyUsageOID.EMAIL_PROTECTION)),
    'server-names': lambda: certificate(eku=eku(SERVER)),
    'ocsp-nocheck': lambda: certificate(eku=eku(OCSP)),
    'ski-of-ca': lambda: certificate(basic=(x509.BasicConstraints(True, 0), True), usage=(usage('key_cert_sign'), True), drop=['ski']),
    'ski': lambda: certificate(ski=(x509.SubjectKeyIdentifier(b'k' * 20), False)),
    'aki-present': lambda: certificate(drop=['aki']),
    'aki': lambda: certificate(aki=(x509.AuthorityKeyIdentifier(b'k' * 20, None, None), False)),
    'crl-pointer': lambda: certificate(crl=(crl_at('https://ca.example/ca.crl'), False)),
    'access': lambda: certificate(aia=(access('ldap://ca.example/ocsp'), False)),
    'status': lambda: certificate(drop=['crl', 'aia']),
}
RIGHT = {
    'device': lambda: certificate(name(attribute(NameOID.SERIAL_NUMBER, 'S 1', PRINTABLE)),
                                  san=san(x509.SubjectAlternativeName([hw(b'S1')]))),
    'server': lambda: certificate(eku=eku(SERVER), san=san(x509.SubjectAlternativeName(
        [x509.DNSName('*.a.example'), x509.DNSName('a.example')]))),
    'empty subject': lambda: certificate(x509.Name([]), san=san(dns('a.example'), True)),
    'responder': lambda: certificate(eku=eku(OCSP), nocheck=(x509.OCSPNoCheck(), False), drop=['crl', 'aia']),
    'rsa': lambda: certificate(key=rsa.generate_private_key(65537, 3072),
                               usage=(usage('digital_signature', 'key_encipherment'), True)),
    'names of Taiwan': lambda: certificate(name(attribute(NameOID.COUNTRY_NAME, 'TW', PRINTABLE),
                                                attribute(NameOID.ORGANIZATION_NAME, '裝置製造商', UTF8))),
    'ca': ca,
}


def lint(folder, cert, issuer=None):
    """Exit status, and the rules that it names."""
    der = cert if isinstance(cert, bytes) else cert.public_bytes(serialization.Encoding.DER)
    (folder / 'cert.der').write_bytes(der)
    (folder / 'issuer.pem').write_bytes((issuer or ca()).public_bytes(serialization.Encoding.PEM))
    done = run(KEYWRIGHT, 'lint', 'cert', folder / 'cert.der', '--issuer', folder / 'issuer.pem', '--json', check=False)
    return done, [json.loads(line)['rule'] for line in done.stdout.splitlines()]


def all_rules():
    return [json.loads(line) for line in run(KEYWRIGHT, 'lint', 'rules', '--json').stdout.splitlines()]


def test_every_rule_is_tried():
    rules = all_rules()
    assert {one['rule'] for one in rules} == set(BROKEN) | {'version'}
    assert all(one['source'] and one['says'] for one in rules)


@pytest.mark.parametrize('rule', BROKEN)
def test_broken(tmp_path, rule):
    """This rule says so, and no other."""
    done, found = lint(tmp_path, BROKEN[rule]())
    assert (done.returncode, found) == (1, [rule]), words(done)


@pytest.mark.parametrize('kind', RIGHT)
def test_right(tmp_path, kind):
    cert = RIGHT[kind]()
    done, found = lint(tmp_path, cert, issuer=cert if kind == 'ca' else None)
    if kind == 'ca':
        found = [one for one in found if one != 'aki']  # this one is self-issued by hand
    assert (found or done.returncode) == 0, words(done)


def test_version_1(tmp_path):
    done, found = lint(tmp_path, version_1())
    assert done.returncode == 1 and found[0] == 'version'


def test_without_an_issuer_only_what_the_certificate_tells(tmp_path):
    (tmp_path / 'cert.pem').write_bytes(certificate(serial=0x1234).public_bytes(serialization.Encoding.PEM))
    done = run(KEYWRIGHT, 'lint', 'cert', tmp_path / 'cert.pem', check=False)
    assert done.returncode == 1 and 'serial' in done.stdout and 'RFC 5280' in done.stdout
    for bad in ('nothing', 'cert.pem.not'):
        (tmp_path / 'nothing').write_bytes(b'no certificate')
        done = run(KEYWRIGHT, 'lint', 'cert', tmp_path / bad, check=False)
        assert done.returncode in (1, 2, 3) and bad in words(done)


def test_what_the_server_issues(gate, tmp_path):
    device = gate.device()
    device.renew()
    issuers = {one: gate.cert(f'ca-{one}') for one in ('devices', 'services')}
    certs = [(device.idevid.cert, 'devices'), (device.ldevid.cert, 'devices'), (gate.cert('tls-server'), 'services'),
             (gate.cert('ocsp-devices'), 'devices'), (gate.cert('ocsp-services'), 'services')]
    for cert, base in certs:
        done, found = lint(tmp_path, cert, issuers[base])
        assert (done.returncode, found) == (0, []), words(done)
    for base in issuers:
        done, found = lint(tmp_path, issuers[base], gate.cert('root'))
        assert (done.returncode, found) == (0, []), words(done)
