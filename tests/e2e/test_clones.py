"""Two devices with one identity: the heartbeat tells, both are put in quarantine, an operator decides."""
import shutil

import pytest
from harness import Agent, words


@pytest.fixture
def agent(gate, tmp_path):
    return Agent(gate, tmp_path / 'one', gate.new_id('CLN')).join()


def copy_of(agent, folder):
    shutil.copytree(agent.folder, folder)
    return Agent(agent.gate, folder, agent.id)


def state_of(gate, agent):
    return gate.json('device', 'show', agent.id)['state']


def events_of(gate, agent):
    return [entry['type'] for _, entry in gate.log_entries() if entry.get('object') == f'device:{agent.id}']


def test_a_copied_state_folder(gate, agent, tmp_path):
    agent.do('hello')
    twin = copy_of(agent, tmp_path / 'two')
    done = [one.do('hello', check=False).returncode for one in (agent, twin, agent, twin)]
    assert 0 in done and any(done), done  # the first of them is nobody's fault yet
    assert state_of(gate, agent) == 'suspended'
    assert agent.do('hello', check=False).returncode != 0
    assert twin.do('hello', check=False).returncode != 0
    assert agent.do('renew', '--force', check=False).returncode != 0
    seen = events_of(gate, agent)
    assert seen.count('device.clone') == 1 and seen.count('device.suspend') == 1

    refused = gate.cli('device', 'resume', agent.id, check=False)
    assert refused.returncode != 0 and 'reason' in words(refused)
    gate.cli('device', 'resume', agent.id, '--reason', 'the copy was found and erased')
    agent.do('hello')
    agent.do('hello')
    assert state_of(gate, agent) == 'active'
    assert twin.do('hello', check=False).returncode != 0  # it was not erased after all
    assert state_of(gate, agent) == 'suspended'


def test_what_one_device_does_is_no_clone(gate, agent):
    """An answer that was lost, a new certificate, the certificate before it, the birth identity."""
    kept = {path: path.read_bytes() for path in agent.state.glob('heartbeat-*')}
    agent.do('hello')
    for path, octets in kept.items():  # cut between the answer and the next heartbeat
        path.write_bytes(octets)
    agent.do('hello')
    for path in agent.state.glob('heartbeat-*'):  # either of the two is damaged
        path.write_bytes(path.read_bytes()[:-1])
        agent.do('hello')
    agent.do('renew', '--force')
    for identity in ('previous', 'idevid', 'current'):
        agent.do('hello', '--with', identity)
    assert state_of(gate, agent) == 'active'


def test_a_new_life_after_a_wipe(gate, agent):
    agent.do('hello')
    agent.do('wipe')
    agent.put_secret(gate.json('device', 'secret', agent.id)['secret'])
    agent.enrol()
    agent.do('hello')
    assert state_of(gate, agent) == 'active'


def test_an_old_snapshot_is_put_back(gate, agent, tmp_path):
    shutil.copytree(agent.state, tmp_path / 'snapshot')
    for _ in range(3):
        agent.do('hello')
    shutil.rmtree(agent.state)
    shutil.copytree(tmp_path / 'snapshot', agent.state)
    assert agent.do('hello', check=False).returncode != 0
    assert 'device.clone' in events_of(gate, agent)
