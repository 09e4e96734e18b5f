"""kill -9 under load, and what must hold afterwards; used by the ordinary suite and by tests/soak."""
import base64
import http.client
import json
import random
import re
import sqlite3
import ssl
import threading
import time

from cryptography import x509
from harness import Credential, certs_in, csr_der, fingerprint, key_id, new_key, run, words


class Load:
    """Threads that enrol and renew without pause, and keep every certificate that they were given."""

    def __init__(self, gate, threads=4):
        self.gate, self.stop, self.lock = gate, threading.Event(), threading.Lock()
        self.received, self.refused, self.sent = [], [], {}
        self.devices = []
        for _ in range(threads):
            device = gate.device()
            self.received += [device.idevid.cert, device.ldevid.cert]
            self.devices.append(device)
        self.keys = [new_key() for _ in range(200)]
        self.threads = [threading.Thread(target=self.work, args=(device,)) for device in self.devices]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def next_key(self):
        with self.lock:
            return self.keys.pop() if self.keys else new_key()

    def work(self, device):
        """Renewals, one after the other, on a connection that is made again whenever it breaks."""
        connection, csr, key = None, None, None
        while not self.stop.is_set():
            if csr is None:
                key = self.next_key()
                csr = csr_der(key, device.id)
            try:
                connection = connection or self.gate.connect('devices', device.ldevid)
                reply = self.gate.enrol(csr, verb='simplereenroll', connection=connection)
            except (OSError, http.client.HTTPException, ssl.SSLError):
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.005)
                continue
            if reply.status == 200:
                (cert,) = certs_in(reply.body)
                with self.lock:
                    self.received.append(cert)
                connection.close()
                connection, csr = None, None
                device.ldevid = Credential(device.folder, 'ldevid', key, cert)
            elif reply.status != 503:
                with self.lock:
                    self.refused.append(reply)
                csr = None


def kill_under_load(gate, times, threads=4, seed=1):
    """Kill and restart so many times; the certificates that were received."""
    chance = random.Random(seed)
    with Load(gate, threads) as load:
        for _ in range(times):
            goal = len(load.received) + chance.randrange(1, 12)
            end = time.monotonic() + 20
            while len(load.received) < goal and time.monotonic() < end:
                time.sleep(0.001)
            assert len(load.received) >= goal, f'the load stands still: {load.refused[-3:]}'
            time.sleep(chance.random() * 0.01)
            gate.kill()
            gate.start(wait=False)
        gate.wait_healthy()
    assert not load.refused, load.refused[:3]
    return load.received


def check_all(gate, received):
    """Every certificate is in the store and in the log; both are whole."""
    for cert in received[:3] + received[-20:]:
        shown = gate.json('cert', 'show', fingerprint(cert))
        assert int(shown['serial'], 16) == cert.serial_number
        assert shown['key'] == key_id(cert.public_key())
    verified = gate.cli('log', 'verify').stdout
    size = int(re.search(r'(\d+) entries', verified)[1])
    logged = logged_serials(gate, size)
    assert gate.stop() == 0
    rows = registry(gate)
    stored = {row[0] for row in rows}
    serials = [row[1] for row in rows]
    assert len(set(serials)) == len(serials), 'a serial number was used twice'
    for cert in received:
        assert fingerprint(cert) in stored, 'received by a client, but not in the store'
        assert cert.serial_number in logged, 'received by a client, but not in the log'
    assert {int(serial, 16) for _, serial in rows} == logged, 'store and log do not tell the same'
    return len(rows), size


def logged_serials(gate, size):
    """Serial numbers of every issuance in the log."""
    found = set()
    for first in range(0, size, 1000):
        reply = gate.operators_get(f'/api/v1/log/tail?first={first}&max=1000')
        for line in reply.text.splitlines():
            entry = json.loads(line.split('\t', 1)[1])
            if entry['type'] in ('cert.issue', 'cert.renew'):
                found.add(int(re.search(r'/([0-9a-f]+)$', entry['object'])[1], 16))
    return found


def registry(gate):
    """(fingerprint, serial) of every certificate, by sqlite3 itself; the database is sound."""
    (path,) = [path for path in (gate.state / 'store').iterdir() if path.suffix in ('.db', '.sqlite', '.sqlite3')]
    assert words(run('sqlite3', path, 'PRAGMA integrity_check')).strip() == 'ok'
    with sqlite3.connect(path) as db:
        return db.execute('SELECT lower(hex(fingerprint)), lower(hex(serial)) FROM cert JOIN cert_body USING (row)'
                          ).fetchall()
