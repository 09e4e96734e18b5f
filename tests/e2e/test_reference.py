"""The founding reference's Python programs, as they stand there, on our PKI and broker: paho's interfaces v1 and v2.
They get along with each other, and with our hub and cloud as far as they should."""
import json
import re
import subprocess

import pytest
from harness import SOURCE, need, until
from test_home import CLOUD, HUB, NAME, Program
from test_home import service as real_service
from test_mqtt import broker, comes_in, gate, hub_of, publish, service  # noqa: F401 (a fixture)

SAMPLES = SOURCE / 'tests/interop/reference'
pytestmark = pytest.mark.skipif(need('mosquitto') is not None or not HUB.exists(),
                                reason='built without libmosquitto-dev, or no mosquitto here')
V1 = ('mqtt.Client(', 'mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, ')
V2 = [('mqtt.Client(', 'mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, '),
      ('def on_connect(client, userdata, flags, rc):', 'def on_connect(client, userdata, flags, rc, properties):')]


def version_of(python):
    done = subprocess.run([python, '-c', 'import paho.mqtt; print(paho.mqtt.__version__)'], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip()


def pinned_python():
    done = subprocess.run([SOURCE / 'tools/interop'], capture_output=True, text=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL)
    return f'{done.stdout.strip()}/python3' if done.returncode == 0 else done.stderr


@pytest.fixture(name='paho', scope='module', params=['as written, paho 1', 'paho 2, interface v1', 'paho 2, interface v2'])
def python_and_edits(request):
    """An interpreter with that paho, and what its interface wants changed."""
    candidates = ['/usr/bin/python3'] if 'paho 1' in request.param else ['/usr/bin/python3', pinned_python()]
    major = '1.' if 'paho 1' in request.param else '2.'
    for python in candidates:
        if not python.startswith('/'):
            pytest.skip(python)
        if version_of(python).startswith(major):
            return python, {'as written, paho 1': [], 'paho 2, interface v1': [V1]}.get(request.param, V2)
    pytest.skip(f'no paho-mqtt {major}x here')


@pytest.fixture(name='backend', scope='module')
def cloud_with_key_file(gate, broker, tmp_path_factory):  # noqa: F811
    one = service(gate, tmp_path_factory.mktemp('cloud'), NAME)
    one.cert_file.write_bytes(one.cert_file.read_bytes() + gate.pem('ca-services'))
    until('the cloud comes in', lambda: publish(gate, broker, one, NAME, 'devices/x/command'))
    return one


@pytest.fixture
def hub(gate, broker):  # noqa: F811
    one = hub_of(gate)
    comes_in(gate, broker, one)
    return one


class Sample(Program):
    """One of the programs, with our values where its comments say so."""

    def __init__(self, paho, name, folder, gate, broker, who, device):  # noqa: F811
        python, edits = paho
        text = (SAMPLES / name).read_text()
        settings = {'BROKER_PORT': str(broker.port), 'CA_CERT_PATH': repr(str(gate.root)),
                    'CLIENT_CERT_PATH': repr(str(who.cert_file)), 'CLIENT_KEY_PATH': repr(str(who.key_file)),
                    '(?:TARGET_)?DEVICE_ID': repr(device)}
        for setting, value in settings.items():
            text, n = re.subn(rf'^({setting}) = .*$', lambda found, value=value: f'{found[1]} = {value}', text, flags=re.M)
            assert n == 1, setting
        for old, new in [('time.sleep(10)', 'time.sleep(0.2)'), ('time.sleep(30)', 'time.sleep(0.3)'), *edits]:
            text = text.replace(old, new)
        (folder / name).write_text(text)
        self.command, self.path = [python, '-u', folder / name], folder / f'{name}.log'
        self.start()

    def stop(self):
        self.kill()


def test_the_two_talk_to_each_other(gate, broker, backend, hub, paho, tmp_path):  # noqa: F811
    cloud = Sample(paho, 'cloud_service.py', tmp_path, gate, broker, backend, hub.id)
    device = Sample(paho, 'iot_hub_device.py', tmp_path, gate, broker, hub.ldevid, hub.id)
    try:
        device.says(f"收到來自主題 'devices/{hub.id}/command' 的指令: TURN_LIGHT_ON")
        cloud.says(f"收到來自 'devices/{hub.id}/data' 的資料: .*temperature")
        reading = json.loads(re.search(r'的資料: (.*)', cloud.words())[1])
        assert set(reading) == {'sensor', 'value'}
    finally:
        cloud.stop()
        device.stop()


def test_the_samples_hub_with_our_cloud_and_the_samples_cloud_with_our_hub(gate, broker, hub, paho, tmp_path):  # noqa: F811
    """Its readings are stored; a command that nobody signed switches nothing."""
    backend = real_service(gate, tmp_path, 'home-cloud')
    ours = Program(CLOUD, tmp_path, '--state', backend.state, '--broker', f'localhost:{broker.port}', '--retry', '0.5',
                   '--store', tmp_path / 'db')
    device = Sample(paho, 'iot_hub_device.py', tmp_path, gate, broker, hub.ldevid, hub.id)
    try:
        ours.says(f'^reading of {hub.id}: temperature .*, stored')
    finally:
        device.stop()
        ours.stop()


def test_a_plain_command_of_the_sample_switches_nothing(gate, broker, backend, paho, tmp_path):  # noqa: F811
    from test_home import device as enrolled
    one = enrolled(gate, tmp_path / 'hub')
    ours = Program(HUB, tmp_path, '--state', one.state, '--broker', f'localhost:{broker.port}', '--retry', '0.5', '--every', '0.2')
    cloud = Sample(paho, 'cloud_service.py', tmp_path, gate, broker, backend, one.id)
    try:
        ours.says('^refused: malformed')
        cloud.says(f"收到來自 'devices/{one.id}/data' 的資料")
        assert ours.count('^light') == 0
    finally:
        cloud.stop()
        ours.stop()
