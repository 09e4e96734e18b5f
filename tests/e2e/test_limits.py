"""The disk is full: 503, nothing lost, and on again when there is room."""
import os
import shutil
import subprocess

import pytest
from harness import Gate, csr_der, new_key, run, until


def small_disk(tmp_path, megabytes):
    """A tmpfs of its own; needs to be allowed to mount."""
    place = tmp_path / 'disk'
    place.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m,mode=0700', 'keywright-test', place],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip('no small disk can be mounted here: ' + done.stderr.strip())
    return place


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0 or not shutil.which('mount'):
        pytest.skip('a small disk can only be mounted by root')
    place = small_disk(tmp_path, 8)
    yield place
    run('umount', '-l', place)


def test_disk_full(disk):
    gate = Gate(disk / 'gate')
    gate.log_path = disk.parent / 'server.log'
    gate.start()
    try:
        devices = [gate.device() for _ in range(2)]
        ballast = disk / 'ballast'
        with open(ballast, 'wb', buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass
        live = gate.connect('devices', devices[0].idevid)

        def refused():
            reply = gate.enrol(csr_der(new_key(), devices[0].id), connection=live)
            assert reply.status in (200, 503), reply
            return reply if reply.status == 503 else None
        reply = until('the disk is full', refused)
        assert int(reply.headers['retry-after']) >= 1 and str(gate.state) not in reply.text
        for _ in range(5):
            assert gate.enrol(csr_der(new_key(), devices[0].id), connection=live).status == 503
        assert gate.alive()
        assert gate.ask('relying', 'GET', '/ca/root.cer').status == 200
        assert gate.operators_get('/api/v1/certs').status == 200
        ballast.unlink()
        until('it goes on', lambda: gate.enrol(csr_der(new_key(), devices[0].id), who=devices[0].idevid).status == 200)
        assert devices[1].hello().status == 200
        gate.cli('log', 'verify')
        assert gate.stop() == 0
        gate.start()
        gate.cli('log', 'verify')
    finally:
        gate.stop()


def test_no_descriptors_left(tmp_path):
    """More connections than the process may have: the others are served when some go."""
    import socket
    gate = Gate(tmp_path / 'gate')
    gate.start()
    idle = []
    try:
        run('prlimit', '--pid', gate.process.pid, '--nofile=128:128')
        for _ in range(200):
            one = socket.socket()
            one.settimeout(5)
            if one.connect_ex(('127.0.0.1', gate.ports[2])) == 0:
                idle.append(one)
        assert gate.alive()
        for one in idle:
            one.close()
        idle = []
        until('it serves again', gate.healthy)
        assert gate.device().hello().status == 200
    finally:
        for one in idle:
            one.close()
        gate.stop()
