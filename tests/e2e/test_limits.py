"""The disk is full: 503, nothing lost, and on again when there is room."""
import json
import os
import shutil
import subprocess

import pytest
from cryptography import x509
from harness import Gate, csr_der, new_key, run, until, words


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


def fill(ballast, but=0):
    """Write until there is no room; then give so many octets back."""
    with open(ballast, 'wb', buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            file.truncate(max(0, file.tell() - but))


def test_disk_full(disk):
    gate = Gate(disk / 'gate')
    gate.log_path = disk.parent / 'server.log'
    gate.start()
    try:
        devices = [gate.device() for _ in range(2)]
        ballast = disk / 'ballast'
        fill(ballast)
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


@pytest.mark.parametrize('room', [0, 48 << 10, 160 << 10])
def test_disk_full_in_a_mass_revocation(disk, room):
    """Wherever the disk is full, between the plan's making and the CA's list: it goes on when there is room, and nothing is done twice."""
    gate = Gate(disk / 'gate')
    gate.log_path = disk.parent / 'server.log'
    gate.start()
    try:
        for _ in range(12):
            ident, secret = gate.register(None, '--batch', 'B-1')
            assert gate.enrol(csr_der(new_key(), ident), secret=(ident, secret)).status == 200
        fill(disk / 'ballast', but=room)
        made, ran = None, None
        for _ in range(12):  # what fits is done, what does not says so, and the server lives
            made = made or plan(gate)
            ran = ran or (made and gate.cli('revoke', 'run', made, check=False).returncode == 0)
            gate.enrol(csr_der(new_key(), ident), secret=(ident, secret))
        assert gate.alive()
        (disk / 'ballast').unlink()
        made = made or until('a plan can be made', lambda: plan(gate))
        if not ran:
            until('it can be run', lambda: gate.cli('revoke', 'run', made, check=False).returncode == 0)
        done = until('the plan is done', lambda: (p := gate.json('revoke', 'show', made))['state'] == 'done' and p)
        assert (done['done'], done['passed_over']) == (12, 0)
        assert {c['state'] for c in gate.json('cert', 'list', '--batch', 'B-1', '--profile', 'idevid')['items']} == {'revoked'}
        until('the list has them', lambda: len(revoked_in(gate)) == 12)
        gate.cli('log', 'verify')
    finally:
        gate.stop()


def plan(gate):
    made = gate.cli('revoke', 'plan', '--batch', 'B-1', '--profile', 'idevid', '--json', check=False)
    assert made.returncode == 0 or 'room' in words(made) or 'disk' in words(made), words(made)
    return str(json.loads(made.stdout)['id']) if made.returncode == 0 else None


def revoked_in(gate):
    return {entry.serial_number for entry in x509.load_der_x509_crl(gate.ask('relying', 'GET', '/crl/devices.crl').body)}


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
