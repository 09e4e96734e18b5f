"""Certification requests as others write them: RSA-PSS, and names in the string types of old."""
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from harness import certs_in, new_key, run, words

TYPES = {'BMPString': _ASN1Type.BMPString, 'T61String': _ASN1Type.T61String, 'UniversalString': _ASN1Type.UniversalString}
PSS = ('-sigopt', 'rsa_padding_mode:pss')


def ask_operator(gate, name, csr):
    return gate.cli('cert', 'issue', '--profile', 'tls-client', '--name', name, '--csr', csr, check=False)


def request(folder, *options):
    run('openssl', 'req', '-new', '-nodes', '-subj', '/CN=whoever', '-out', folder / 'one.csr', *options)
    return folder / 'one.csr'


@pytest.mark.parametrize('options', [(), ('-sigopt', 'rsa_pss_saltlen:32'), ('-sha384',)])
def test_a_request_signed_with_pss(gate, tmp_path, options):
    """The words say what is taken instead; by that the same key gets its certificate."""
    csr, before = request(tmp_path, '-newkey', 'rsa:3072', '-keyout', tmp_path / 'key', *PSS, *options), gate.counts()
    done = ask_operator(gate, 'pss', csr)
    assert done.returncode == 2 and 'PKCS#1 v1.5 (not PSS) with SHA-256' in done.stderr, words(done)
    assert gate.counts() == before
    done = ask_operator(gate, 'pss', request(tmp_path, '-key', tmp_path / 'key'))
    assert done.returncode == 0, words(done)


def test_a_key_for_pss_alone(gate, tmp_path):
    """id-RSASSA-PSS as the key's own algorithm (RFC 4055 section 1.2)."""
    csr, before = request(tmp_path, '-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:3072', '-keyout', tmp_path / 'key'), gate.counts()
    done = ask_operator(gate, 'pss-key', csr)
    assert done.returncode == 2 and 'key' in done.stderr, words(done)
    assert gate.counts() == before


@pytest.mark.parametrize('kind', TYPES)
def test_names_in_old_string_types(gate, kind):
    """They name who they name; the certificate has the registry's name, in UTF-8."""
    device, secret = gate.register()

    def ask(name):
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([
            x509.NameAttribute(NameOID.COMMON_NAME, name, _type=TYPES[kind])])).sign(new_key(), hashes.SHA256())
        return gate.enrol(csr.public_bytes(serialization.Encoding.DER), secret=(device, secret))
    other = ask('another')
    assert other.status == 403 and 'CN=another' in other.text
    if kind != 'T61String':
        other = ask('Gerät-ß')
        assert other.status == 403 and 'CN=Gerät-ß' in other.text
    reply = ask(device)
    assert reply.status == 200, reply
    (name,) = certs_in(reply.body)[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert (name.value, name._type) == (device, _ASN1Type.UTF8String)
