"""kill -9 loses nothing that a client was told; the keeper's death heals."""
import os
import re
import signal
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from crash import check_all, kill_under_load
from harness import KEEPER, KEYWRIGHTD, csr_der, new_key, until

KILLS = int(os.environ.get('KW_KILLS', '20'))


def test_server_killed_under_load(own_gate):
    received = kill_under_load(own_gate, KILLS)
    stored, entries = check_all(own_gate, received)
    print(f'{KILLS} kills, {len(received)} certificates received, {stored} stored, {entries} log entries')


def test_keeper_killed_alone(own_gate):
    """503 with Retry-After at worst, healed within seconds, and the request that was refused goes through."""
    device = own_gate.device()
    before = own_gate.keeper_pid()
    os.kill(before, signal.SIGKILL)
    csr, began, seen = csr_der(new_key(), device.id), time.monotonic(), set()

    def enrolled():
        try:
            reply = own_gate.enrol(csr, who=device.ldevid, verb='simplereenroll')
        except OSError:  # the TLS key is in the keeper, too: no handshake without it
            return False
        seen.add(reply.status)
        if reply.status == 503:
            assert int(reply.headers['retry-after']) >= 1
        return reply.status == 200
    until('the keeper is back', enrolled, 20)
    assert seen <= {200, 503}
    assert time.monotonic() - began < 15
    assert own_gate.alive()
    after = until('a new keeper', own_gate.keeper_pid)
    assert after != before
    assert own_gate.operators_get('/healthz', who=None).status == 200
    own_gate.cli('log', 'verify')
    until('the loss of the keeper is in the log',
          lambda: 'keeper.lost' in [entry['type'] for _, entry in own_gate.log_entries()])


def test_keeper_killed_during_requests(own_gate):
    """On connections that live on, the answer is 503 or the certificate; never a wrong one, never silence."""
    device = own_gate.device()
    lives = [own_gate.connect('devices', device.ldevid) for _ in range(10)]
    for live in lives:
        assert device.hello(connection=live).status == 200
    statuses = []
    for live in lives:
        if len(statuses) % 3 == 0 and own_gate.keeper_pid():
            os.kill(own_gate.keeper_pid(), signal.SIGKILL)
        reply = own_gate.enrol(csr_der(new_key(), device.id), verb='simplereenroll', connection=live)
        statuses.append(reply.status)
        assert reply.status == 200 or (reply.status == 503 and 'retry-after' in reply.headers), reply
    until('healthy again', own_gate.healthy)


def test_keeper_stopped_is_a_lost_keeper(own_gate):
    """A keeper that hangs (SIGSTOP) must not hang the server for ever; the log says why handshakes fail meanwhile."""
    device = own_gate.device()
    live = own_gate.connect('devices', device.ldevid)
    assert device.hello(connection=live).status == 200
    keeper = own_gate.keeper_pid()
    os.kill(keeper, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with ThreadPoolExecutor() as pool:
            refused = pool.submit(device.hello)
            reply = own_gate.enrol(csr_der(new_key(), device.id), verb='simplereenroll', connection=live)
            assert reply.status == 503 and time.monotonic() - began < 20, reply
            assert isinstance(refused.exception(), ssl.SSLError)
        until('the log says why', lambda: re.search(
            r"TLS handshake with 127\.0\.0\.1:\d+ refused \(see 'keywright doctor', .*\): .*the keeper", own_gate.log()))
        assert own_gate.ask('relying', 'GET', '/ca/root.cer').status == 200
    finally:
        try:
            os.kill(keeper, signal.SIGCONT)
        except ProcessLookupError:
            pass
    own_gate.wait_healthy()
    assert own_gate.metric(r'handshakes_failed_total\{reason="server"\}') >= 1


def test_orderly_stop_and_start(own_gate):
    device = own_gate.device()
    assert own_gate.stop() == 0
    own_gate.start()
    assert device.hello().status == 200
    own_gate.cli('log', 'verify')
    assert [entry['type'] for _, entry in own_gate.log_entries()].count('system.stop') == 1


def test_second_server_on_the_same_state(own_gate):
    """It must not start beside the first, and the first must not notice."""
    done = subprocess.run([KEYWRIGHTD, '--state', own_gate.state, '--keeper', KEEPER], capture_output=True, text=True,
                          timeout=30, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode != 0 and done.stderr.strip()
    assert own_gate.device().hello().status == 200
    own_gate.cli('log', 'verify')
