"""The root ceremony: once, whole or not at all; and a vault that a TPM opens."""
import pathlib
import shutil
import subprocess

import pytest
from harness import KEEPER, KEYWRIGHT, KEYWRIGHTD, SOURCE, Gate, Tpm, free_ports, run, words


def init(folder, *options, profiles=SOURCE / 'profiles', check=False, **how):
    ports = ','.join(map(str, free_ports(3)))
    return run(KEYWRIGHT, 'init', '--state', folder / 'state', '--offline', folder / 'offline', '--profiles', profiles,
               '--keeper', KEEPER, '--ports', ports, *options, check=check, **how)


def left(folder):
    """Files that are there, without empty folders."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_what_it_makes(tmp_path):
    done = init(tmp_path, check=True)
    assert 'root' in done.stdout and 'offline' in done.stdout
    offline = [path.name for path in (tmp_path / 'offline').iterdir()]
    assert 'root.key.sealed' in offline and len([name for name in offline if 'share' in name]) == 3
    state = left(tmp_path / 'state')
    assert not [name for name in state if 'share' in name or 'root.key' in name], 'the root key is not in the state'
    assert (tmp_path / 'state/keeper.passphrase').stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / 'state.init').exists()
    text = run('openssl', 'x509', '-in', tmp_path / 'state/certs/root.pem', '-noout', '-text').stdout
    assert 'CA:TRUE' in text


def test_twice(tmp_path):
    init(tmp_path, check=True)
    before = {name: (tmp_path / name).read_bytes() for name in left(tmp_path)}
    again = init(tmp_path)
    assert again.returncode == 1 and 'not empty' in again.stderr and 'nothing was changed' in again.stderr
    assert {name: (tmp_path / name).read_bytes() for name in left(tmp_path)} == before


def test_offline_folder_in_use(tmp_path):
    init(tmp_path, check=True)
    before = (tmp_path / 'offline/root.key.sealed').read_bytes()
    done = run(KEYWRIGHT, 'init', '--state', tmp_path / 'other', '--offline', tmp_path / 'offline', '--profiles',
               SOURCE / 'profiles', '--keeper', KEEPER, check=False)
    assert done.returncode == 1 and 'holds a root key already' in done.stderr
    assert (tmp_path / 'offline/root.key.sealed').read_bytes() == before and not left_in(tmp_path / 'other')


def left_in(folder):
    return left(folder) if folder.exists() else []


def broken_profiles(tmp_path):
    shutil.copytree(SOURCE / 'profiles', tmp_path / 'profiles')
    path = sorted((tmp_path / 'profiles').rglob('ldevid*.yaml'))[0]
    path.write_text(path.read_text() + '\nnonsense: 1\n')
    return path.parent


FAILURES = {
    'no profiles': dict(profiles=pathlib.Path('/nowhere')),
    'bad profile': dict(profiles=broken_profiles),
    'ports': dict(options=('--ports', '1,2')), 'port too high': dict(options=('--ports', '1,2,70000')),
    'ports are words': dict(options=('--ports', 'a,b,c')),
    'shares': dict(options=('--shares', '3,2')), 'one share': dict(options=('--shares', '1,1')),
    'many shares': dict(options=('--shares', '2,99')),
    'unlock': dict(options=('--unlock', 'magic')), 'no passphrase file': dict(options=('--unlock', 'passphrase-file:/nowhere')),
    'no TPM': dict(options=('--unlock', 'tpm2:dir=TMP/t,tcti=swtpm:host=127.0.0.1,port=1')),
    'no keeper': dict(options=('--keeper', '/nowhere/keeper')),
    'keeper that is none': dict(options=('--keeper', '/bin/true')),
    'organization': dict(options=('--organization', 'a"b')), 'long organization': dict(options=('--organization', 'x' * 300)),
    'empty operator': dict(options=('--operator', '')), 'unknown option': dict(options=('--nonsense', 'x')),
    'server name': dict(options=('--server-name', 'a b"c')),
    'too much': dict(options=('again',)),
}


@pytest.mark.parametrize('what', FAILURES)
def test_failure_leaves_nothing(tmp_path, what):
    """One line that says why; then the same command without the fault works."""
    how = dict(FAILURES[what])
    options = [word.replace('TMP', str(tmp_path)) for word in how.pop('options', ())]
    if callable(how.get('profiles')):
        how['profiles'] = how['profiles'](tmp_path)
    (tmp_path / 'place').mkdir()
    done = init(tmp_path / 'place', *options, timeout=60, **how)
    assert done.returncode in (1, 2, 3, 4), (done.returncode, words(done))
    assert len(done.stderr.strip().splitlines()) >= 1 and '.c:' not in done.stderr
    assert left(tmp_path / 'place') == []
    init(tmp_path / 'place', check=True)


# what stands in ldevid.yaml instead: where the fault is, what is said
MISTAKES = {
    'ra: false': ('ra: yes', "line 12: field 'ra' must be true or false"),
    'validity_hours: 2160': ('validity_hours: 90d', "line 21: field 'validity_hours' must be a whole number"),
    'key_algs: [ec-p256, ec-p384]': ('key_algs: [ec-p512]', 'line 27: key_algs'),
    'key_class: device-ldevid': ('key_class: device-ldevid\nsubject_dn: ["O={organization}", "CN={id}"]', 'line 19: subject_dn'),
    'eku: [1.3.6.1.5.5.7.3.2]': ('eku: [1.3.6.1.5.5.7.3.1]', 'alternative names'),
    'crl_url: true\nocsp_url: true': ('crl_url: false\nocsp_url: false', 'line 34: crl_url: nothing says where'),
}


@pytest.mark.parametrize('line', MISTAKES)
def test_a_mistake_in_a_profile_is_told_with_its_line(tmp_path, line):
    """Before a key is made: what no certificate could be issued by is no profile."""
    shutil.copytree(SOURCE / 'profiles', tmp_path / 'profiles')
    path, (instead, says) = tmp_path / 'profiles/ldevid.yaml', MISTAKES[line]
    assert line in path.read_text()
    path.write_text(path.read_text().replace(line, instead))
    done = init(tmp_path, profiles=tmp_path / 'profiles')
    assert done.returncode != 0 and 'ldevid.yaml' in done.stderr and says in done.stderr, done.stderr


def test_two_profiles_for_who_names_none(tmp_path):
    """A copy under another name would be what devices get, or not, by the files' names."""
    shutil.copytree(SOURCE / 'profiles', tmp_path / 'profiles')
    text = (tmp_path / 'profiles/ldevid.yaml').read_text()
    (tmp_path / 'profiles/plant.yaml').write_text(text.replace('name: ldevid', 'name: plant'))
    done = init(tmp_path, profiles=tmp_path / 'profiles')
    assert done.returncode != 0 and "leads to profile 'ldevid' already" in done.stderr, done.stderr


def test_interrupted(tmp_path):
    """Killed in the middle: nothing that looks finished, and the next one works."""
    for wait in (0.02, 0.1, 0.3):
        child = subprocess.Popen([KEYWRIGHT, 'init', '--state', tmp_path / 'state', '--offline', tmp_path / f'off{wait}',
                                  '--profiles', SOURCE / 'profiles', '--keeper', KEEPER], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(wait)
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert not (tmp_path / 'state/keywright.yaml').exists()
    if not (tmp_path / 'state/keywright.yaml').exists():
        run(KEYWRIGHT, 'init', '--state', tmp_path / 'state', '--offline', tmp_path / 'off', '--profiles',
            SOURCE / 'profiles', '--keeper', KEEPER)
    assert (tmp_path / 'state/keywright.yaml').exists() and not (tmp_path / 'state.init').exists()


def test_server_without_a_state(tmp_path):
    done = run(KEYWRIGHTD, '--state', tmp_path, '--keeper', KEEPER, check=False)
    assert done.returncode == 1 and "run 'keywright init' first" in done.stderr
    for args in ([], ['--nonsense'], ['--state', tmp_path, 'more']):
        assert run(KEYWRIGHTD, *args, check=False).returncode == 2


def test_wrong_passphrase(tmp_path):
    gate = Gate(tmp_path / 'gate')
    path = gate.state / 'keeper.passphrase'
    right = path.read_text()
    for wrong in ('x' * 32, '', 'short'):
        path.write_text(wrong)
        gate.start(wait=False)
        assert gate.process.wait(60) == 1
        assert right not in gate.log() and 'x' * 32 not in gate.log()
    assert 'passphrase' in gate.log()
    path.write_text(right)
    gate.start()
    assert gate.stop() == 0


def test_port_in_use(own_gate, tmp_path):
    other = Gate(tmp_path / 'other', ports=own_gate.ports)
    other.start(wait=False)
    assert other.process.wait(60) == 1
    assert str(own_gate.ports[0]) in other.log() and 'in use' in other.log()
    assert own_gate.healthy()


def test_damaged_state_files(tmp_path):
    """Each important file destroyed in turn: a clear end, never a crash."""
    gate = Gate(tmp_path / 'gate')
    gate.start()
    gate.stop()
    for name in ('keywright.yaml', 'certs/root.pem', 'certs/ca-devices.pem', 'certs/tls-server.pem', 'store/keywright.db',
                 'profiles/idevid.yaml'):
        (path,) = [one for one in gate.state.rglob(pathlib.Path(name).name) if str(one).endswith(name)] or \
            [one for one in gate.state.rglob('*idevid*.yaml')][:1]
        was = path.read_bytes()
        for octets in (b'', b'\xff' * 200, was[:len(was) // 2]):
            path.write_bytes(octets)
            gate.start(wait=False)
            try:
                code = gate.process.wait(20)
            except subprocess.TimeoutExpired:
                code = gate.stop()
                assert code == 0 and name.startswith('store'), f'{name} destroyed, and the server starts'
            assert code in (0, 1), f'{name} destroyed: exit {code}'
        path.write_bytes(was)
    gate.start()
    assert gate.stop() == 0


def test_vault_opened_by_a_tpm(tpm, tmp_path):
    gate = Gate(tmp_path / 'gate', '--unlock', f'tpm2:dir={tmp_path}/vault-tpm,tcti={tpm.tcti}')
    assert not (gate.state / 'keeper.passphrase').exists()
    gate.start()
    assert gate.device().hello().status == 200
    gate.kill()
    gate.start()
    assert gate.stop() == 0

    other = Tpm(tmp_path / 'other')
    try:
        config = gate.state / 'keywright.yaml'
        was = config.read_text()
        config.write_text(was.replace(f'port={tpm.port}', f'port={other.port}'))
        gate.start(wait=False)
        assert gate.process.wait(60) == 1, 'it must not start with another TPM'
        assert 'TPM' in gate.log() or 'tpm' in gate.log()
        last = gate.log().strip().splitlines()[-1]
        assert 'ended' in last, last
        config.write_text(was)
    finally:
        other.stop()
    gate.start()
    assert gate.stop() == 0
