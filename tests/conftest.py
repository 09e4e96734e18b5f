"""Fixtures of every pytest folder; what they are made of is in harness.py."""
import pytest

import harness


@pytest.fixture(scope='session')
def gate(tmp_path_factory):
    """One server for all tests that do not harm it."""
    one = harness.Gate(tmp_path_factory.mktemp('gate'))
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


@pytest.fixture(scope='session')
def mqtt_gate(tmp_path_factory):
    """One for all that talk over MQTT: it may be stopped and started again."""
    one = harness.Gate(tmp_path_factory.mktemp('mqtt'))
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


@pytest.fixture(scope='session')
def mqtt_broker(mqtt_gate, tmp_path_factory):
    """And its broker, with the policy as it is written."""
    from test_mqtt import Broker
    one = Broker(mqtt_gate, tmp_path_factory.mktemp('broker') / 'b').filled()
    yield one
    one.stop()


@pytest.fixture
def own_gate(tmp_path):
    """A server of the test's own, to be killed and starved."""
    one = harness.Gate(tmp_path / 'own')
    one.start()
    yield one
    if one.alive():
        one.stop()


@pytest.fixture
def tpm(tmp_path):
    missing = harness.need('swtpm', 'tpm2_getcap')
    if missing:
        pytest.skip(f'{missing} is not installed')
    one = harness.Tpm(tmp_path / 'tpm')
    yield one
    one.stop()


def pytest_sessionfinish():
    """A test that failed may have left its server behind."""
    for process in harness.Gate.started:
        if process.poll() is None:
            process.kill()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the server said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name in ('gate', 'own_gate'):
            one = getattr(item, 'funcargs', {}).get(name)
            if one:
                report.sections.append((f'server log of {name}', one.log()[-4000:]))
