#!/usr/bin/python3
"""What keywright-agent costs a device: time from the start of the process to an answer over mutual TLS, against
`openssl s_client` with the same certificate in turns with it; and memory while it runs.

  KW_BENCH_STARTS   runs of each (40)
Software key always; swtpm (SIMULATED) and SoftHSM (SIMULATED) where they are installed.
"""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(os.environ['KW_SOURCE_ROOT'], 'tests')))
import harness  # noqa: E402 pylint: disable=wrong-import-position

STARTS = int(os.environ.get('KW_BENCH_STARTS', '40'))
FLOOR = """GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"""


def timed(work):
    begin = time.monotonic()
    work()
    return (time.monotonic() - begin) * 1000


def enrolled(gate, folder, name, rot=None):
    one = harness.Agent(gate, folder / name, gate.new_id(name.upper()))
    one.rot = rot(one) if rot else one.rot
    one.put_secret(gate.register(one.id)[1])
    one.enrol()
    return one


def s_client(gate, folder):
    """A connection and one request of a program that only speaks TLS, with a software key of its own."""
    device = gate.device()
    key, cert = folder / 'floor.key', folder / 'floor.pem'
    key.write_bytes(harness.key_pem(device.ldevid.key))
    cert.write_bytes(harness.pem_of(harness.der_of(device.ldevid.cert)) + gate.pem('ca-devices'))
    command = ['openssl', 's_client', '-quiet', '-tls1_3', '-connect', gate.url('devices').split('//')[1],
               '-servername', 'localhost', '-CAfile', str(gate.root), '-cert', str(cert), '-cert_chain', str(cert),
               '-key', str(key), '-verify_return_error']

    def once():
        done = subprocess.run(command, input=FLOOR, capture_output=True, text=True, timeout=30, check=False)
        assert 'HTTP/1.1' in done.stdout, done.stderr
    return once


def starts(agent, floor, title, target_ms):
    """Its hello and the floor in turns; both have run once before, so that no file is read from the disk."""
    agent.do('hello')
    floor()
    pairs = [(timed(floor), timed(lambda: agent.do('hello'))) for _ in range(STARTS)]
    below, work = (statistics.median(column) for column in zip(*pairs))
    worst = max(pair[1] for pair in pairs)
    print(f'{title:44} floor {below:6.1f} ms   work {work:6.1f} ms   worst {worst:6.1f} ms   ratio {work / below:5.2f}'
          f'   target <= {target_ms} ms: {"yes" if work <= target_ms else "NO"}')


def memory_of(pid):
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    return {name: int(re.search(rf'^{name}:\s+(\d+) kB', text, re.M)[1]) / 1024
            for name in ('Rss', 'Pss', 'Private_Dirty')}


def memory(agent, title):
    """While it runs, after ten hellos; what of it is private is what a further process costs."""
    process = subprocess.Popen([harness.AGENT, 'run', '--interval', '0.05', '--state', agent.state],
                               stdout=subprocess.PIPE, text=True)
    try:
        hellos = 0
        while hellos < 10:
            hellos += 'hello' in process.stdout.readline()
        found = memory_of(process.pid)
    finally:
        process.terminate()
        process.wait(10)
    print(f'{title:44} resident {found["Rss"]:5.1f} MiB   proportional {found["Pss"]:5.1f} MiB   '
          f'private and written {found["Private_Dirty"]:5.1f} MiB   target <= 8 MiB: '
          f'{"yes" if found["Rss"] <= 8 else "NO"}')


def memory_of_floor(gate):
    """s_client while it is connected."""
    process = subprocess.Popen(['openssl', 's_client', '-tls1_3', '-connect', gate.url('devices').split('//')[1],
                                '-CAfile', str(gate.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        while 'Verify return code' not in process.stdout.readline():
            pass
        found = memory_of(process.pid)
    finally:
        process.kill()
        process.wait(10)
    print(f'{"memory, floor: openssl s_client":44} resident {found["Rss"]:5.1f} MiB   proportional {found["Pss"]:5.1f}'
          f' MiB   private and written {found["Private_Dirty"]:5.1f} MiB')


def softhsm(folder):
    """The URI of a fresh token; None where SoftHSM is not installed."""
    module = next((path for path in ('/usr/lib/softhsm/libsofthsm2.so',
                                     '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(path)), None)
    if not module or harness.need('softhsm2-util'):
        return None
    (folder / 'tokens').mkdir()
    conf, pin = folder / 'softhsm2.conf', folder / 'pin'
    conf.write_text(f'directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n')
    pin.write_text('1234567890\n')
    pin.chmod(0o600)
    os.environ['SOFTHSM2_CONF'] = str(conf)
    harness.run('softhsm2-util', '--init-token', '--free', '--label', 'bench', '--pin', '1234567890', '--so-pin',
                '0987654321')
    return f'pkcs11:token=bench?module-path={module}&pin-source=file:{pin}'


def measure(gate, folder):
    floor = s_client(gate, folder)
    agent = enrolled(gate, folder, 'soft')
    starts(agent, floor, 'start to connected, software key', 300)
    memory_of_floor(gate)
    memory(agent, 'memory, software key')
    if not harness.need('swtpm'):
        tpm = harness.Tpm(folder / 'swtpm')
        try:
            agent = enrolled(gate, folder, 'tpm', lambda one: f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}')
            starts(agent, floor, 'start to connected, swtpm (SIMULATED)', 1500)
            memory(agent, 'memory, swtpm (SIMULATED)')
        finally:
            tpm.stop()
    uri = softhsm(folder)
    if uri:
        agent = enrolled(gate, folder, 'token', lambda one: uri)
        starts(agent, floor, 'start to connected, SoftHSM (SIMULATED)', 1500)


def main():
    with tempfile.TemporaryDirectory(prefix='keywright-bench.') as name:
        folder = pathlib.Path(name)
        gate = harness.Gate(folder / 'gate')
        gate.start()
        try:
            measure(gate, folder)
        finally:
            gate.stop()


if __name__ == '__main__':
    main()
