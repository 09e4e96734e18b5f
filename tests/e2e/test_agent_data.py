"""Agents sign data for each other and seal data for themselves; openssl, which knows nothing of us,
agrees with the signature. One of the roots of trust is a TPM (swtpm, SIMULATED)."""
import base64
import hashlib
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness import Agent, run, words

COMMAND = b'{"cmd":"TURN_LIGHT_ON"}'


@pytest.fixture(name='pair')
def two_agents(gate, tpm, tmp_path):
    agents = []
    for name in ('cloud', 'hub'):
        one = Agent(gate, tmp_path / name, gate.new_id(name.upper()))
        one.put_secret(gate.register(one.id)[1])
        if name == 'hub':
            one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
        one.enrol()
        agents.append(one)
    return agents


def b64url(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def der_integer(octets):
    octets = octets.lstrip(b'\0')
    octets = (b'\0' if octets[0] & 0x80 else b'') + octets
    return bytes([2, len(octets)]) + octets


def openssl_agrees(text, folder):
    header, data, signature = text.strip().split('.')
    raw = b64url(signature)
    body = der_integer(raw[:32]) + der_integer(raw[32:])
    said = json.loads(b64url(header))
    key = x509.load_der_x509_certificate(base64.b64decode(said['x5c'][0])).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert said['alg'] == 'ES256' and said['kid'] == hashlib.sha256(spki).hexdigest()
    (folder / 'key.pem').write_bytes(key.public_bytes(Encoding.PEM,
                                                      PublicFormat.SubjectPublicKeyInfo))
    (folder / 'sig').write_bytes(bytes([0x30, len(body)]) + body)
    (folder / 'text').write_text(f'{header}.{data}')
    done = run('openssl', 'dgst', '-sha256', '-verify', folder / 'key.pem', '-signature',
               folder / 'sig', folder / 'text')
    assert 'Verified OK' in done.stdout
    return said, b64url(data)


def test_signed_for_one_and_taken_once(pair, tmp_path):
    cloud, hub = pair
    (tmp_path / 'command').write_bytes(COMMAND)
    signed, taken = tmp_path / 'signed', tmp_path / 'taken'
    cloud.do('sign-data', tmp_path / 'command', '--type', 'command', '--to', hub.id,
             '--out', signed)
    said, data = openssl_agrees(signed.read_text(), tmp_path)
    assert (said['aud'], said['typ'], data) == (hub.id, 'command', COMMAND)
    how = ('--type', 'command', '--signer', cloud.id, '--out', taken)
    assert 'not by' in words(hub.do('verify-data', signed, '--type', 'command', '--signer',
                                    hub.id, check=False))
    done = cloud.do('verify-data', signed, *how, check=False)
    assert done.returncode == 1 and 'this is for' in words(done)
    assert not taken.exists()
    hub.do('verify-data', signed, *how)
    assert taken.read_bytes() == COMMAND
    done = hub.do('verify-data', signed, *how, check=False)
    assert done.returncode == 1 and 'replayed' in words(done)
    hub.do('sign-data', tmp_path / 'command', '--type', 'receipt', '--out', signed)
    openssl_agrees(signed.read_text(), tmp_path)


def test_sealed_here_opens_here_only(pair, tmp_path):
    secret, box, out = (tmp_path / name for name in ('secret', 'box', 'out'))
    secret.write_bytes(bytes(range(256)) * 1000)
    for mine, other in (pair, pair[::-1]):
        mine.do('seal', secret, '--name', 'wifi', '--out', box)
        assert secret.read_bytes()[:64] not in box.read_bytes()
        mine.do('renew', '--force')
        mine.do('unseal', box, '--name', 'wifi', '--out', out)
        assert out.read_bytes() == secret.read_bytes() and out.stat().st_mode & 0o077 == 0
        other.do('seal', secret, '--out', out)
        assert other.do('unseal', box, '--name', 'wifi', check=False).returncode == 6
    for mine in pair:
        mine.do('seal', secret, '--out', box)
        mine.do('wipe')
        assert mine.do('unseal', box, check=False).returncode == 6
