"""A TPM (swtpm, SIMULATED) that is full, locked, cleared or restarted: the device says what it is and what to do, and
nothing of it ends an identity that is still there."""
import signal
import subprocess
import threading

import pytest
from harness import AGENT, Agent, fingerprint, until, words

UNAVAILABLE, LOST = 4, 6


@pytest.fixture
def agent(gate, tpm, tmp_path):
    one = Agent(gate, tmp_path / 'agent', gate.new_id('TPMF'))
    one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.join()
    return one


def fill(tpm, folder):
    """Other programs' objects in every slot; these tools leave them where no resource manager is."""
    for i in range(3):
        tpm.tool('tpm2_createprimary', '-C', 'o', '-c', folder / f'{i}.ctx')
    assert '0x80000002' in tpm.tool('tpm2_getcap', 'handles-transient').stdout


def test_full_slots_are_waited_for(gate, agent, tpm, tmp_path):
    fill(tpm, tmp_path)
    done = agent.do('hello', check=False)
    assert done.returncode == UNAVAILABLE, words(done)
    assert '0x902' in done.stderr and 'tpm2_flushcontext' in done.stderr, words(done)
    timer = threading.Timer(0.5, lambda: tpm.tool('tpm2_flushcontext', '-t'))
    timer.start()
    agent.do('hello')
    timer.join()


def test_full_slots_do_not_cut_a_renewal_short(gate, agent, tpm, tmp_path):
    before = fingerprint(agent.cert('ldevid'))
    fill(tpm, tmp_path)
    assert agent.do('renew', '--force', check=False).returncode == UNAVAILABLE
    tpm.tool('tpm2_flushcontext', '-t')
    agent.do('renew', '--force')
    assert fingerprint(agent.cert('ldevid')) != before
    agent.do('hello')


def test_lockout_of_others_does_not_concern_us(gate, agent, tpm, tmp_path):
    """Our keys are noDA: whoever guesses passwords of other keys does not lock the device out."""
    tpm.tool('tpm2_dictionarylockout', '--setup-parameters', '--max-tries=1', '--recovery-time=1000',
             '--lockout-recovery-time=1000')
    key = tmp_path / 'theirs.ctx'
    tpm.tool('tpm2_createprimary', '-C', 'o', '-c', key, '-p', 'right')
    tpm.tool('tpm2_flushcontext', '-t')
    for password in ('wrong', 'right'):
        refused = tpm.tool('tpm2_create', '-C', key, '-P', password, '-u', tmp_path / 'u', '-r', tmp_path / 'r',
                           check=False)
        assert refused.returncode != 0
        tpm.tool('tpm2_flushcontext', '-t')
    assert '0x921' in words(refused).lower(), words(refused)  # the right one is refused: locked
    agent.do('hello')
    agent.do('renew', '--force')
    agent.do('hello')


def test_cleared_tpm_is_told_once_and_not_tried_for_ever(gate, agent, tpm, tmp_path):
    tpm.tool('tpm2_clear', '-c', 'p')
    done = agent.do('hello', check=False)
    assert done.returncode == LOST and 'cleared or replaced' in done.stderr, words(done)
    live = subprocess.run([AGENT, 'run', '--state', agent.state, '--interval', '0.05'], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=30, check=False)
    assert live.returncode == LOST, words(live)
    # the way on: what is left goes, and an operator's secret begins a new life
    agent.do('wipe', check=False)
    agent.put_secret(gate.json('device', 'secret', agent.id)['secret'])
    agent.enrol()
    agent.do('hello')


def test_restarted_tpm_is_no_fault(gate, agent, tpm):
    """Power is cut to the TPM alone: what is persistent is there again."""
    before = fingerprint(agent.cert('ldevid'))
    tpm.stop()
    assert agent.do('renew', '--force', check=False).returncode == UNAVAILABLE
    assert agent.do('hello', check=False).returncode == UNAVAILABLE
    port = tpm.port
    tpm.start()
    config = agent.state / 'config.json'
    config.write_text(config.read_text().replace(f'port={port}', f'port={tpm.port}'))
    agent.do('hello')
    assert fingerprint(agent.cert('ldevid')) == before


def hasty(gate, tpm, folder):
    """An agent with a short patience."""
    one = Agent(gate, folder, gate.new_id('TPMH'))
    one.rot = f'tpm2:dir={one.state}/tpm,timeout=1,tcti={tpm.tcti}'
    one.join()
    return one


@pytest.fixture
def stopped(tpm):
    """To stop it in the middle; it goes on in the end, or it could not be ended."""
    yield lambda: tpm.process.send_signal(signal.SIGSTOP)
    tpm.process.send_signal(signal.SIGCONT)


def test_a_tpm_that_hangs_is_said(gate, tpm, stopped, tmp_path):
    one = hasty(gate, tpm, tmp_path / 'agent')
    before = fingerprint(one.cert('ldevid'))
    stopped()
    for command in (['hello'], ['renew', '--force'], ['wipe']):
        done = one.do(*command, check=False)
        assert done.returncode == UNAVAILABLE, words(done)
        assert 'does not answer' in done.stderr and tpm.tcti in done.stderr, words(done)
    tpm.process.send_signal(signal.SIGCONT)
    one.do('hello')
    assert fingerprint(one.cert('ldevid')) == before


def test_run_survives_a_tpm_that_hangs(own_gate, tpm, stopped, tmp_path):
    """The connection that is there needs no TPM; the next one does, and the one after that works in the same process."""
    one = hasty(own_gate, tpm, tmp_path / 'agent')
    log = tmp_path / 'run.log'
    with open(log, 'wb') as out:
        live = subprocess.Popen([AGENT, 'run', '--state', one.state, '--interval', '0.05'], stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL)
    try:
        until('it says hello', lambda: log.read_text().count('hello\n') >= 2)
        stopped()
        own_gate.kill()
        own_gate.start()
        until('it notices', lambda: 'does not answer' in log.read_text())
        n = log.read_text().count('hello\n')
        tpm.process.send_signal(signal.SIGCONT)
        until('it says hello again', lambda: log.read_text().count('hello\n') > n, 60)
        live.terminate()
        assert live.wait(10) == 0, log.read_text()
    finally:
        live.kill()
        live.wait()
