"""What docs/EN-303-645.md claims and no other test would notice."""
import concurrent.futures

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from harness import SOURCE, name_of, run, words

STRONG = {'secp256r1', 'secp384r1'}


def test_each_claim_names_tests_that_exist():
    run(SOURCE / 'tools/check-claims', '--self-test')
    done = run(SOURCE / 'tools/check-claims', check=False)
    assert done.returncode == 0, words(done)


def test_cas_have_strong_keys(gate):
    for name in ('root', 'ca-devices', 'ca-services'):
        cert = x509.load_pem_x509_certificate(gate.pem(name))
        assert cert.public_key().curve.name in STRONG and cert.signature_hash_algorithm.name in ('sha256', 'sha384')


def request(key, name):
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA384() if key.key_size == 384 else hashes.SHA256()
    return x509.CertificateSigningRequestBuilder().subject_name(name_of(name)).sign(key, digest)


KEYS = {'p256': lambda: ec.generate_private_key(ec.SECP256R1()), 'p384': lambda: ec.generate_private_key(ec.SECP384R1()),
        'p224': lambda: ec.generate_private_key(ec.SECP224R1()), 'ed25519': ed25519.Ed25519PrivateKey.generate,
        'rsa-2048': lambda: rsa.generate_private_key(65537, 2048), 'rsa-3072': lambda: rsa.generate_private_key(65537, 3072)}


@pytest.fixture(name='keys', scope='module')
def two_of_each():
    """Those that take long are made while the others are used."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield {name: [pool.submit(make) for _ in range(2)] for name, make in KEYS.items()}


@pytest.mark.parametrize('key,service,device', [
    ('p256', True, True), ('p384', True, True), ('ed25519', True, False), ('p224', False, False), ('rsa-2048', False, False),
    ('rsa-3072', True, False)])
def test_which_keys_are_taken_is_the_profiles(gate, keys, tmp_path, key, service, device):
    """No weak one anywhere; else tls-client's and ldevid's lists differ, and so does what they take."""
    first, second = (made.result() for made in keys[key])
    csr = tmp_path / 'csr'
    csr.write_bytes(request(first, 'x').public_bytes(Encoding.PEM))
    done = gate.cli('cert', 'issue', '--profile', 'tls-client', '--name', f'with-{key}', '--csr', csr, check=False)
    assert (done.returncode == 0) == service, words(done)
    unit = gate.device()
    reply = gate.enrol(request(second, unit.id).public_bytes(Encoding.DER), who=unit.idevid)
    assert (reply.status == 200) == device, reply
