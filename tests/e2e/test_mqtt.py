"""The broker's door: unmodified Mosquitto, mosquitto_pub, mosquitto_sub and paho against our plugin."""
import atexit
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from harness import BUILD, Credential, Gate, csr_der, free_ports, need, new_key, run, until, words
from test_issue import issue
from test_root_roll_over import make_next
from test_rotation import rotate_ca

paho = pytest.importorskip('paho.mqtt.client', reason='python3-paho-mqtt is not installed')
PLUGIN = BUILD / 'plugins/mosquitto/mosquitto_keywright.so'
MOSQUITTO = shutil.which('mosquitto', path=os.environ['PATH'] + ':/usr/sbin')  # not in every user's PATH
pytestmark = [
    pytest.mark.skipif(not MOSQUITTO or need('mosquitto_pub') is not None, reason='mosquitto is not installed'),
    pytest.mark.skipif(not PLUGIN.exists(), reason='built without mosquitto-dev'),
]


class Broker:
    """mosquitto, started from a folder that `keywright broker config` wrote, without an edit."""

    def __init__(self, gate, folder, *options, edit=lambda text: text):
        self.folder, (self.port,) = folder, free_ports(1)
        as_root = ['--user', 'root'] if os.geteuid() == 0 else []
        self.said = gate.cli('broker', 'config', folder, '--name', 'localhost', '--port', self.port, *as_root, *options)
        policy = folder / 'policy.yaml'
        policy.write_text(edit(policy.read_text()))
        self.log_path = folder.parent / f'{folder.name}.log'
        self.process = subprocess.Popen([MOSQUITTO, '-c', str(folder / 'mosquitto.conf')], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.log_path, 'wb'))
        atexit.register(self.process.kill)  # a test that failed before stop() leaves none behind

    def log(self):
        assert self.process.poll() is None, 'mosquitto has ended:\n' + self.log_path.read_text()
        return self.log_path.read_text('utf-8', 'replace')

    def filled(self):
        until('the plugin has its list', lambda: 'certificates may connect' in self.log())
        return self

    def logged(self, text):
        until(f'the log says {text!r}', lambda: text in self.log())

    def kill(self):
        """Where nobody looks at how it ends: that takes as long as its call to the server."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log_path.read_text()


def client_options(gate, broker, who):
    cert = ['--cert', who.cert_file, '--key', who.key_file] if who else []
    return ['-h', 'localhost', '-p', broker.port, '--cafile', gate.root, *cert]


def publish(gate, broker, who, client, topic, *options, text='x', check=False):
    """Whether a foreign client could connect; mosquitto says nothing of a refused topic to MQTT 3.1.1."""
    done = run('mosquitto_pub', *client_options(gate, broker, who), '-i', client, '-t', topic, '-m', text, '-q', 1,
               *options, check=False, timeout=20)
    assert not check or done.returncode == 0, words(done) + broker.log()
    return done.returncode == 0


class Listener:
    """paho: what it received, and whether it was cut."""

    def __init__(self, gate, broker, who, client, *topics, version=paho.MQTTv5):
        self.got, self.granted, self.cut = [], [], threading.Event()
        up = threading.Event()
        modern = {'callback_api_version': paho.CallbackAPIVersion.VERSION2} if hasattr(paho, 'CallbackAPIVersion') else {}
        self.client = paho.Client(client_id=client, protocol=version, **modern)
        self.client.tls_set(str(gate.root), str(who.cert_file), str(who.key_file), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = lambda *args: up.set()
        self.client.on_disconnect = lambda *args: self.cut.set()
        self.client.on_message = lambda _client, _data, message: self.got.append((message.topic, message.payload.decode()))
        self.client.on_subscribe = lambda *args: self.granted.append(args[3])
        self.client.reconnect_delay_set(3600, 3600)
        self.client.connect('localhost', broker.port, keepalive=60)
        self.client.loop_start()
        assert up.wait(20)
        for topic in topics:
            before = len(self.granted)
            self.client.subscribe(topic, 1)
            until('the subscription is answered', lambda n=before: len(self.granted) > n)

    def refused(self):
        """MQTT 5 tells: reason codes from 128 on."""
        return [int(getattr(code, 'value', code)) >= 128 for codes in self.granted for code in codes]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope='module')
def gate(mqtt_gate):
    return mqtt_gate


@pytest.fixture(scope='module')
def broker(mqtt_broker):
    return mqtt_broker


@pytest.fixture(scope='module')
def cloud(gate, tmp_path_factory):
    return service(gate, tmp_path_factory.mktemp('cloud'), 'cloud-service-backend')


def service(gate, folder, name, profile='tls-client'):
    key = new_key()
    cert = issue(gate, folder, profile, name, key=key)
    return Credential(folder, name, key, cert, gate.pem('ca-services'))


def with_chain(gate, device, ca='ca-devices'):
    """As devices do: leaf and issuing CA."""
    device.ldevid.cert_file.write_bytes(device.ldevid.cert_file.read_bytes() + gate.pem(ca))
    return device


def hub_of(gate):
    return with_chain(gate, gate.device())


def comes_in(gate, broker, hub, **how):
    """The feed is a moment behind the enrolment."""
    until('the hub comes in', lambda: publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data', **how))


def test_what_config_writes_is_whole_and_private(gate, broker):
    for name in ('server.pem', 'feed.pem'):
        assert (broker.folder / name).stat().st_mode & 0o777 == 0o600
    cert = x509.load_pem_x509_certificate((broker.folder / 'server.pem').read_bytes())
    assert cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName) == ['localhost']
    conf = (broker.folder / 'mosquitto.conf').read_text()
    assert 'require_certificate true' in conf and 'tls_version tlsv1.3' in conf and 'allow_anonymous false' in conf
    assert 'mosquitto -c' in broker.said.stdout


def test_hub_and_cloud_talk_and_only_on_their_own_topics(gate, broker, cloud):
    hub, other = hub_of(gate), hub_of(gate)
    comes_in(gate, broker, hub)
    comes_in(gate, broker, other)
    backend = Listener(gate, broker, cloud, 'cloud-service-backend', 'devices/+/data')
    ear = Listener(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/command')
    for topic in (f'devices/{other.id}/data', f'devices/{hub.id}/command', f'devices/{other.id}/command',
                  f'devices//{hub.id}/data', f'devices/{hub.id}/data/', '$SYS/broker/version', 'devices'):
        publish(gate, broker, other.ldevid, other.id, topic, text='forged')
    publish(gate, broker, other.ldevid, other.id, f'devices/{hub.id}/data', text='forged')
    publish(gate, broker, other.ldevid, other.id, f'devices/{other.id}/data', '--retain', text='left')
    publish(gate, broker, hub.ldevid, hub.id + '-x', f'devices/{hub.id}/data', text='forged')
    run('mosquitto_pub', *client_options(gate, broker, cloud), '-i', 'cloud-service-backend', '-t', 'x', '-m', 'taken over',
        check=False)
    backend.close()
    backend = Listener(gate, broker, cloud, 'cloud-service-backend', 'devices/+/data')
    ear.client.publish(f'devices/{hub.id}/data', '21.5', 1)
    until('the reading arrives', lambda: (f'devices/{hub.id}/data', '21.5') in backend.got)
    backend.client.publish(f'devices/{hub.id}/command', 'TURN_LIGHT_ON', 1)
    until('the command arrives', lambda: (f'devices/{hub.id}/command', 'TURN_LIGHT_ON') in ear.got)
    assert not [text for _, text in ear.got + backend.got if text in ('forged', 'left')]
    ear.close()
    backend.close()


@pytest.mark.parametrize('topic', ['#', '+/+/+', 'devices/#', 'devices/+/command', 'devices/{other}/command', '$SYS/#',
                                   '$share/g/devices/+/command', '$share/g/devices/{other}/command', '$share/g/#',
                                   'devices/{id}/command/#', 'devices/{id}/+', '/devices/{id}/command', 'Devices/{id}/command'])
def test_no_subscription_reaches_beyond_the_own(gate, broker, topic):
    hub = hub_of(gate)
    comes_in(gate, broker, hub)
    ear = Listener(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/command', f'$share/g/devices/{hub.id}/command',
                   topic.format(id=hub.id, other='DEV-9999'))
    assert ear.refused() == [False, False, True], broker.log()[-800:]
    ear.close()


def test_who_has_no_certificate_of_ours_stays_outside(gate, broker):
    hub = gate.device()
    assert not publish(gate, broker, None, hub.id, f'devices/{hub.id}/data')
    with_chain(gate, hub)
    comes_in(gate, broker, hub)
    assert not publish(gate, broker, hub.ldevid, 'somebody', f'devices/{hub.id}/data'), 'the client id is not free to choose'
    broker.logged('the client id is not that of the certificate')
    hub.idevid.cert_file.write_bytes(hub.idevid.cert_file.read_bytes() + gate.pem('ca-devices'))
    assert not publish(gate, broker, hub.idevid, hub.id, f'devices/{hub.id}/data'), 'an IDevID is for enrolling'


def test_a_namesake_takes_no_session_over(gate, tmp_path):
    """A user may have a device's name; the broker's session is the device's."""
    one = Broker(gate, tmp_path / 'b', edit=lambda text: text.replace('service', 'user').replace('tls-client', 'user')).filled()
    hub = hub_of(gate)
    comes_in(gate, one, hub)
    namesake = service(gate, tmp_path, hub.id, 'user')
    ear = Listener(gate, one, hub.ldevid, hub.id)

    def known():
        assert not publish(gate, one, namesake, hub.id, 'x')
        return 'the client id is another identity' in one.log()
    until('the user is known', known)
    assert not ear.cut.is_set()
    ear.close()
    one.stop()


def test_tls_1_2_is_refused(gate, broker):
    hub = hub_of(gate)
    comes_in(gate, broker, hub)
    for version, fits in (('-tls1_2', False), ('-tls1_3', True)):
        done = run('openssl', 's_client', version, '-connect', f'localhost:{broker.port}', '-CAfile', gate.root, '-cert',
                   hub.ldevid.cert_file, '-key', hub.ldevid.key_file, check=False, data='')
        assert ('Cipher is (NONE)' not in words(done)) == fits, words(done)[-600:]


ONLY_1_2 = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = only
[only]
MaxProtocol = TLSv1.2
"""


def test_who_speaks_tls_1_2_only_is_told_so(gate, broker, tmp_path):
    """By the alert, whatever the client's library; the broker's log says it too."""
    hub, conf = hub_of(gate), tmp_path / 'openssl.cnf'
    conf.write_text(ONLY_1_2)
    comes_in(gate, broker, hub)
    where = (*client_options(gate, broker, hub.ldevid), '-i', hub.id, '-t', f'devices/{hub.id}/data')
    for program in (('mosquitto_pub', '-m', 'x'), ('mosquitto_sub', '-W', '10')):
        done = run(*program, *where, '-d', check=False, env={'OPENSSL_CONF': str(conf)})
        assert done.returncode != 0 and 'protocol version' in words(done), words(done)
    modern = {'callback_api_version': paho.CallbackAPIVersion.VERSION2} if hasattr(paho, 'CallbackAPIVersion') else {}
    old = paho.Client(client_id=hub.id, **modern)
    context = ssl.create_default_context(cafile=str(gate.root))
    context.load_cert_chain(str(hub.ldevid.cert_file), str(hub.ldevid.key_file))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    old.tls_set_context(context)
    with pytest.raises(ssl.SSLError, match='(?i)protocol.version'):
        old.connect('localhost', broker.port)
    until('the log tells', lambda: re.search('unsupported protocol|wrong version|no protocols available', broker.log()))
    assert publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data'), 'by 1.3 it comes in'


def kicked(gate, broker, hub, *command):
    """A live session ends by an operator's command, without its last will, and does not come back."""
    comes_in(gate, broker, hub)
    ear = Listener(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/command')
    assert not ear.cut.is_set()
    gate.cli(*command)
    until('the session is cut', ear.cut.is_set)
    ear.client.loop_stop()
    assert not publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data')
    assert f"client '{hub.id}' has to go" in broker.log()


def test_a_revoked_certificate_loses_its_session_and_revoke_show_tells_when(gate, broker):
    hub = hub_of(gate)
    comes_in(gate, broker, hub)
    ear = Listener(gate, broker, hub.ldevid, hub.id)
    plan = gate.json('revoke', 'plan', '--device', hub.id, '--reason', 'superseded')
    gate.cli('revoke', 'run', plan['id'])
    until('the session is cut', ear.cut.is_set)
    ear.client.loop_stop()
    until('the broker has said so', lambda: re.search(r'consumer:broker\.localhost\s+20', gate.cli('revoke', 'show', plan['id']).stdout))
    assert not publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data')


def test_a_suspended_device_goes_and_may_come_back(gate, broker):
    hub = hub_of(gate)
    kicked(gate, broker, hub, 'device', 'suspend', hub.id, '--reason', 'lost')
    gate.cli('device', 'resume', hub.id)
    comes_in(gate, broker, hub)


def test_a_retired_device_goes(gate, broker):
    hub = hub_of(gate)
    kicked(gate, broker, hub, 'device', 'retire', hub.id, '--reason', 'cessationOfOperation')


def test_a_batch_in_quarantine_goes(gate, broker):
    batch = 'B1'
    hubs = []
    for _ in range(2):
        device, secret = gate.register(None, '--batch', batch)
        hub = type('Hub', (), {'id': device})()
        folder = gate.folder / f'q-{device}'
        folder.mkdir()
        for name, how in (('idevid', {'secret': (device, secret)}), ('ldevid', None)):
            key = new_key()
            reply = gate.enrol(csr_der(key, device), **(how or {'who': hub.idevid}))
            from harness import certs_in
            setattr(hub, name, Credential(folder, name, key, certs_in(reply.body)[0], gate.pem('ca-devices')))
        hubs.append(hub)
        comes_in(gate, broker, hub)
    ears = [Listener(gate, broker, hub.ldevid, hub.id) for hub in hubs]
    gate.cli('batch', 'quarantine', batch, '--reason', 'weak keys')
    for ear in ears:
        until('its session is cut', ear.cut.is_set)
        ear.client.loop_stop()


def test_only_a_broker_reads_who_may_connect(gate, cloud, broker):
    hub = gate.device()
    for who in (None, cloud, hub.ldevid):
        for path in ('/broker/v1/snapshot', '/broker/v1/changes', '/broker/v1/trust'):
            try:
                assert gate.ask('devices', 'GET', path, who=who).status in (401, 403)
            except OSError:
                pass

    class Feed:
        cert_file = key_file = broker.folder / 'feed.pem'
    snapshot = gate.ask('devices', 'GET', '/broker/v1/snapshot', who=Feed)
    assert snapshot.status == 200 and hub.id in snapshot.text
    assert gate.ask('devices', 'POST', '/device/v1/hello', '{}', {'Content-Type': 'application/json'}, who=Feed).status == 403
    assert gate.ask('operators', 'GET', '/api/v1/devices', who=Feed).status == 403
    assert gate.ask('devices', 'GET', '/broker/v1/changes?since=99999999', who=Feed).status == 409


def test_verdicts_of_attestation_are_the_policys(gate, tmp_path):
    strict = Broker(gate, tmp_path / 'strict', edit=lambda text: text.replace('[none, trusted, suspect]', '[trusted]')).filled()
    hub = hub_of(gate)
    until('it is refused for that', lambda: not publish(gate, strict, hub.ldevid, hub.id, f'devices/{hub.id}/data')
          and 'attestation does not suffice' in strict.log())
    policy = strict.folder / 'policy.yaml'
    policy.write_text(policy.read_text().replace('[trusted]', '[none, nonsense]'))
    strict.process.send_signal(signal.SIGHUP)
    strict.logged('the policy stays as it was')
    policy.write_text(policy.read_text().replace('[none, nonsense]', '[none]'))
    strict.process.send_signal(signal.SIGHUP)
    comes_in(gate, strict, hub)
    strict.stop()


def test_a_device_that_is_no_longer_believed_loses_its_session(gate, broker):
    """Rounds of attestation that fail: suspect stays (the policy takes it), failed goes."""
    hub = hub_of(gate)
    comes_in(gate, broker, hub)
    ear = Listener(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/command')

    def lie():
        nonce = json.loads(gate.ask('devices', 'GET', '/device/v1/attest/challenge', who=hub.ldevid).text)['nonce']
        gate.ask('devices', 'POST', '/device/v1/attest/evidence', json.dumps({'nonce': nonce, 'signature': 'AAAA'}),
                 {'Content-Type': 'application/json'}, who=hub.ldevid)
        return gate.json('device', 'show', hub.id)['attestation']
    assert lie() == 'suspect'
    ear.client.publish(f'devices/{hub.id}/data', 'still here', 1).wait_for_publish(20)
    assert not ear.cut.is_set()
    until('the verdict is failed', lambda: lie() == 'failed')
    until('the session is cut', ear.cut.is_set)
    ear.client.loop_stop()
    assert not publish(gate, broker, hub.ldevid, hub.id, f'devices/{hub.id}/data')
    assert 'attestation does not suffice: failed' in broker.log()


def renewed_with_the_next_root(gate, broker):
    """`broker renew` brings the folder's trust anchors up, says so once, and takes none away for an operator who is behind."""
    def renew(says, warns=''):
        as_root = ['--user', 'root'] if os.geteuid() == 0 else []
        done = gate.cli('broker', 'renew', broker.folder, '--name', 'localhost', *as_root)
        assert ('trusted roots' in done.stdout, 'warning' in done.stderr) == (says, bool(warns)) and warns in done.stderr, words(done)
    mine, its = gate.state / 'admin/root.pem', broker.folder / 'root.pem'
    both, old = mine.read_text(), its.read_text()
    assert both.count('BEGIN') == 2 and old in both and both != its.read_text()
    renew(says=True)
    assert its.read_text() == both
    mine.write_text(old)
    renew(says=False, warns='newer root')
    assert its.read_text() == both
    mine.write_text(both)
    renew(says=False)
    read = broker.log().count('policy read anew')
    broker.process.send_signal(signal.SIGHUP)
    until('it has read', lambda: broker.log().count('policy read anew') > read)


def test_a_cas_new_key_is_believed_without_a_restart(tmp_path):
    gate = Gate(tmp_path / 'gate', '--approver', 'bob').start()
    one = Broker(gate, tmp_path / 'rolls').filled()
    before = hub_of(gate)
    comes_in(gate, one, before)
    ear = Listener(gate, one, before.ldevid, before.id)
    bundle, _ = make_next(gate, tmp_path, gate.offline, tmp_path / 'next')
    gate.cli('ca', 'install', bundle)
    gate.offline = tmp_path / 'next'
    new_ca = rotate_ca(gate, tmp_path)  # by the next root alone, which the broker's own file does not have
    after = gate.device()
    leaf = x509.load_pem_x509_certificate(after.ldevid.cert_file.read_bytes())
    aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert aki == new_ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    comes_in(gate, one, after)  # its leaf alone: the broker has its own list of CAs
    comes_in(gate, one, with_chain(gate, after, 'ca-devices.2'))
    assert not ear.cut.is_set(), 'who was there stays'
    ear.close()
    assert publish(gate, one, before.ldevid, before.id, f'devices/{before.id}/data'), 'and so does its old certificate'
    renewed_with_the_next_root(gate, one)
    comes_in(gate, one, after)
    one.kill()
    gate.stop()


def test_renewed_certificates_are_taken_on_sighup(gate, tmp_path):
    one = Broker(gate, tmp_path / 'renew').filled()
    hub = hub_of(gate)
    comes_in(gate, one, hub)

    def serial():
        done = run('openssl', 's_client', '-connect', f'localhost:{one.port}', '-CAfile', gate.root, check=False, data='')
        return x509.load_pem_x509_certificate(done.stdout[done.stdout.index('-----BEGIN'):].encode()).serial_number
    before = serial()
    as_root = ['--user', 'root'] if os.geteuid() == 0 else []
    gate.cli('broker', 'renew', one.folder, '--name', 'localhost', *as_root)
    one.process.send_signal(signal.SIGHUP)
    until('the new one is shown', lambda: serial() != before)
    comes_in(gate, one, hub)
    one.kill()


def test_a_silent_server_closes_the_door_and_its_return_opens_it(tmp_path):
    gate = Gate(tmp_path / 'gate')
    gate.start()
    one = Broker(gate, tmp_path / 'b', edit=lambda text: text.replace('stale_s: 60', 'stale_s: 6')).filled()
    hub, other = hub_of(gate), hub_of(gate)
    comes_in(gate, one, hub)
    comes_in(gate, one, other)
    ear = Listener(gate, one, hub.ldevid, hub.id)
    gate.kill()
    until('new ones are refused', lambda: not publish(gate, one, other.ldevid, other.id, f'devices/{other.id}/data'), 40)
    one.logged('the server was not heard of for too long')
    assert 'the feed fails' in one.log()
    one.process.send_signal(signal.SIGHUP)  # Mosquitto asks the plugin again about everybody
    one.logged('policy read anew')
    until('a message passes', ear.client.publish(f'devices/{hub.id}/data', 'x', 1).is_published)
    assert not ear.cut.is_set(), 'as the policy says'
    policy = one.folder / 'policy.yaml'
    policy.write_text(policy.read_text().replace('stale_sessions: keep', 'stale_sessions: cut'))
    one.process.send_signal(signal.SIGHUP)
    until('as it says now', ear.cut.is_set)
    ear.client.loop_stop()
    gate.start()
    comes_in(gate, one, hub)
    metrics = one.folder / 'metrics.prom'
    until('the figures tell', lambda: re.search(r'refusals_total\{reason="stale"\} [1-9]', metrics.read_text()))
    one.kill()
    gate.stop()
