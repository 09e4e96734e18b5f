"""A device's security events: recorded whatever happens, sent in order, and every alteration shows."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from harness import AGENT, Agent, run, until, words

RECORDS = 64  # where the first record of a file begins


@pytest.fixture
def agent(gate, tmp_path):
    return Agent(gate, tmp_path / 'one', gate.new_id('EVT')).join()


def held(gate, agent):
    """What the server has of it, all pages."""
    pages = gate.cli('device', 'events', agent.id, '--json').stdout.splitlines()
    return [item for page in pages for item in json.loads(page)['items']]


def types(events):
    return [one['type'] for one in events]


def local(agent):
    return [json.loads(line) for line in agent.do('events', '--json').stdout.splitlines()]


def alarms(gate, agent, kind):
    return [entry['detail'] for _, entry in gate.log_entries()
            if entry['type'] == kind and entry.get('object') == f'device:{agent.id}']


def test_what_happens_is_recorded_and_sent(gate, agent):
    agent.do('hello')
    agent.do('renew', '--force')
    agent.do('hello')
    events = held(gate, agent)
    assert types(events) == ['system.start', 'identity.enrol', 'identity.renew']
    assert [one['id'] for one in events] == [1, 2, 3]
    for one in events:  # the fields of 5.6.1.1
        assert one['time'].endswith('Z') and one['source'] == 'libkeywright' and one['category']
        assert one['result'] == 'success' and len(one['hash']) == 64
    assert [one['type'] for one in local(agent)] == types(events)
    assert 'identity.renew' in words(gate.cli('device', 'events', agent.id))
    assert not alarms(gate, agent, 'device.log_break') and not alarms(gate, agent, 'device.log_loss')


def test_nothing_is_sent_twice(gate, agent):
    for _ in range(3):
        agent.do('hello')
    assert types(held(gate, agent)) == ['system.start', 'identity.enrol']


def test_without_a_line(gate, agent):
    """What happens meanwhile waits, and comes in order."""
    agent.do('hello')
    for number in range(130):  # more than one request carries
        agent.do('record', 'app.door', '--name', f'opened, {number} ' + 'x' * 150)
    assert types(held(gate, agent)) == ['system.start', 'identity.enrol']
    agent.do('hello')
    assert [one['detail'] for one in held(gate, agent)] == [one['detail'] for one in local(agent)]
    assert len(held(gate, agent)) == 132
    assert not alarms(gate, agent, 'device.log_loss')


def test_a_refusal_cannot_flush_the_log(agent):
    (agent.folder / 'forged').write_bytes(b'{}')
    for _ in range(5):
        agent.do('unseal', str(agent.folder / 'forged'), check=False)
    assert types(local(agent)).count('data.refuse') == 1


def test_a_torn_end(gate, agent):
    """Whatever a power cut leaves of the last record: the log goes on behind the one before."""
    before = len(local(agent))
    whole = (agent.state / 'events-a').read_bytes()
    agent.do('record', 'app.door', '--name', 'opened')
    after = (agent.state / 'events-a').read_bytes()
    changed = [i for i in range(len(whole)) if whole[i] != after[i]]
    first, last = changed[0], changed[-1]
    for cut in range(first, last, 7):
        (agent.state / 'events-a').write_bytes(after[:cut] + whole[cut:])
        assert len(local(agent)) == before, cut
    agent.do('renew', '--force')
    agent.do('hello')
    assert types(held(gate, agent))[-1] == 'identity.renew'
    assert not alarms(gate, agent, 'device.log_break')


def test_an_altered_record(gate, agent):
    """An event that the server has is taken out of the device's log: the log does not go on as if nothing were."""
    agent.do('hello')
    path = agent.state / 'events-a'
    octets = bytearray(path.read_bytes())
    octets[RECORDS + 60] ^= 1
    path.write_bytes(octets)
    assert local(agent) == []
    agent.do('renew', '--force')
    agent.do('hello')
    assert alarms(gate, agent, 'device.log_break') or alarms(gate, agent, 'device.clone')


def test_the_log_is_lost(gate, agent):
    """Deleted files: ids go on behind what the server holds, and the break is told once."""
    agent.do('hello')
    for name in ('events-a', 'events-b'):
        (agent.state / name).unlink()
    agent.do('hello')
    agent.do('hello')
    events = held(gate, agent)
    assert types(events)[:2] == ['system.start', 'identity.enrol'] and 'log.damage' in types(events)
    assert [one['id'] for one in events] == sorted({one['id'] for one in events})
    assert len(alarms(gate, agent, 'device.log_break')) == 1
    assert gate.json('device', 'show', agent.id)['state'] == 'active'


def test_two_histories(gate, agent, tmp_path):
    """The same number with another content is a second device, or a rewritten log: quarantine."""
    agent.do('hello')
    shutil.copytree(agent.state, tmp_path / 'kept')
    agent.do('record', 'app.door', '--name', 'opened by force')
    agent.do('hello')
    for name in ('events-a', 'events-b'):
        shutil.copy(tmp_path / 'kept' / name, agent.state / name)
    agent.do('record', 'app.door', '--name', 'nothing happened')
    assert agent.do('hello', check=False).returncode != 0
    assert gate.json('device', 'show', agent.id)['state'] == 'suspended'
    assert 'two histories' in alarms(gate, agent, 'device.clone')[0]
    gate.cli('device', 'resume', agent.id, '--reason', 'a snapshot was put back by mistake')
    agent.do('hello')
    details = [one['detail'] for one in held(gate, agent)]
    assert 'opened by force' in details and 'nothing happened' in details


@pytest.fixture
def disk(tmp_path):
    """A tmpfs of 2 MiB; needs to be allowed to mount."""
    place = tmp_path / 'disk'
    place.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'keywright-test', place],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip('no small disk can be mounted here: ' + done.stderr.strip())
    yield place
    run('umount', '-l', place)


def fill(path):
    with open(path, 'wb', buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass


def test_a_full_disk(gate, disk):
    """The room was taken before: what happens on a full disk is recorded, and told."""
    agent = Agent(gate, disk / 'one', gate.new_id('EVT')).join()
    fill(disk / 'ballast')
    for number in range(20):
        agent.do('record', 'app.door', '--name', f'opened {number}')
    agent.do('hello')
    assert types(held(gate, agent)).count('app.door') == 20


def test_no_room_from_the_first(gate, agent):
    """A log that cannot be written stops nothing; the server is told of the loss."""
    agent.do('hello')
    for name in ('events-a', 'events-b'):
        (agent.state / name).unlink()
        (agent.state / name).mkdir()
    agent.do('renew', '--force')
    agent.do('hello')
    one = subprocess.Popen([AGENT, 'run', '--interval', '0.2', '--state', str(agent.state)], stdout=subprocess.DEVNULL,
                           env=dict(os.environ, KEYWRIGHT_TEST_CLOCK_JUMP_S='7200'))
    try:
        until('the server is told', lambda: alarms(gate, agent, 'device.log_loss'))
    finally:
        one.terminate()
        assert one.wait() == 0
    for name in ('events-a', 'events-b'):
        (agent.state / name).rmdir()
    agent.do('renew', '--force')
    agent.do('hello')
    assert 'identity.renew' in types(held(gate, agent))


def test_killed_while_it_writes(gate, agent):
    """kill -9 at any time: the log is whole afterwards, and every number is there once."""
    for number in range(12):
        one = subprocess.Popen([AGENT, 'record', 'app.door', '--state', str(agent.state), '--name', f'n{number}'],
                               stderr=subprocess.DEVNULL)
        time.sleep(0.004 * number)
        one.send_signal(signal.SIGKILL)
        one.wait()
    ids = [one['id'] for one in local(agent)]
    assert ids == list(range(1, len(ids) + 1))
    agent.do('hello')
    assert [one['id'] for one in held(gate, agent)] == ids


def test_the_clock_is_set(gate, agent):
    """5.6.1.14: told once when it was set, and once when it is right again."""
    agent.do('hello')
    for _ in range(2):
        run(AGENT, 'hello', '--state', agent.state, env={'KEYWRIGHT_TEST_CLOCK_JUMP_S': '7200'})
    agent.do('hello')
    agent.do('hello')
    steps = [one['result'] for one in held(gate, agent) if one['type'] == 'time.step']
    assert steps == ['ahead', 'success']


def test_it_survives_a_wipe(gate, agent):
    agent.do('hello')
    agent.do('wipe')
    agent.put_secret(gate.json('device', 'secret', agent.id)['secret'])
    agent.enrol()
    agent.do('hello')
    kinds = types(held(gate, agent))
    assert kinds.count('identity.enrol') == 2 and kinds.count('identity.wipe') == 1
    assert kinds.index('identity.wipe') > kinds.index('identity.enrol')
    assert not alarms(gate, agent, 'device.log_break')
