"""The log: verified from files alone, by us and by Go's own code; whole, readable, and without a secret."""
import json
import os
import re
import shutil

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from harness import KEYWRIGHT, SOURCE, fingerprint, run, words


@pytest.fixture(scope='module')
def story(gate):
    """Devices that lived, so that the log has something to tell."""
    device = gate.device()
    device.hello()
    device.renew()
    gate.cli('cert', 'revoke', fingerprint(device.ldevid.cert), '--reason', 'keyCompromise')
    other = gate.device()
    gate.cli('device', 'retire', other.id)
    gate.enrol(b'x', secret=(gate.register()[0], 'wrong'))
    return device


@pytest.fixture
def export(gate, story, tmp_path):
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    return tmp_path / 'log'


def test_verify(gate, export):
    said = gate.cli('log', 'verify', export).stdout
    assert 'verify' in said and 'entries' in said
    shown = json.loads(gate.cli('log', 'verify', export, '--json').stdout)
    assert shown['ok'] is True and shown['size'] >= 20
    gate.cli('log', 'verify')


def test_offline_with_the_public_key_alone(gate, export):
    """No credential, no server: another user in an empty place."""
    vkey = (export / 'vkey').read_text().strip()
    done = run('env', '-i', KEYWRIGHT, 'log', 'verify', export, '--vkey', vkey)
    assert 'verify' in done.stdout
    other = vkey[:-4] + ('AAAA' if not vkey.endswith('AAAA') else 'BBBB')
    assert run('env', '-i', KEYWRIGHT, 'log', 'verify', export, '--vkey', other, check=False).returncode != 0


def test_go_judges(gate, export):
    def judge():
        done = run(SOURCE / 'tests/interop/tlog/judge', 'export', export, check=False, timeout=300)
        if done.returncode == 77:
            pytest.skip(words(done).strip())
        return words(done)
    assert judge().startswith('OK')
    flip(files_of(export / 'tile/entries')[0], 30)
    assert 'REFUSED' in judge()


def flip(path, at):
    octets = bytearray(path.read_bytes())
    octets[at % len(octets)] ^= 1
    path.write_bytes(octets)


def files_of(folder):
    return sorted(path for path in folder.rglob('*') if path.is_file())


def test_every_changed_file_is_found(gate, export):
    for path in files_of(export):
        was = path.read_bytes()
        for at in (0, len(was) // 2, len(was) - 2, len(was) * 2 // 3):
            flip(path, at)
            done = gate.cli('log', 'verify', export, check=False)
            assert done.returncode != 0 and done.stderr.strip(), f'{path.name}: octet {at} changed, not found'
            path.write_bytes(was)
        shorter = was.rstrip(b'\n') if path.name == 'vkey' else was  # its line end says nothing
        for other in (shorter[:-1], was[:len(was) // 2], b'', was + b'\0'):
            path.write_bytes(other)
            done = gate.cli('log', 'verify', export, check=False)
            assert done.returncode != 0, f'{path.name}: {len(other)} instead of {len(was)} octets, not found'
        path.unlink()
        assert gate.cli('log', 'verify', export, check=False).returncode != 0, f'{path.name} is missing, not found'
        path.write_bytes(was)
    gate.cli('log', 'verify', export)


def test_an_older_head_does_not_hide_entries(gate, export, tmp_path):
    """Two exports: the checkpoint of the one does not fit the tiles of the other, where they differ."""
    gate.register()
    gate.cli('log', 'export', '--out', tmp_path / 'later')
    gate.cli('log', 'verify', tmp_path / 'later')
    shutil.copy(tmp_path / 'later/checkpoint', export / 'checkpoint')
    assert gate.cli('log', 'verify', export, check=False).returncode != 0


def test_prove(gate, story):
    rows = gate.log_entries(50)
    for index, entry in (rows[0], rows[-1], rows[len(rows) // 2]):
        said = gate.cli('log', 'prove', index).stdout
        assert f'entry {index} is in the log' in said and entry['id'] in said
    assert gate.cli('log', 'prove', 10 ** 6, check=False).returncode == 3
    assert gate.cli('log', 'prove', 'x', check=False).returncode != 0


# What other tests of this server may have done is in its log too.
KINDS = ('access', 'approval', 'attest', 'backup', 'batch', 'cert', 'crl', 'data', 'device', 'keeper', 'key', 'log', 'request',
         'revoke', 'station', 'system', 'vault')


def test_fields(gate, story):
    """IoT-1006-1 5.6.1.1: time, source, category, type, id, result; ISO 8601 in UTC."""
    rows = gate.log_entries()
    assert len({entry['id'] for _, entry in rows}) == len(rows)
    for _, entry in rows:
        assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z', entry['time'])
        assert re.fullmatch(r'[0-9a-f]{16}', entry['id'])
        for field in ('source', 'category', 'type', 'result', 'actor'):
            assert entry[field], f'{field} of {entry}'
        assert entry['type'].split('.')[0] in KINDS, entry['type']
    assert [index for index, _ in rows] == sorted(index for index, _ in rows)
    types = {entry['type'] for _, entry in rows}
    assert {'system.init', 'system.start', 'key.generate', 'device.register', 'cert.issue', 'cert.renew', 'cert.revoke',
            'device.retire', 'device.hello'} <= types


def test_who_did_it(gate, story):
    entries = [entry for _, entry in gate.log_entries() if story.id in json.dumps(entry)]
    actors = {entry['type']: entry['actor'] for entry in entries}
    assert actors['device.register'] == actors['cert.revoke'] == 'operator:admin'
    assert actors['cert.renew'] == f'device:{story.id}'


def test_public_half(gate, story):
    """Checkpoint and hashes for anybody, entries for operators."""
    head = gate.ask('relying', 'GET', '/log/checkpoint')
    assert head.status == 200 and head.text.startswith('localhost/keywright\n')
    size = int(head.text.splitlines()[1])
    width = size % 256
    path = f'/log/tile/0/000.p/{width}' if size < 256 else '/log/tile/0/000'
    tile = gate.ask('relying', 'GET', path)
    assert tile.status == 200 and len(tile.body) == 32 * (width if size < 256 else 256)


def state_files(gate):
    return [path for path in gate.state.rglob('*') if path.is_file()] + [gate.log_path]


def memory_of(pid):
    """All that a process has in memory and may be read by root."""
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb') as mem:
        for line in maps:
            first, last = (int(part, 16) for part in line.split()[0].split('-'))
            if 'r' not in line.split()[1] or '[v' in line:
                continue
            try:
                mem.seek(first)
                yield mem.read(last - first)
            except (OSError, ValueError):
                continue


def test_no_secret_anywhere(own_gate, tmp_path):
    """Canaries: what is secret is in its own file, or nowhere."""
    gate = own_gate
    passphrase = (gate.state / 'keeper.passphrase').read_bytes().strip()
    used, unused = gate.device(), gate.register()
    wrong = 'CANARY-WRONG-SECRET'
    assert gate.enrol(b'x' * 10, secret=(unused[0], wrong)).status in (400, 401)
    used.hello()
    operator = load_pem_private_key(gate.operator.key_file.read_bytes(), None)
    number = operator.private_numbers().private_value.to_bytes(32, 'big')
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    canaries = {'passphrase': passphrase, 'used secret': used.secret.encode(), 'unused secret': unused[1].encode(),
                'wrong secret': wrong.encode(), 'operator key': number}
    own_files = {'passphrase': gate.state / 'keeper.passphrase', 'operator key': gate.operator.key_file}
    for path in state_files(gate) + [path for path in (tmp_path / 'log').rglob('*') if path.is_file()]:
        octets = path.read_bytes()
        for name, canary in canaries.items():
            assert canary not in octets or own_files.get(name) == path, f'{name} is in {path.name}'
    if os.geteuid() == 0:
        for octets in memory_of(gate.process.pid):
            assert passphrase not in octets, 'the passphrase is in the memory of keywrightd'
            assert number not in octets


def test_modes_of_secret_files(gate):
    for path in gate.state.rglob('*'):
        secret = path.name in ('keeper.passphrase', 'operator.key') or path.parent.name == 'keeper'
        if secret and path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path.name
    for path in gate.offline.rglob('*'):
        assert path.stat().st_mode & 0o077 == 0 or path.suffix == '.pem', path.name
