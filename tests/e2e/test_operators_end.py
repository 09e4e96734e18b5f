"""The last operator's certificate ends: it is told before, and there is a way back in."""
import shutil

from harness import KEEPER, KEYWRIGHT, SOURCE, Gate, run, words

DAY_S = 86400


def later(days):
    return {'KEYWRIGHT_TEST_CLOCK_OFFSET_S': str(days * DAY_S)}


def short_profiles(folder):
    profiles = folder / 'profiles'
    shutil.copytree(SOURCE / 'profiles', profiles)
    operator = profiles / 'operator.yaml'
    text = operator.read_text()
    assert 'validity_hours: 8760\n' in text
    operator.write_text(text.replace('validity_hours: 8760\n', 'validity_hours: 480\n'))
    return profiles


def new_request(folder):
    folder.mkdir()
    run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', folder / 'operator.key',
        '-subj', '/CN=ignored', '-out', folder / 'operator.csr')
    return folder / 'operator.csr'


def test_the_last_one_ends(tmp_path):
    gate = Gate(tmp_path / 'gate', '--profiles', short_profiles(tmp_path))
    gate.start()
    told = gate.cli('doctor', check=False)
    assert 'no operator\'s certificate is good for 30 days' in told.stdout, words(told)
    assert 'ends in 19 days' in told.stderr and '--profile operator' in told.stderr, told.stderr

    def restore(*more, check=True):
        return run(KEYWRIGHT, 'restore', 'operator', '--state', gate.state, '--keeper', KEEPER, *more, check=check, env=later(21))
    own = gate.state / 'admin-second'
    csr = new_request(own)
    wanted = '--csr', csr, '--out', own / 'operator.pem'
    done = restore('--name', 'second', *wanted, check=False)
    assert done.returncode == 4 and not (own / 'operator.pem').exists(), 'the server has the store: ' + words(done)
    assert gate.stop() == 0

    gate.env = later(21)
    gate.start()
    done = run(KEYWRIGHT, 'device', 'list', check=False, env={'KEYWRIGHT_ADMIN': str(gate.state / 'admin'), **later(21)})
    assert done.returncode != 0 and 'has ended' in done.stderr and 'restore operator' in done.stderr, words(done)
    assert gate.stop() == 0
    first = restore('--name', 'admin', *wanted, check=False)
    assert first.returncode == 1 and 'operator:admin' in first.stderr, 'nobody gets another\'s name: ' + words(first)
    assert restore('--csr', csr, check=False).returncode == 2
    done = restore('--name', 'second', *wanted)
    assert 'operator:second' in done.stderr, words(done)

    gate.start()
    for name in ('root.pem', 'server'):
        shutil.copy(gate.state / 'admin' / name, own / name)
    env = {'KEYWRIGHT_ADMIN': str(own), **later(21)}
    assert run(KEYWRIGHT, 'device', 'list', env=env).returncode == 0
    run(KEYWRIGHT, 'log', 'verify', env=env)
    entries = run(KEYWRIGHT, 'log', 'tail', env=env).stdout
    assert 'local:' in entries and 'operator:second' in entries
    assert run(KEYWRIGHT, 'doctor', env=env, check=False).returncode == 0
    assert gate.stop() == 0
