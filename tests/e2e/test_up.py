"""What `make up` does once all is built: the story with a live session cut, going on, `make down`, and up again."""
import os
import pathlib
import re
import subprocess

import pytest
from harness import BUILD, SOURCE, need, run, until, words
from test_mqtt import MOSQUITTO, PLUGIN

pytestmark = [
    pytest.mark.skipif(need('swtpm', 'tpm2_readpublic', 'sqlite3', 'curl', 'mosquitto_pub') is not None,
                       reason='swtpm, tpm2-tools, sqlite3, curl or mosquitto-clients is not installed'),
    pytest.mark.skipif(not MOSQUITTO or not PLUGIN.exists(), reason='no mosquitto here, or built without mosquitto-dev'),
]


def first_port():
    """Of 40 that nobody has, below those that the kernel gives to connections."""
    from harness import free_ports
    return free_ports(1)[0] // 40 * 40 + 80


class Trial:
    def __init__(self, folder):
        self.state = folder / 'state'
        self.env = {'BUILD': str(BUILD), 'KEYWRIGHT_STATE': str(self.state), 'KEYWRIGHT_FIRST_PORT': str(first_port())}

    def do(self, *command):
        done = run(*command, env=self.env, timeout=120, check=False, cwd=SOURCE)
        assert done.returncode == 0, words(done)
        return done.stdout

    def up(self):
        return self.do('tools/up')

    def down(self):
        return self.do('tools/down')

    def running(self):
        """Programs that were started with its folder."""
        found = []
        for process in pathlib.Path('/proc').glob('[0-9]*'):
            try:
                if str(self.state).encode() in (process / 'cmdline').read_bytes():
                    found.append((process / 'comm').read_text().strip())
            except OSError:
                continue  # it ended meanwhile
        return sorted(found)

    def said(self, program, text):
        return len(re.findall(text, (self.state / f'home/{program}.log').read_text(), re.M))


@pytest.fixture(name='trial')
def one_trial(tmp_path):
    one = Trial(tmp_path)
    yield one
    subprocess.run([SOURCE / 'tools/down'], env=dict(os.environ, **one.env), check=False, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_up_down_and_up_again(trial):
    first = trial.up()
    assert first.count('claims, all of them checked') == 2 and '✗' not in first
    assert re.search(r'✓ its live session was cut, \d+ ms after the command began', first), first
    assert 'SIMULATED' in first and 'To stop: make down' in first
    assert {'keywrightd', 'mosquitto', 'home-hub', 'home-cloud'} <= set(trial.running()), trial.running()
    assert 'swtpm' not in trial.running()
    again = trial.up()
    assert '✓' not in again and 'Keywright is running.' in again, 'what runs is left alone, and the story is told once'
    for program in ('hub', 'cloud'):
        until(f'the {program} has its line', lambda one=program: trial.said(one, '^line up'))
    assert 'stopped' in trial.down()
    assert trial.running() == []
    ups = trial.said('hub', '^line up')
    assert '✓' not in trial.up()
    until('the hub is there again', lambda: trial.said('hub', '^line up') > ups)
    trial.down()
    assert trial.running() == []
