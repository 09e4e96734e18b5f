"""What a device meets in the field: answers that never come, refusals, damaged files, peers that it must not trust.
It never ends without a way on, and never talks to whom it should not."""
import datetime
import json
import socket
import ssl
import subprocess
import threading

import pytest

from harness import AGENT, Agent, fingerprint, key_id, run, words
from test_crash_sweep import CRASHPOINT, certs_of, check_tidy, command, cut, keys_of

REFUSED, NOT_TRUSTED, UNAVAILABLE, NO_IDENTITY = 1, 3, 4, 5


@pytest.fixture
def agent(gate, tmp_path):
    return Agent(gate, tmp_path / 'agent', gate.new_id('FLT')).join()


def cut_before_file(agent, name, *what):
    """Cut before a file is written whose temporary name has this in it."""
    log = agent.folder / 'points'
    probe = Agent(agent.gate, agent.folder / 'probe', agent.gate.new_id('FLT')).join()
    run(*command(probe, *what), env={'LD_PRELOAD': str(CRASHPOINT), 'CRASHPOINT_LOG': str(log)})
    number = next(int(line.split()[0]) for line in log.read_text().splitlines() if name in line)
    assert cut(agent, (number, 'before'), *what)


preloads = pytest.mark.skipif(not CRASHPOINT.exists(), reason='built with a sanitizer: nothing can be preloaded')


@preloads
def test_certificate_revoked_before_it_came(gate, agent):
    """The answer to a renewal is lost, and what it held is revoked: another key is made, once."""
    old = fingerprint(agent.cert('ldevid'))
    cut_before_file(agent, '.ldevid-next.pem.', 'renew', '--force')
    (lost,) = [cert for cert in certs_of(gate, agent)
               if cert['state'] == 'valid' and cert['fingerprint'] not in (old, fingerprint(agent.cert('idevid')))]
    gate.cli('cert', 'revoke', lost['fingerprint'], '--reason', 'keyCompromise')
    done = agent.do('renew', check=False)
    assert done.returncode == REFUSED and 'new key' in words(done), words(done)
    agent.do('renew', '--force')
    agent.do('hello')
    check_tidy(agent)
    assert key_id(agent.cert('ldevid').public_key()) != lost['key']


@preloads
def test_retired_device_keeps_its_key(gate, agent):
    """No other key helps a device that is retired: it makes none, however often it asks."""
    cut_before_file(agent, '.ldevid-next.pem.', 'renew', '--force')
    gate.cli('device', 'retire', agent.id, '--reason', 'cessationOfOperation')
    keys = [path.read_bytes() for path in sorted((agent.state / 'keys').iterdir())]
    for _ in range(3):
        assert agent.do('renew', check=False).returncode in (REFUSED, NOT_TRUSTED)
    assert keys == [path.read_bytes() for path in sorted((agent.state / 'keys').iterdir())]


def test_new_key_is_not_used_before_it_is_proven(gate, agent):
    """A renewal that stops between certificate and proof leaves the old identity in use."""
    if not CRASHPOINT.exists():
        pytest.skip('built with a sanitizer: nothing can be preloaded')
    old = fingerprint(agent.cert('ldevid'))
    cut_before_file(agent, '.ldevid-previous.pem.', 'renew', '--force')
    assert fingerprint(agent.cert('ldevid')) == old
    agent.do('hello')
    agent.do('renew')
    assert fingerprint(agent.cert('ldevid')) != old and agent.status()['previous'] == old


def test_wipe_holds_against_another_process(gate, agent):
    """A process that opened the device before the wipe does not bring it back by what it remembers."""
    with open(agent.folder / 'log', 'wb') as log:
        live = subprocess.Popen([AGENT, 'run', '--state', agent.state, '--interval', '0.05'], stdout=log, stderr=log,
                                stdin=subprocess.DEVNULL)
        try:
            agent.do('wipe')
            assert live.wait(30) in (NO_IDENTITY, 6)
        finally:
            live.kill()
            live.wait()
    assert agent.do('hello', check=False).returncode == NO_IDENTITY
    assert not keys_of(agent)


@pytest.mark.parametrize('name', ['config.json', 'root.pem'])
def test_damaged_settings_are_given_again(gate, agent, name):
    (agent.state / name).write_bytes(b'\x00' * 40)
    done = agent.do('hello', check=False)
    assert done.returncode == 2 and done.stderr, words(done)
    before = fingerprint(agent.cert('ldevid'))
    agent.enrol()
    agent.do('hello')
    assert fingerprint(agent.cert('ldevid')) == before


def test_damaged_request_is_made_again(gate, agent):
    (agent.state / 'ldevid-next.csr').write_bytes(b'\x30\x03half')
    (agent.state / 'ldevid-next.pem').write_bytes(b'-----BEGIN CERT')
    agent.do('renew', '--force')
    check_tidy(agent)


class Peer:
    """A server that is not the gate: what `talk` does with a connection is all that it does."""

    def __init__(self, talk):
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.talk = talk
        self.url = f'https://localhost:{self.socket.getsockname()[1]}'
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                with connection:
                    self.talk(connection)
            except (OSError, ssl.SSLError):
                pass


def old_tls(folder):
    key = folder / 'peer.key'
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
        '-out', folder / 'peer.pem', '-subj', '/CN=localhost', '-days', '2')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / 'peer.pem', key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return lambda connection: context.wrap_socket(connection, server_side=True).read()


PEERS = {
    'TLS 1.2 only': old_tls,
    'no TLS': lambda folder: lambda connection: connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n'),
    'endless': lambda folder: lambda connection: [connection.sendall(b'\x16\x03\x03\x40\x00' + b'A' * 65536)
                                                  for _ in range(1000)],
    'hangs up': lambda folder: lambda connection: None,
}


@pytest.mark.parametrize('kind', PEERS)
def test_strange_peer(gate, agent, tmp_path, kind):
    """Whatever answers there, the device says so, sends nothing, and is as before."""
    peer = Peer(PEERS[kind](tmp_path))
    before = fingerprint(agent.cert('ldevid'))
    for verb in (('hello',), ('renew', '--force')):
        done = run(AGENT, *verb, '--state', agent.state, '--server', peer.url, check=False)
        assert done.returncode in (NOT_TRUSTED, UNAVAILABLE) and done.stderr.strip(), (kind, words(done))
    peer.socket.close()
    run(AGENT, 'hello', '--state', agent.state, '--server', gate.url('devices'))
    assert fingerprint(agent.cert('ldevid')) == before


def test_grace_of_kept_answers(gate, agent):
    """Beyond its nextUpdate a kept answer about the server stands in for as long as the policy says, not longer."""
    config = agent.state / 'config.json'

    def hello_in(days, **policy):
        """At a floor of time in the future: no signed time takes the device back before it."""
        then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
        floor = {'time_floor': then.strftime('%Y-%m-%dT%H:%M:%SZ')}
        config.write_text(json.dumps({**json.loads(config.read_text()), **policy, **floor}))
        return agent.do('hello', check=False).returncode
    agent.do('hello')
    assert hello_in(9) == NOT_TRUSTED
    assert hello_in(3, revocation_grace=7 * 86400) == 0
    assert hello_in(9) == NOT_TRUSTED
