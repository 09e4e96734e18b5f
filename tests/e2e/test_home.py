"""Hub and cloud of examples/home over an unmodified Mosquitto with our plugin; strangers are other services and paho."""
import base64
import calendar
import contextlib
import json
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from harness import BUILD, Agent, free_ports, need, run, until, words
from test_mqtt import Broker, Listener, broker, comes_in, gate, hub_of  # noqa: F401 (fixtures)

HUB, CLOUD = (pathlib.Path(os.environ.get('KW_HOME_BUILD', BUILD)) / f'examples/home/home-{name}'  # tools/check: with sanitizers
              for name in ('hub', 'cloud'))
NAME = 'cloud-service-backend'
pytestmark = pytest.mark.skipif(
    need('mosquitto') is not None or not HUB.exists(), reason='built without libmosquitto-dev, or no mosquitto here')


class Program:
    """One of the two, with its words in a file."""

    def __init__(self, binary, folder, *options, env=None):
        self.command, self.path = [str(word) for word in (binary, *options)], folder / f'{binary.name}.log'
        self.env = dict(os.environ, **(env or {}))
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=open(self.path, 'ab'),
                                        stderr=subprocess.STDOUT, env=getattr(self, 'env', None))

    def words(self):
        assert self.process.poll() is None, f'{self.command[0]} has ended:\n' + self.path.read_text()
        return self.path.read_text('utf-8', 'replace')

    def count(self, text):
        return len(re.findall(text, self.words(), re.M))

    def says(self, text, more_than=0):
        until(f'{text!r} in {self.path.name}', lambda: self.count(text) > more_than)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(20) == 0, self.path.read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Service(Agent):
    """A program's identity: the key stays in its root of trust, the operator issues the certificate."""

    def install(self, *first):
        request, cert = self.folder / 'request.csr', self.folder / 'cert.pem'
        self.do('request', '--out', request, *first)
        cert.write_text(self.gate.cli('cert', 'issue', '--profile', 'tls-client', '--name', self.id, '--csr', request).stdout)
        self.do('install', cert)
        return self


def service(gate, folder, name):
    one = Service(gate, folder / name, name)
    return one.install('--server', one.server, '--id', name, '--trust', gate.root, '--rot', one.rot)


def device(gate, folder):
    return Agent(gate, folder, gate.new_id('iot-hub-')).join()


class Home:
    """A broker, a hub, a cloud, and somebody else whom the root vouches for and who may write commands."""

    def __init__(self, gate, broker, folder):  # noqa: F811
        self.gate, self.broker, self.folder = gate, broker, folder
        self.where = ('--broker', f'localhost:{self.broker.port}', '--retry', '0.2')
        self.device, self.backend = device(gate, folder / 'hub'), service(gate, folder, NAME)
        self.other = service(gate, folder, 'other-service')
        self.store = folder / 'cloud.db'
        self.hub = self.new_hub(self.device)
        self.cloud = Program(CLOUD, folder, '--state', self.backend.state, *self.where, '--every', '0.5', '--store',
                             self.store, '--device', self.device.id)

    def new_hub(self, one, *options, **how):
        return Program(HUB, one.folder, '--state', one.state, *self.where, '--every', '0.2', *options, **how)

    def rows(self, query, *values):
        with sqlite3.connect(self.store, timeout=20) as db:
            return db.execute(query, values).fetchall()

    def one_command(self, state):
        """Of the latest command in that state: hash and text."""
        return until(f'a command was {state}', lambda: self.rows(
            'SELECT message, text FROM commands WHERE state = ? ORDER BY sent DESC LIMIT 1', state))[0]

    def signed(self, who, data, kind='home-command', to=None):
        plain, text = self.folder / 'plain', self.folder / 'signed'
        plain.write_text(data if isinstance(data, str) else json.dumps(data))
        who.do('sign-data', plain, '--type', kind, '--to', to or self.device.id, '--out', text)
        return text.read_text().strip()

    def inject(self, text, to=None):
        """By a service that may write commands: the broker lets it pass."""
        key, chain = self.stranger
        until('the injector comes in', lambda: run(
            'mosquitto_pub', '-h', 'localhost', '-p', self.broker.port, '--cafile', self.gate.root, '--cert', chain,
            '--key', key, '-i', 'injector', '-t', f'devices/{to or self.device.id}/command', '-q', 1, '-s', data=text,
            check=False).returncode == 0)

    @property
    def stranger(self):
        if not hasattr(self, '_stranger'):
            from test_mqtt import service as with_key_file
            (self.folder / 'injector').mkdir()
            one = with_key_file(self.gate, self.folder / 'injector', 'injector')
            self._stranger = one.key_file, one.cert_file
        return self._stranger

    def refused(self, text, reason):
        """The hub says no, for that reason, and the light is not switched by it."""
        before = self.hub.count(rf'^refused: {reason}')
        self.inject(text)
        self.hub.says(rf'^refused: {reason}', before)

    def restart_broker(self):
        self.broker.stop()
        self.broker.process = subprocess.Popen(self.broker.process.args, stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL, stderr=open(self.broker.log_path, 'ab'))

    def stop(self):
        self.hub.stop()
        self.cloud.stop()


@pytest.fixture(scope='module')
def home(gate, broker, tmp_path_factory):  # noqa: F811
    one = Home(gate, broker, tmp_path_factory.mktemp('home'))
    one.hub.says('^line up')
    one.cloud.says('^line up')
    yield one
    one.stop()


A_COMMAND = {'id': '0' * 32, 'cmd': 'TURN_LIGHT_OFF'}


def test_readings_arrive_and_are_stored_and_commands_are_obeyed(home):
    until('readings are stored', lambda: len(home.rows('SELECT value FROM readings WHERE device = ?', home.device.id)) >= 5)
    message, text = home.one_command('obeyed')
    assert home.rows('SELECT sensor, min(value) >= 25.5, max(value) < 31.5, count(DISTINCT number) = count(*) '
                     'FROM readings WHERE device = ?', home.device.id) == [('temperature', 1, 1, 1)]
    state, reason, light, receipt, command = home.rows(
        'SELECT state, reason, light, receipt, id FROM commands WHERE message = ?', message)[0]
    assert (state, reason, light) == ('obeyed', None, 'on')
    assert home.hub.count(f'^obeyed: TURN_LIGHT_ON {command}') == 1
    (home.folder / 'receipt').write_text(receipt)
    home.other.do('verify-data', home.folder / 'receipt', '--type', 'home-receipt', check=False)
    done = home.other.do('verify-data', home.folder / 'receipt', '--type', 'home-receipt', '--signer', home.device.id, check=False)
    assert "this is for 'cloud-service-backend'" in words(done), 'a receipt is for the cloud alone'
    assert text.count('.') == 2


def test_a_command_is_obeyed_once_however_often_it_comes(home):
    message, text = home.one_command('obeyed')
    command, = home.rows('SELECT id FROM commands WHERE message = ?', message)[0]
    for _ in range(3):
        home.refused(text, 'replayed')
    assert home.hub.count(f'^obeyed: TURN_LIGHT_ON {command}') == 1
    assert home.rows('SELECT state FROM commands WHERE message = ?', message) == [('obeyed',)]


def test_an_altered_command_is_refused(home):
    _, text = home.one_command('obeyed')
    head, data, signature = text.split('.')
    for forged, reason in ((f'{head}.{data[:-2]}AA.{signature}', 'wrong-signature'),
                           (f'{head}.{data}.{signature[:-4]}AAAA', 'wrong-signature'),
                           (f'{head}.{data}', 'malformed'), ('TURN_LIGHT_ON', 'malformed'), ('x' * 20000, 'malformed')):
        home.refused(forged, reason)


def test_a_foreign_signer_is_refused_whoever_vouches_for_it(home):
    home.refused(home.signed(home.other, A_COMMAND), 'wrong-signer')
    home.refused(home.signed(home.device, A_COMMAND), 'wrong-signer')
    assert home.hub.count('^light: off') == 0


def test_a_receipt_or_another_hubs_command_is_no_command(home):
    home.refused(home.signed(home.backend, A_COMMAND, kind='home-receipt'), 'wrong-type')
    home.refused(home.signed(home.backend, A_COMMAND, to='iot-hub-999'), 'wrong-audience')
    assert home.hub.count('^light: off') == 0


def test_what_the_cloud_signed_but_no_hub_knows_is_refused_with_a_receipt(home):
    for data, reason in (({'id': 'a' * 32, 'cmd': 'OPEN_THE_DOOR'}, 'unknown-command'), ({**A_COMMAND, 'more': 1}, 'malformed')):
        before = home.hub.count(f'^refused: {reason}')
        until(reason, lambda: home.inject(home.signed(home.backend, data))  # again where the cloud's own came between
              or home.hub.count(f'^refused: {reason}') > before)
    home.cloud.says('for nothing that we sent: refused')


def test_a_hub_that_starts_again_keeps_its_sequence(home):
    _, text = home.one_command('obeyed')
    ups = home.hub.count('^line up')
    home.hub.kill()
    home.hub.start()
    home.hub.says('^line up', ups)
    home.refused(text, 'replayed')
    before = home.hub.count('^obeyed')
    home.hub.says('^obeyed', before)


def number_of(text):
    head = text.split('.')[0]
    return json.loads(base64.urlsafe_b64decode(head + '=' * (-len(head) % 4)))['seq']


def test_an_older_number_is_refused_though_it_never_came(home):
    """Held back by somebody on the way, and let go after a later one."""
    held = home.signed(home.backend, A_COMMAND)
    until('a later one is obeyed', lambda: [text for text, in home.rows("SELECT text FROM commands WHERE state = 'obeyed'")
                                            if number_of(text) > number_of(held)])
    home.refused(held, 'replayed')
    assert home.hub.count('^light: off') == 0


def test_the_light_goes_off_where_the_cloud_says_so(gate, home, tmp_path):  # noqa: F811
    one = device(gate, tmp_path / 'hub')
    hub = home.new_hub(one)
    hub.says('^line up')
    home.inject(home.signed(home.backend, A_COMMAND, to=one.id), one.id)
    hub.says('^light: off')
    hub.stop()


def test_an_old_command_is_refused(gate, home, tmp_path):  # noqa: F811
    """Ten minutes, by a clock that is as much ahead; the server's word does not put it back."""
    one = device(gate, tmp_path / 'hub')
    hub = home.new_hub(one, env={'KEYWRIGHT_TEST_CLOCK_JUMP_S': '600'})
    hub.says('^line up')
    home.inject(home.signed(home.backend, A_COMMAND, to=one.id), one.id)
    hub.says('^refused: too-old')
    assert hub.count('^obeyed') == 0
    hub.stop()


@pytest.mark.parametrize('year', [1970, 2106])
def test_a_hub_without_a_clock_obeys_all_the_same(gate, home, tmp_path, year):  # noqa: F811
    one = device(gate, tmp_path / 'hub')
    wrong = calendar.timegm((year, 1, 2, 0, 0, 0)) - time.time()
    hub = home.new_hub(one, env={'KEYWRIGHT_TEST_CLOCK_JUMP_S': str(int(wrong))})
    old = home.signed(home.backend, A_COMMAND, to=one.id)
    hub.says('^line up')
    home.inject(home.signed(home.backend, A_COMMAND, to=one.id), one.id)
    hub.says('^obeyed')
    home.inject(old, one.id)
    hub.says('^refused: replayed')
    hub.stop()


def test_a_hub_writes_its_own_topics_only(gate, home, tmp_path):  # noqa: F811
    one = hub_of(gate)
    comes_in(gate, home.broker, one)
    ear = Listener(gate, home.broker, one.ldevid, one.id)
    before = len(home.rows('SELECT 1 FROM readings WHERE value = 99'))
    ear.client.publish(f'devices/{home.device.id}/data', '{"sensor":"temperature","value":99}', 1)
    ear.client.publish(f'devices/{home.device.id}/command', home.one_command('obeyed')[1], 1)
    ear.client.publish(f'devices/{one.id}/data', '{"sensor":"temperature","value":98}', 1)
    until('its own arrives', lambda: home.rows('SELECT 1 FROM readings WHERE value = 98 AND device = ?', one.id))
    assert len(home.rows('SELECT 1 FROM readings WHERE value = 99')) == before == 0
    ear.close()


def test_a_broker_that_starts_again_finds_both_back(home):
    ups = home.hub.count('^line up'), home.cloud.count('^line up')
    home.restart_broker()
    home.hub.says('^line up', ups[0])
    home.cloud.says('^line up', ups[1])
    before = home.hub.count('^obeyed')
    home.hub.says('^obeyed', before)
    until('receipts arrive again', lambda: home.cloud.count(r'^receipt of .*: obeyed') > before)


def test_readings_of_a_time_without_a_line_arrive_later_each_once(gate, home, tmp_path):  # noqa: F811
    one = device(gate, tmp_path / 'hub')
    hub = home.new_hub(one)
    hub.says('^line up')
    gate.cli('device', 'suspend', one.id, '--reason', 'lost')
    hub.says('^line down')
    before = hub.count('^reading')
    hub.says('^reading', before + 5)
    gate.cli('device', 'resume', one.id)
    ups = hub.count('^line up')
    hub.says('^line up', ups)
    last = hub.count('^reading')
    until('all arrive', lambda: home.rows('SELECT count(*) >= ?1 AND count(*) = max(number) AND min(number) = 1 FROM readings '
                                          'WHERE device = ?2', last, one.id) == [(1,)])
    hub.stop()


def test_the_queue_is_bounded_and_tells_what_it_dropped(gate, home, tmp_path):  # noqa: F811
    one = device(gate, tmp_path / 'hub')
    hub = Program(HUB, one.folder, '--state', one.state, '--broker', f'localhost:{free_ports(1)[0]}', '--every', '0.02',
                  '--queue', 5, '--retry', '0.1')
    hub.says('^reading: .*"lost":')
    assert int(re.findall(r'"lost":(\d+)', hub.words())[-1]) > 0
    hub.stop()


def test_who_does_not_show_the_brokers_name_is_not_spoken_to(gate, home, tmp_path):  # noqa: F811
    """The gate's own certificate is as good, and is not the broker's; libmosquitto alone would not notice."""
    one = device(gate, tmp_path / 'hub')
    hub = Program(HUB, one.folder, '--state', one.state, '--broker', f'127.0.0.1:{home.broker.port}', '--retry', '0.2')
    hub.says('^line down: .*IP address mismatch')
    assert hub.count('^line up') == 0
    hub.stop()


def test_readings_outlive_a_restart(gate, home, tmp_path):  # noqa: F811
    """There is no line, the power goes, twice; then all of them arrive, once each."""
    one = device(gate, tmp_path / 'hub')
    port = free_ports(1)[0]
    there_is_none = Program(HUB, one.folder, '--state', one.state, '--broker', f'localhost:{port}', '--every', '0.05', '--retry', '9')
    for n in (5, 10):
        there_is_none.says('^reading', n)
        there_is_none.kill()
        there_is_none.start()
    there_is_none.says('^readings of the last time: ', 1)
    there_is_none.says('^reading', 15)
    there_is_none.stop()
    sent = re.findall(r'^reading: (.*)', there_is_none.path.read_text(), re.M)
    hub = home.new_hub(one)
    hub.says('^readings of the last time')
    kept = [json.loads(text) for text in sent]
    orderly = kept[-1]['boot']  # what was measured last before a sudden end may be lost, and nothing else
    least = {(one['boot'], one['number']) for one, after in zip(kept, kept[1:] + [kept[-1]])
             if one['boot'] == after['boot'] or one['boot'] == orderly}
    until('all arrive', lambda: least <= set(home.rows('SELECT boot, number FROM readings WHERE device = ?', one.id)))
    assert home.rows('SELECT max(lost) FROM readings WHERE device = ?', one.id) == [(0,)]
    hub.stop()
    assert (one.state / 'home-readings').read_text() == ''


def test_an_address_that_swallows_packets_holds_nobody_up(gate, home, tmp_path):  # noqa: F811
    """A backlog that is full: the kernel alone would try for two minutes."""
    one = device(gate, tmp_path / 'hub')
    with socket.create_server(('127.0.0.1', 0), backlog=0) as full:
        port, fillers = full.getsockname()[1], []
        for _ in range(4):
            fillers.append(socket.socket())
            fillers[-1].setblocking(False)
            fillers[-1].connect_ex(('127.0.0.1', port))
        hub = Program(HUB, one.folder, '--state', one.state, '--broker', f'127.0.0.1:{port}', '--every', '0.1', '--retry', '0.2',
                      '--connect', '0.3')
        hub.says("^line down: the broker's address does not answer")
        hub.says('^reading', hub.count('^reading'))
        hub.stop()
        for filler in fillers:
            filler.close()


@pytest.mark.skipif(os.geteuid() != 0 or need('unshare') is not None, reason='another resolv.conf takes root and unshare')
def test_a_name_server_that_swallows_packets_holds_nobody_up(gate, home, tmp_path):  # noqa: F811
    """resolv.conf says an hour: readings go on, a new try tells, and the end is orderly."""
    one = device(gate, tmp_path / 'hub')
    conf = tmp_path / 'resolv.conf'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as swallows:
        try:
            swallows.bind(('127.0.0.77', 53))
        except OSError:
            pytest.skip('no name server can be played here')
        conf.write_text('nameserver 127.0.0.77\noptions timeout:30 attempts:5\n')
        inside = ('unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', conf, HUB)
        if run(*inside[:-1], 'true', check=False).returncode:
            pytest.skip('no mount namespace here')
        hub = Program(pathlib.Path(inside[0]), one.folder, *inside[1:], '--state', one.state, '--broker', 'broker.example:8883',
                      '--every', '0.1', '--retry', '0.2', '--connect', '0.3')
        hub.says("^line down: no name server tells the broker's address", 1)
        hub.says('^reading', hub.count('^reading'))
        assert swallows.recv(512)
        hub.stop()


def test_a_hub_that_cannot_learn_of_revocations_opens_no_line(gate, home, tmp_path):  # noqa: F811
    """The broker's certificate is good, its path and name are; OCSP is not to be reached."""
    one = device(gate, tmp_path / 'hub')
    for kept in one.state.glob('ocsp-*.der'):
        kept.unlink()
    gate.kill()
    try:
        hub = home.new_hub(one)
        hub.says('^line down: .*whether it is revoked cannot be found out')
        assert hub.count('^line up') == 0
    finally:
        gate.start()
    hub.says('^line up')
    hub.stop()


class Tap:
    """Somebody on the line between a client and the broker who sees every octet."""

    def __init__(self, port):
        self.seen, self.to = b'', port
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                here, there = self.socket.accept()[0], socket.create_connection(('localhost', self.to))
            except OSError:
                return
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self.pass_on, args=pair, daemon=True).start()

    def pass_on(self, source, sink):
        try:
            while octets := source.recv(65536):
                self.seen += octets
                sink.sendall(octets)
        except OSError:
            pass
        for end in (source, sink):
            end.close()


def test_nothing_of_it_is_readable_on_the_wire(gate, home, tmp_path):  # noqa: F811
    """By TLS 1.3 not even who it is; by 1.2, which the reference's settings ask for, that is in the clear."""
    one = device(gate, tmp_path / 'hub')
    tap = Tap(home.broker.port)
    hub = Program(HUB, one.folder, '--state', one.state, '--broker', f'localhost:{tap.port}', '--every', '0.1', '--retry', '1')
    hub.says('^line up')
    home.inject(home.signed(home.backend, A_COMMAND, to=one.id), one.id)
    hub.says('^obeyed')
    until('its readings arrive', lambda: home.rows('SELECT 1 FROM readings WHERE device = ?', one.id))
    hub.stop()
    assert len(tap.seen) > 4000
    for secret in (one.id, 'temperature', 'TURN_LIGHT', 'devices/', 'home-command', NAME):
        assert secret.encode() not in tap.seen, secret
    old = Broker(gate, tmp_path / 'old', '--tls12').filled()
    tap = Tap(old.port)
    who = hub_of(gate)
    run('openssl', 's_client', '-tls1_2', '-connect', f'localhost:{tap.port}', '-CAfile', gate.root, '-cert',
        who.ldevid.cert_file, '-key', who.ldevid.key_file, check=False, data='')
    assert who.id.encode() in tap.seen, 'the tap sees'
    old.kill()


@pytest.mark.parametrize('how', [['-tls1_2'], ['-tls1_3', '-cert', '{other}', '-key', '{other}']])
def test_a_false_broker_is_not_spoken_to(gate, home, tmp_path, how):  # noqa: F811
    """The right certificate by TLS 1.2 alone; the right name under another root."""
    other = tmp_path / 'other.pem'
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost',
        '-addext', 'subjectAltName=DNS:localhost', '-keyout', tmp_path / 'key', '-out', other)
    other.write_bytes(other.read_bytes() + (tmp_path / 'key').read_bytes())
    port, mine = free_ports(1)[0], home.broker.folder / 'server.pem'
    rogue = subprocess.Popen(['openssl', 's_server', '-accept', str(port), '-cert', str(mine), '-key', str(mine), '-quiet',
                              *[word.format(other=other) for word in how]], stdin=subprocess.DEVNULL,
                             stdout=open(tmp_path / 'rogue', 'wb'), stderr=subprocess.STDOUT)
    one = device(gate, tmp_path / 'hub')
    hub = Program(HUB, one.folder, '--state', one.state, '--broker', f'localhost:{port}', '--every', '0.1', '--retry', '0.2')
    try:
        hub.says('^line down', 3)
        assert hub.count('^line up') == 0 and b'MQTT' not in (tmp_path / 'rogue').read_bytes()
        assert hub.count('^line down: .*(protocol version|alert|not trusted|certificate)') > 0, hub.words()
    finally:
        rogue.terminate()
        rogue.wait(20)
        hub.stop()


def test_a_services_identity(gate, home, tmp_path):  # noqa: F811
    """Its key never leaves; the same request until it is answered; another's certificate is none of ours."""
    one = Service(gate, tmp_path / 'one', 'service-1')
    first = ('--server', one.server, '--id', one.id, '--trust', gate.root, '--rot', one.rot)
    cert, request = tmp_path / 'cert', one.do('request', *first).stdout
    assert one.do('request').stdout == request
    cert.write_text(home.backend.folder.joinpath('cert.pem').read_text())
    assert one.do('install', cert, check=False).returncode == 3, 'of another key'
    (tmp_path / 'csr').write_text(request)
    cert.write_text(gate.cli('cert', 'issue', '--profile', 'tls-client', '--name', 'service-2', '--csr', tmp_path / 'csr').stdout)
    assert "certificate for 'service-2'" in words(one.do('install', cert, check=False)), 'of another name'
    again = Service(gate, tmp_path / 'two', 'service-3').install('--server', one.server, '--id', 'service-3', '--trust',
                                                                gate.root, '--rot', f'soft:dir={tmp_path}/two/keys')
    before = again.cert('ldevid')
    again.do('install', again.folder / 'cert.pem')
    again.install()
    assert again.cert('ldevid').public_key() != before.public_key()
    done = home.device.do('request', check=False)
    assert done.returncode == 1 and 'enrols and renews by itself' in words(done)
    for path in again.folder.rglob('*'):
        assert not path.is_file() or b'PRIVATE KEY' not in path.read_bytes()


def test_a_command_without_a_receipt_is_unanswered(gate, home, tmp_path):  # noqa: F811
    cloud = service(gate, tmp_path, 'cloud-3')
    one = Program(CLOUD, tmp_path, '--state', cloud.state, *home.where, '--every', '0.2', '--device', 'nobody', '--answer', '1',
                  '--store', tmp_path / 'db')
    one.says('^command for nobody')
    one.says('^unanswered')
    one.stop()
    with sqlite3.connect(tmp_path / 'db') as db:
        assert {state for state, in db.execute('SELECT state FROM commands')} <= {'sent', 'unanswered'}


def what_is_open(pid):
    """Descriptors come and go meanwhile."""
    for fd in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(fd)


def test_the_hub_listens_nowhere(home):
    for program in (home.hub, home.cloud):
        mine = set(what_is_open(program.process.pid))
        assert [one for one in mine if one.startswith('socket:')]
        for table in ('tcp', 'tcp6'):
            for line in pathlib.Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
                fields = line.split()
                assert fields[3] != '0A' or f'socket:[{fields[9]}]' not in mine, line


def test_a_renewed_cloud_goes_on_with_another_key(gate, home):  # noqa: F811
    before = home.cloud.count('^line up')
    home.backend.install()
    home.cloud.says('^another certificate')
    home.cloud.says('^line up', before)
    obeyed = home.hub.count('^obeyed')
    home.hub.says('^obeyed', obeyed)


def test_a_revoked_hub_is_cut_and_stays_out(gate, home, tmp_path):  # noqa: F811
    one = device(gate, tmp_path / 'hub')
    hub = home.new_hub(one)
    hub.says('^line up')
    until('its readings arrive', lambda: home.rows('SELECT 1 FROM readings WHERE device = ?', one.id))
    gate.cli('device', 'retire', one.id, '--reason', 'cessationOfOperation')
    hub.says('^line down')
    ups = hub.count('^line up')
    n = len(home.rows('SELECT 1 FROM readings WHERE device = ?', one.id))
    hub.says('^line down', hub.count('^line down') + 1)
    assert hub.count('^line up') == ups and len(home.rows('SELECT 1 FROM readings WHERE device = ?', one.id)) <= n + 1
    hub.stop()


def test_a_revoked_cloud_commands_nobody(gate, home, tmp_path):  # noqa: F811
    """What it signed before is refused too, wherever it comes from."""
    cloud = service(gate, tmp_path, 'cloud-2')
    one = device(gate, tmp_path / 'hub')
    hub = home.new_hub(one, '--cloud', 'cloud-2')
    hub.says('^line up')
    text = home.signed(cloud, A_COMMAND, to=one.id)
    plan = gate.json('revoke', 'plan', '--owner', 'service:cloud-2', '--reason', 'superseded')
    gate.cli('revoke', 'run', plan['id'])
    until('it is revoked', lambda: [one['state'] for one in gate.json('cert', 'list', '--owner', 'service:cloud-2')['items']]
          == ['revoked'])
    home.inject(text, one.id)
    hub.says('^refused: signer-untrusted')
    hub.stop()


def test_a_kept_answer_about_the_cloud_counts_for_minutes_only(gate, home, tmp_path):  # noqa: F811
    """It was good when the hub asked; a second is the minutes here."""
    cloud = service(gate, tmp_path, 'cloud-4')
    one = device(gate, tmp_path / 'hub')
    hub = home.new_hub(one, '--cloud', 'cloud-4', '--status-age', '1')
    hub.says('^line up')
    home.inject(home.signed(cloud, A_COMMAND, to=one.id), one.id)
    hub.says('^obeyed')
    texts = [home.signed(cloud, A_COMMAND, to=one.id) for _ in range(2)]
    gate.cli('revoke', 'run', gate.json('revoke', 'plan', '--owner', 'service:cloud-4', '--reason', 'superseded')['id'])
    until('the kept answer is too old', lambda: time.time() - (one.state / next(
        kept.name for kept in one.state.glob('signer-*.der'))).stat().st_mtime > 1.1)
    for text in texts:
        home.inject(text, one.id)
    hub.says('^refused: signer-untrusted')
    assert hub.count('^obeyed') == 1
    hub.stop()


def test_bad_arguments_are_told(home, tmp_path):
    for binary in (HUB, CLOUD):
        for options in (('--nonsense', 'x'), ('--every',), ('--every', '-1'), ('--every', 'x')):
            done = run(binary, *options, check=False)
            assert done.returncode == 2 and '--help' in done.stderr
        done = run(binary, '--state', tmp_path / 'none', check=False)
        assert done.returncode == 1 and 'no identity' in done.stderr
        done = run(binary, '--broker', 'localhost:99999', check=False)
        assert done.returncode == 2 and "'localhost:99999' is no HOST:PORT" in done.stderr
        done = run(binary, '--help')
        assert '--broker' in done.stdout and not done.stderr
