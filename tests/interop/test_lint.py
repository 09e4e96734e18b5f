"""Judges that we did not write look at every kind of certificate, CRL and OCSP answer."""
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from harness import SOURCE, certs_in, csr_der, fingerprint, need, new_key, run, until, words

CERTS = ('root', 'ca-devices', 'ca-services', 'ocsp-devices', 'ocsp-services', 'tls-server', 'operator', 'idevid',
         'ldevid', 'renewed', 'idevid-p384')
CA_OF = {'ocsp-devices': 'ca-devices', 'ocsp-services': 'ca-services', 'tls-server': 'ca-services',
         'operator': 'ca-services', 'idevid': 'ca-devices', 'ldevid': 'ca-devices', 'renewed': 'ca-devices',
         'idevid-p384': 'ca-devices'}


@pytest.fixture(scope='session')
def linters():
    done = subprocess.run([SOURCE / 'tools/interop'], capture_output=True, text=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope='module')
def files(gate, tmp_path_factory):
    """Every kind of certificate in a file, NAME.pem and NAME.der."""
    folder = tmp_path_factory.mktemp('lint')
    device = gate.device()
    first = device.ldevid.cert
    device.renew()
    other = gate.register()
    key = new_key(ec.SECP384R1())
    (p384,) = certs_in(gate.enrol(csr_der(key, other[0]), secret=other).body)
    found = {name: gate.cert(name) for name in CERTS[:6]}
    found.update({'operator': x509.load_pem_x509_certificate(gate.operator.cert_file.read_bytes()),
                  'idevid': device.idevid.cert, 'ldevid': first, 'renewed': device.ldevid.cert, 'idevid-p384': p384})
    for name, cert in found.items():
        (folder / f'{name}.pem').write_bytes(cert.public_bytes(Encoding.PEM))
        (folder / f'{name}.der').write_bytes(cert.public_bytes(Encoding.DER))
    gate.cli('cert', 'revoke', fingerprint(first), '--reason', 'keyCompromise')
    until('the CRL lists it', lambda: x509.load_der_x509_crl(gate.curl('relying', '/crl/devices.crl').body)
          .get_revoked_certificate_by_serial_number(first.serial_number))
    for ca in ('root', 'devices', 'services'):
        (folder / f'{ca}.crl').write_bytes(gate.curl('relying', f'/crl/{ca}.crl').body)
    return folder


# The test server is called localhost; pkilint wants names with a dot, which no standard asks for.
# ISO 15118-2 wants one domain component that names the role: CPO, CPS, MO, OEM, V2G.
SINGLE_LABEL = re.compile(r'invalid_(uri|domain_name)_syntax.*"(http://)?localhost[:"]|'
                          r'domain_components_invalid_domain_name.*"(CPO|CPS|MO|OEM|V2G)"')


def lint(program, file):
    done = run(*program, '-s', 'WARNING', '-f', 'TEXT', file, check=False)
    findings = [line for line in words(done).splitlines() if re.search(r'\((ERROR|FATAL)\)', line)
                and not SINGLE_LABEL.search(line)]
    assert not findings and 'Traceback' not in words(done), words(done)


@pytest.mark.parametrize('name', CERTS)
def test_pkilint_certificate(files, linters, name):
    lint((f'{linters}/lint_pkix_cert', 'lint'), files / f'{name}.pem')


@pytest.mark.parametrize('name', sorted(CA_OF))
def test_pkilint_with_its_issuer(files, linters, name):
    done = run(f'{linters}/lint_pkix_signer_signee_cert_chain', 'lint', '-s', 'ERROR', files / f'{CA_OF[name]}.pem',
               files / f'{name}.pem', check=False)
    assert not re.search(r'\((ERROR|FATAL)\)|Traceback', words(done)), words(done)


@pytest.mark.parametrize('ca', ['root', 'devices', 'services'])
def test_pkilint_crl(files, linters, ca):
    lint((f'{linters}/lint_crl', 'lint', '-t', 'CRL', '-p', 'PKIX'), files / f'{ca}.crl')


@pytest.mark.parametrize('digest', ['SHA1', 'SHA256'])
@pytest.mark.parametrize('name', ['ldevid', 'renewed', 'idevid', 'tls-server'])
@pytest.mark.parametrize('nonce', [None, 32])
def test_pkilint_ocsp(gate, files, linters, tmp_path, name, digest, nonce):
    cert, issuer = (x509.load_pem_x509_certificate((files / f'{one}.pem').read_bytes())
                    for one in (name, CA_OF[name]))
    builder = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, getattr(hashes, digest)())
    builder = builder.add_extension(x509.OCSPNonce(b'n' * nonce), False) if nonce else builder
    ca = CA_OF[name].removeprefix('ca-')
    reply = gate.ask('relying', 'POST', f'/ocsp/{ca}', builder.build().public_bytes(Encoding.DER),
                     {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    assert answer.certificate_status == (ocsp.OCSPCertStatus.REVOKED if name == 'ldevid' else ocsp.OCSPCertStatus.GOOD)
    assert answer.responder_name is None, 'by key (RFC 9919)'
    (tmp_path / 'answer').write_bytes(reply.body)
    lint((f'{linters}/lint_ocsp_response', 'lint'), tmp_path / 'answer')


@pytest.mark.parametrize('name', sorted(CA_OF))
def test_openssl_and_gnutls_chains(files, tmp_path, name):
    run('openssl', 'verify', '-x509_strict', '-CAfile', files / 'root.pem', '-untrusted', files / f'{CA_OF[name]}.pem',
        files / f'{name}.pem')
    if need('certtool'):
        pytest.skip('certtool is not installed')
    chain = b''.join((files / f'{one}.pem').read_bytes() for one in (name, CA_OF[name], 'root'))
    (tmp_path / 'chain').write_bytes(chain)
    said = words(run('certtool', '--verify-chain', '--infile', tmp_path / 'chain'))
    assert 'Chain verification output: Verified' in said, said


@pytest.mark.parametrize('ca', ['devices', 'services', 'root'])
def test_openssl_and_gnutls_crls(files, ca):
    issuer = files / ('root.pem' if ca == 'root' else f'ca-{ca}.pem')
    said = words(run('openssl', 'crl', '-inform', 'DER', '-in', files / f'{ca}.crl', '-noout', '-CAfile', issuer))
    assert 'verify OK' in said
    if need('certtool'):
        pytest.skip('certtool is not installed')
    said = words(run('certtool', '--verify-crl', '--inder', '--load-ca-certificate', issuer.with_suffix('.der'), '--infile',
                     files / f'{ca}.crl'))
    assert 'Verified' in said, said


def parsed(path):
    return run('openssl', 'asn1parse', '-inform', 'DER', '-in', path).stdout


@pytest.mark.parametrize('name', CERTS)
def test_der_facts(files, name):
    """FACTS 24 to 27, as openssl asn1parse sees the octets."""
    text = parsed(files / f'{name}.der')
    assert not re.search(r'BOOLEAN\s+:0', text), 'a default is encoded'
    serial = re.search(r'INTEGER\s+:(-?)([0-9A-F]+)\n', text[text.index('cont [ 0 ]'):].split('\n', 2)[2])
    assert not serial[1] and 16 <= len(serial[2]) <= 40
    times = re.findall(r'(UTCTIME|GENERALIZEDTIME)\s+:(\S+)', text)[:2]
    for kind, when in times:
        assert (kind == 'UTCTIME') == (len(when) == 13)
        assert kind == 'UTCTIME' or when[:4] >= '2050'
    if name.startswith('idevid'):
        assert times[1] == ('GENERALIZEDTIME', '99991231235959Z')
    algorithms = re.findall(r'OBJECT\s+:(ecdsa-with-\S+)\n.*?(NULL|$)', text, re.M)
    assert len(algorithms) == 2 and algorithms[0] == algorithms[1] and algorithms[0][1] == ''


@pytest.mark.parametrize('name', sorted(CA_OF))
def test_key_identifiers_and_issuer_match(files, name):
    cert, issuer = (x509.load_pem_x509_certificate((files / f'{one}.pem').read_bytes())
                    for one in (name, CA_OF[name]))
    assert cert.issuer.public_bytes() == issuer.subject.public_bytes()
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == ski
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_encipherment


@pytest.mark.parametrize('ca', ['ca-devices', 'ca-services', 'root'])
def test_ca_certificates(files, ca):
    cert = x509.load_pem_x509_certificate((files / f'{ca}.pem').read_bytes())
    basic = cert.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
    assert basic.critical and basic.value.ca and usage.critical
    assert usage.value.key_cert_sign and usage.value.crl_sign
    if ca != 'root':
        assert basic.value.path_length == 0
    if ca == 'ca-services':
        names = cert.extensions.get_extension_for_class(x509.NameConstraints)
        assert names.critical and names.value.permitted_subtrees
    if ca == 'ca-devices':
        purposes = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert x509.ExtendedKeyUsageOID.CLIENT_AUTH in purposes and x509.ExtendedKeyUsageOID.SERVER_AUTH not in purposes


def test_idevid_names_its_hardware(files):
    """hardwareModuleName (RFC 4108 section 5) in the IDevID, and only there."""
    for name in ('idevid', 'ldevid'):
        text = words(run('openssl', 'x509', '-in', files / f'{name}.pem', '-noout', '-text'))
        assert ('othername' in text) == (name == 'idevid')
    assert '1.3.6.1.5.5.7.8.4' in parsed_san(files / 'idevid.pem')


def parsed_san(path):
    cert = x509.load_pem_x509_certificate(path.read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return ' '.join(one.type_id.dotted_string for one in names if isinstance(one, x509.OtherName))


def test_ocsp_signer(files):
    for ca in ('devices', 'services'):
        cert = x509.load_pem_x509_certificate((files / f'ocsp-{ca}.pem').read_bytes())
        assert cert.extensions.get_extension_for_class(x509.OCSPNoCheck)
        assert list(cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == \
            [x509.ExtendedKeyUsageOID.OCSP_SIGNING]


def test_serial_numbers_do_not_repeat_or_count(files):
    serials = [x509.load_pem_x509_certificate((files / f'{name}.pem').read_bytes()).serial_number for name in CERTS]
    assert len(set(serials)) == len(serials)
    assert all(serial.bit_length() > 64 for serial in serials)
