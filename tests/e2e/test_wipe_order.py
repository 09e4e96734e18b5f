"""A wipe that an operator orders: who obeys, who only tells, who comes late; and what an order cannot do."""
import json

import pytest
from harness import AGENT, Agent, Gate, run, until, words
from test_crash_sweep import cut, points_of

NO_IDENTITY = 5
AWAY_S = 100 * 86400  # longer than an LDevID lives


@pytest.fixture
def agent(gate, tmp_path):
    return Agent(gate, tmp_path / 'agent', gate.new_id('FAR')).join()


def obey(agent):
    config = json.loads((agent.state / 'config.json').read_text())
    (agent.state / 'config.json').write_text(json.dumps(config | {'obey_wipe': True}))


def wipe_of(gate, agent):
    return gate.json('device', 'show', agent.id).get('wipe')


def states(gate, agent):
    return {one['state'] for one in gate.json('cert', 'list', '--device', agent.id)['items']}


def orders_noted(agent):
    listed = [json.loads(line) for line in agent.do('events', '--json').stdout.splitlines()]
    return [one['result'] for one in listed if one['type'] == 'identity.wipe_order']


def test_obeyed(gate, agent):
    gate.cli('device', 'wipe', agent.id, '--reason', 'lost in the field')
    assert wipe_of(gate, agent) == 'ordered'
    agent.do('hello')
    assert wipe_of(gate, agent) == 'ordered' and 'valid' in states(gate, agent), 'its own policy does not say so'
    assert orders_noted(agent) == ['ignored']
    obey(agent)
    agent.do('hello')
    assert orders_noted(agent) == ['ignored', 'success']
    assert agent.do('hello', check=False).returncode == NO_IDENTITY
    assert not list(agent.state.glob('*devid*.pem'))
    assert wipe_of(gate, agent) == 'done' and states(gate, agent) == {'revoked'}
    told = [entry['detail'] for _, entry in gate.log_entries()
            if entry['type'] == 'device.wipe' and entry['object'] == f'device:{agent.id}']
    assert len(told) == 2 and 'lost in the field' in told[0] and 'signed' in told[1]
    assert gate.cli('doctor').returncode == 0, 'what the keeper signed is accounted for'

    # a new life: the order was for the one before
    agent.put_secret(gate.json('device', 'secret', agent.id)['secret'])
    agent.enrol()
    obey(agent)
    agent.do('hello')
    agent.do('hello')


def test_taken_back_and_expired(gate, agent):
    obey(agent)
    assert gate.cli('device', 'unwipe', agent.id, check=False).returncode == 1
    gate.cli('device', 'wipe', agent.id)
    gate.cli('device', 'unwipe', agent.id)
    assert wipe_of(gate, agent) == 'cancelled'
    agent.do('hello')
    gate.cli('device', 'wipe', agent.id)
    agent.put_secret(gate.json('device', 'secret', agent.id)['secret'])  # a new life is prepared
    assert wipe_of(gate, agent) == 'cancelled'
    agent.do('hello')
    assert gate.cli('device', 'wipe', 'NOBODY', check=False).returncode == 3
    assert gate.cli('device', 'wipe', agent.id, '--hours', 0, check=False).returncode == 0  # 0 is the default: a year


def test_months_away(own_gate, tmp_path, monkeypatch):
    """An order waits for as long as it says, no longer; a device whose LDevID ended meanwhile gets it with the next one."""
    gate, (late, patient) = own_gate, (Agent(own_gate, tmp_path / name, own_gate.new_id('FAR')) for name in ('late', 'patient'))
    for one, hours in ((late, 99 * 24), (patient, 101 * 24)):
        one.join()
        obey(one)
        gate.cli('device', 'wipe', one.id, '--hours', hours)
    gate.stop()
    monkeypatch.setenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S', str(AWAY_S))
    gate.start(wait=False)
    until('it serves', lambda: gate.curl('operators', '/healthz', '-k', check=False))
    assert (wipe_of(gate, late), wipe_of(gate, patient)) == ('expired', 'ordered')
    for one in (late, patient):
        assert one.do('hello', check=False).returncode != 0, 'its LDevID has ended'
        one.do('renew')
        one.do('hello')
    assert orders_noted(late) == [] and wipe_of(gate, late) == 'expired' and 'valid' in states(gate, late)
    late.do('hello')
    assert gate.cli('device', 'unwipe', late.id, check=False).returncode == 1, 'there is nothing to take back'
    assert orders_noted(patient) == ['success'] and wipe_of(gate, patient) == 'done' and 'valid' not in states(gate, patient)
    assert patient.do('hello', check=False).returncode == NO_IDENTITY


def test_by_two_persons(tmp_path):
    """Where the configuration says so, one person alone orders nothing; what was signed for one device is for that one."""
    gate = Gate(tmp_path / 'gate', '--approver', 'bob')
    config = gate.state / 'keywright.yaml'
    config.write_text(config.read_text() + 'wipe_approval: true\n')
    gate.start()
    try:
        one, other = gate.register()[0], gate.register()[0]
        number = gate.request('device', 'wipe', one, '--reason', 'lost in the field', '--hours', 24)
        row = gate.json('device', 'show', one)
        assert not row.get('wipe'), row
        text = gate.cli('approval', 'show', number).stdout
        assert f'device: {one}' in text and 'lost in the field' in text and 'waits-hours: 24' in text
        assert gate.cli('approval', 'sign', number, '--yes', check=False).returncode != 0, 'not by who asked'
        gate.cli('approval', 'sign', number, '--yes', who='bob')
        assert [gate.json('device', 'show', name).get('wipe', '') for name in (one, other)] == ['ordered', '']
        told = [entry for _, entry in gate.log_entries() if entry['type'] == 'device.wipe']
        assert len(told) == 1 and 'lost in the field' in told[0]['detail']
        gate.cli('device', 'unwipe', one)  # to take it back needs nobody
        number = gate.request('device', 'wipe', other)
        gate.cli('approval', 'reject', number, '--yes', who='bob')
        assert not gate.json('device', 'show', other).get('wipe')
    finally:
        gate.stop()


def test_cut_between_order_and_wipe(gate, agent, tmp_path):
    """Whatever is cut after the order was fetched: `run` ends the wipe by itself."""
    probe = Agent(gate, tmp_path / 'probe', gate.new_id('FAR')).join()
    for one in (probe, agent):
        obey(one)
        gate.cli('device', 'wipe', one.id)
    points = [point for point in points_of(probe, 'hello') if point[1] == 'before']
    assert wipe_of(gate, probe) == 'done'
    assert cut(agent, points[len(points) * 2 // 3], 'hello')
    assert wipe_of(gate, agent) == 'ordered'
    done = run(AGENT, 'run', '--state', agent.state, check=False)
    assert done.returncode == NO_IDENTITY, words(done)
    assert wipe_of(gate, agent) == 'done' and states(gate, agent) == {'revoked'}
