"""What the running keeper and server have given up, seen from outside."""
import os
import pathlib
import pwd
import shutil
import signal
import stat
import tempfile

import pytest

from harness import BUILD, KEEPER, KEYWRIGHT, KEYWRIGHTD, Gate, run, until

SERVER_USER, KEEPER_USER = 'nobody', 'daemon'
SANITIZED = b'__asan_init' in KEEPER.read_bytes() or b'__tsan_init' in KEEPER.read_bytes()


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(':') for line in lines)}


def effective_user(pid):
    return pwd.getpwuid(int(status_of(pid)['Uid'].split()[1])).pw_name


def core_limit(pid):
    for line in pathlib.Path(f'/proc/{pid}/limits').read_text().splitlines():
        if line.startswith('Max core file size'):
            return line.split()[4:6]
    raise AssertionError('no limit of core files')


def as_user(name, *command):
    return run('setpriv', '--reuid', name, '--regid', str(pwd.getpwnam(name).pw_gid), '--clear-groups', *command,
               check=False)


def everybody_reaches(path):
    return all(stat.S_IMODE(folder.stat().st_mode) & 0o001 for folder in [path, *path.parents])


@pytest.fixture(scope='module', name='confined')
def a_running_gate():
    """Under users of their own where we are root; where not, all is one user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='kw-confined-'))
    folder.chmod(0o755)
    root = os.geteuid() == 0
    if root and not everybody_reaches(KEEPER):
        pytest.skip(f'other users cannot run the programs of {BUILD}')
    options = ['--user', SERVER_USER, '--keeper-user', KEEPER_USER] if root else []
    gate = Gate(folder, *options)
    gate.start()
    yield gate
    gate.stop()
    shutil.rmtree(folder)


def pids(gate):
    return {'keeper': gate.keeper_pid(), 'server': gate.process.pid}


@pytest.mark.parametrize('program', ['keeper', 'server'])
def test_no_new_privileges_no_core_files(confined, program):
    pid = pids(confined)[program]
    assert status_of(pid)['NoNewPrivs'] == '1'
    assert core_limit(pid) == ['0', '0']


@pytest.mark.skipif(SANITIZED, reason='no filter under sanitizers: their run-time makes calls of its own')
@pytest.mark.parametrize('program', ['keeper', 'server'])
def test_every_thread_is_filtered(confined, program):
    pid = pids(confined)[program]
    threads = list(pathlib.Path(f'/proc/{pid}/task').iterdir())  # all of them stay
    assert {status_of(f'{pid}/task/{thread.name}')['Seccomp'] for thread in threads} == {'2'}


def test_the_journal_says_what_is_on(confined):
    # it answers before it has said so
    line = until('it is said', lambda: next((line for line in confined.log().splitlines() if ' confined: ' in line), None))
    server, keeper = line.split('; ')
    for half, pid in ((server, confined.process.pid), (keeper, confined.keeper_pid())):
        assert f"user {status_of(pid)['Uid'].split()[1]}" in half
        assert (', seccomp' in half) == (status_of(pid)['Seccomp'] == '2')
    assert ('NOT a user of its own' in keeper) == (os.geteuid() != 0)


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can start programs as other users')
class TestUsers:
    def test_each_its_own(self, confined):
        of = pids(confined)
        assert effective_user(of['server']) == SERVER_USER
        assert effective_user(of['keeper']) == KEEPER_USER
        for pid in of.values():
            assert set(status_of(pid)['Uid'].split()) == {str(pwd.getpwnam(effective_user(pid)).pw_uid)}
            assert int(status_of(pid)['CapEff'], 16) == 0

    def test_the_starter_has_few_capabilities(self, confined):
        starter = confined.child_pid('keywright-start')
        kill_setgid_setuid = 1 << 5 | 1 << 6 | 1 << 7
        assert int(status_of(starter)['CapEff'], 16) == kill_setgid_setuid

    def test_the_server_cannot_reach_vault_or_memory(self, confined):
        keeper = confined.keeper_pid()
        for path in [confined.state / 'keeper/vault', confined.state / 'keeper.passphrase', f'/proc/{keeper}/mem',
                     f'/proc/{keeper}/maps', confined.state / 'admin/operator.key']:
            assert as_user(SERVER_USER, 'cat', path).returncode != 0, path
            assert run('cat', path, check=False, text=False).returncode in (0, 1)  # it is there
        # nor put another one in its place, nor choose who becomes whom
        assert as_user(SERVER_USER, 'mv', confined.state / 'keeper', confined.state / 'other').returncode != 0
        assert not os.access(confined.state / 'other', os.F_OK)
        assert as_user(SERVER_USER, 'sh', '-c', f'echo >> {confined.state}/keywright.yaml').returncode != 0
        assert as_user(SERVER_USER, 'kill', '-0', str(keeper)).returncode != 0

    def test_not_even_its_own_user_reads_its_memory(self, confined):
        keeper = confined.keeper_pid()
        assert as_user(KEEPER_USER, 'cat', f'/proc/{keeper}/mem').returncode != 0
        assert as_user(KEEPER_USER, 'cat', f'/proc/{keeper}/environ').returncode != 0

    def test_a_killed_keeper_comes_back_as_its_user(self, confined):
        before = confined.keeper_pid()
        os.kill(before, signal.SIGKILL)
        after = until('a new keeper', lambda: confined.keeper_pid() if confined.keeper_pid() != before else None)
        until('health', confined.healthy)
        assert effective_user(after) == KEEPER_USER
        if not SANITIZED:
            assert status_of(after)['Seccomp'] == '2'

    def test_it_all_ends_together(self, confined):
        of = [confined.process.pid, confined.keeper_pid(), confined.child_pid('keywright-start')]
        confined.kill()
        until('the end of all', lambda: not any(os.path.exists(f'/proc/{pid}') for pid in of[1:]))
        confined.start()
        assert effective_user(confined.keeper_pid()) == KEEPER_USER

    @pytest.mark.parametrize('verb', ['restore accept-loss', 'backup keys'])
    def test_what_a_failed_ceremony_wrote_is_theirs(self, confined, verb, tmp_path):
        command = [KEYWRIGHT, *verb.split(), '--state', confined.state, '--keeper', KEEPER]
        confined.stop()
        if verb == 'backup keys':
            command += ['--shares', '2,3', '--out', tmp_path / 'shares']
            run(*command)  # as if it waited for an approval
            command += ['--approval', 'no number']
        else:
            command += ['--reason', 'nothing was lost']
        done = run(*command, check=False)
        assert done.returncode != 0
        assert 'nothing is missing' in done.stderr or '--approval' in done.stderr, done.stderr
        for folder, user in (('keeper', KEEPER_USER), ('store', SERVER_USER), ('run', SERVER_USER)):
            files = (confined.state / folder).rglob('*')
            assert {path.owner() for path in files} <= {user}, folder
        confined.start()
        until('health', confined.healthy)


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can start programs as other users')
def test_a_user_that_is_not_there_is_said(tmp_path):
    done = run(BUILD / 'src/cmd/keywright/keywright', 'init', '--state', tmp_path / 's', '--offline', tmp_path / 'o',
               '--user', 'nobody', '--keeper-user', 'no-such-user', check=False)
    assert done.returncode != 0
    assert 'no-such-user' in done.stderr
    assert KEYWRIGHTD.exists() and not (tmp_path / 's.init').exists()
