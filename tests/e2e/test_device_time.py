"""A device without a clock: 1970, 2038 and 2106 on its side, the right time from the server, signed."""
import http.client
import json
import ssl
import time

import pytest
from harness import AGENT, Agent, run, words

YEAR = 366 * 86400


@pytest.fixture
def agent(gate, tmp_path):
    one = Agent(gate, tmp_path / 'one', gate.new_id('CLK'))
    one.put_secret(gate.register(one.id)[1])
    return one


def at(agent, unix_s, *command, check=True):
    return run(*command, check=check, env={'KEYWRIGHT_TEST_CLOCK_JUMP_S': str(int(unix_s - time.time()))})


CLOCKS = {'1970': 5, '2038': 2**31 + 5, '2106': 2**32 + 5}


@pytest.mark.parametrize('year', CLOCKS)
def test_first_boot(agent, year):
    at(agent, CLOCKS[year], *agent.enrol_command())
    at(agent, CLOCKS[year], AGENT, 'hello', '--state', agent.state)
    agent.do('hello')  # and with a right clock again


@pytest.mark.parametrize('year', CLOCKS)
def test_the_clock_jumps_afterwards(agent, year):
    """Put back, or far ahead: it renews, and believes no certificate ended that has not."""
    agent.enrol()
    before = agent.status()['ldevid']
    at(agent, CLOCKS[year], AGENT, 'hello', '--state', agent.state)
    at(agent, CLOCKS[year], AGENT, 'renew', '--force', '--state', agent.state)
    assert agent.status()['ldevid'] != before
    agent.do('hello')


def test_the_statement(gate):
    """Anybody may ask; a nonce that is none gets nothing."""
    host, port = gate.url('devices').removeprefix('https://').split(':')
    def ask(nonce):
        context = ssl.create_default_context(cafile=str(gate.root))
        line = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
        line.request('POST', '/device/v1/time', json.dumps({'nonce': nonce}), {'Content-Type': 'application/json'})
        reply = line.getresponse()
        return reply.status, json.loads(reply.read())
    status, answer = ask('5a' * 32)
    assert status == 200
    kind, nonce, stated = answer['statement'].splitlines()
    assert kind == 'device-time v1' and nonce == 'nonce: ' + '5a' * 32 and stated.startswith('time: 2')
    assert answer['chain'].count('BEGIN CERTIFICATE') == 2
    for bad in ('', '5a' * 31, '5A' * 32, 'x' * 64):
        assert ask(bad)[0] == 400
