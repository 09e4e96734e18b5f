"""Known secrets are looked for where they must not be: in the server's memory, in files, in logs."""
import os
import pathlib
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

import pytest


class Reader:
    """Fields of a file, as docs/protocol/keeper.md has them."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, n):
        self.at += n
        return self.octets[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), 'big')

    def span(self):
        return self.take(self.number(2))


def gcm(key, sealed, data):
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], data)


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def open_header(vault, passphrase):
    """Vault id, key-encrypting key and lasting key."""
    r = Reader((vault / 'vault').read_bytes())
    assert r.take(8) == b'KWVAULT1'
    vault_id, generation = r.take(16), r.take(4)
    assert r.take(1) == b'\1'
    start = r.at - 1
    salt, n, block, parallel = r.take(16), r.number(4), r.number(4), r.number(4)
    params = r.octets[start:r.at]
    key = Scrypt(salt, 32, n, block, parallel).derive(passphrase)
    core = gcm(key, r.span(), b'KWVAULT1' + vault_id + generation + params)
    return vault_id, core[:32], core[32:]


def open_key(vault, key_id, vault_id, kek):
    """The private key, by another program than ours."""
    r = Reader((vault / f'keys/{key_id}.key').read_bytes())
    assert r.take(8) == b'KWKEY001'
    r.take(4)
    policy, public, label, sealed = r.span(), r.span(), r.span(), r.span()
    head = b'keywright key v1' + key_id.encode()
    pkcs8 = gcm(hkdf(kek, vault_id, head), sealed, head + policy + public + label)
    key = serialization.load_der_private_key(pkcs8, None)
    assert key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo) == public
    return key.private_numbers().private_value.to_bytes(32, 'big')


def memory_of(pid):
    """All readable memory of a process, piece by piece (as root, whatever it forbids)."""
    with open(f'/proc/{pid}/mem', 'rb', buffering=0) as memory:
        for line in pathlib.Path(f'/proc/{pid}/maps').read_text().splitlines():
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split('-'))
            if 'r' not in rights or '[v' in line:
                continue
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                continue


def holds(pid, octets):
    return any(octets in piece for piece in memory_of(pid))


@pytest.mark.skipif(os.geteuid() != 0, reason='reads the memory of other processes: needs root')
def test_secrets_are_nowhere_else(own_gate):
    gate, vault = own_gate, own_gate.state / 'keeper'
    passphrase = (gate.state / 'keeper.passphrase').read_bytes().strip()
    vault_id, kek, lasting = open_header(vault, passphrase)
    device_key, service_key = (open_key(vault, name, vault_id, kek) for name in ('ca-devices', 'ca-services'))
    secrets = {'passphrase': passphrase, 'KEK': kek, 'lasting key': lasting, 'ca-devices': device_key,
               'ca-services': service_key}
    assert gate.device().hello().status == 200  # both CAs' keys are in use
    gate.cli('vault', 'rekey', 'main')
    assert holds(gate.process.pid, b'Example Maker'), 'the search finds what is there'
    assert holds(gate.keeper_pid(), lasting), 'the search finds it where it is'
    for name, octets in secrets.items():
        for form in (octets, octets.hex().encode(), octets[::-1]):
            assert not holds(gate.process.pid, form), f'{name} is in the memory of keywrightd'
            for path in gate.folder.rglob('*'):
                if path.is_file() and not (name == 'passphrase' and path.name == 'keeper.passphrase'):
                    assert form not in path.read_bytes(), f'{name} is in {path.name}'
    assert struct.unpack('>I', (vault / 'vault').read_bytes()[24:28])[0] >= 1
