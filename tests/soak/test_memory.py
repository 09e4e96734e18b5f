"""Resident memory with 10,000 certificates, and no growth under load (KW_SOAK_SECONDS, 600 where it counts)."""
import os
import re
import threading
import time

from harness import Credential, certs_in, csr_der, new_key

CERTS = int(os.environ.get('KW_SOAK_CERTS', '10000'))
SECONDS = int(os.environ.get('KW_SOAK_SECONDS', '60'))
RSS_MAX_KIB = 64 * 1024
THREADS = 4


def rss_kib(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1])


def both(gate):
    return rss_kib(gate.process.pid), rss_kib(gate.keeper_pid())


def in_threads(work):
    """work(number) in every thread; its first failure is ours."""
    failures = []

    def guarded(i):
        try:
            work(i)
        except BaseException as error:  # told below
            failures.append(error)
    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def fill(gate, devices, n):
    """So many LDevIDs, on kept connections."""
    def work(i):
        device = devices[i]
        connection = gate.connect('devices', device.idevid)
        for _ in range(n // THREADS):
            reply = gate.enrol(csr_der(new_key(), device.id), connection=connection)
            assert reply.status == 200, reply
        connection.close()
    in_threads(work)


def mixed(gate, devices, seconds):
    """Handshakes, renewals, hellos, OCSP, CRLs, lists, and bad requests, for so long; how many."""
    end, n = time.monotonic() + seconds, [0] * THREADS

    def work(i):
        device = devices[i]
        while time.monotonic() < end:
            key = new_key()
            reply = gate.enrol(csr_der(key, device.id), who=device.ldevid, verb='simplereenroll')
            assert reply.status == 200, reply
            device.ldevid = Credential(device.folder, 'ldevid', key, certs_in(reply.body)[0])
            assert device.hello().status == 200
            assert gate.enrol(b'x', who=device.ldevid).status == 400
            assert gate.ask('relying', 'GET', '/crl/devices.crl').status == 200
            assert gate.operators_get('/api/v1/certs?max=50').status == 200
            n[i] += 5
    in_threads(work)
    return sum(n)


def test_memory(own_gate):
    devices = [own_gate.device() for _ in range(THREADS)]
    empty = both(own_gate)
    fill(own_gate, devices, CERTS)
    full = both(own_gate)
    assert own_gate.metric('certificates') >= CERTS
    mixed(own_gate, devices, SECONDS / 4)
    before = both(own_gate)
    n = mixed(own_gate, devices, SECONDS * 3 / 4)
    after = both(own_gate)
    print(f'RSS keywrightd, keeper KiB: empty {empty}, {CERTS} certificates {full}, warm {before}, '
          f'after {n} more requests {after}')
    assert sum(after) < RSS_MAX_KIB
    assert sum(after) < sum(before) * 1.05 + 1024, 'it grows under load'
