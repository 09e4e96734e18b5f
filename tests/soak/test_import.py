"""A factory's day in one file: 100,000 lines, some of them bad. Nothing grows with the file, and every bad line is told."""
import csv
import pathlib
import re
import subprocess
import threading
import time

from harness import KEYWRIGHT, Gate, csr_der, new_key

LINES = 100_000
BAD_EVERY = 1000


def resident_kib(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', pathlib.Path(f'/proc/{pid}/status').read_text())[1])


def write_units(path):
    with path.open('w', encoding='utf-8') as file:
        file.write('id,serial,product,batch\n')
        for i in range(LINES):
            bad = i % BAD_EVERY == 7
            file.write(f'{"U " if bad else "U-"}{i:06d},S-{i:06d},meter-1,B{i // 50_000}\n')
    return {i + 2 for i in range(LINES) if i % BAD_EVERY == 7}


def test_a_hundred_thousand_lines(tmp_path):
    gate = Gate(tmp_path / 'gate').start()
    try:
        path, out = tmp_path / 'units.csv', tmp_path / 'secrets.csv'
        bad = write_units(path)
        gate.register()  # what is made once is there
        before = resident_kib(gate.process.pid)
        peaks, slowest = {'server': 0, 'client': 0}, [0.0]
        started = time.monotonic()
        client = subprocess.Popen([KEYWRIGHT, 'device', 'import', path, '--secrets', out],
                                  env={'KEYWRIGHT_ADMIN': str(gate.state / 'admin')}, stdout=subprocess.PIPE, text=True)

        def look():
            while client.poll() is None:
                at = time.monotonic()
                assert gate.healthy()
                slowest[0] = max(slowest[0], time.monotonic() - at)
                peaks['server'] = max(peaks['server'], resident_kib(gate.process.pid))
                try:
                    peaks['client'] = max(peaks['client'], resident_kib(client.pid))
                except (OSError, TypeError):
                    pass  # it has ended
                time.sleep(0.2)
        watcher = threading.Thread(target=look)
        watcher.start()
        said, _ = client.communicate(timeout=1200)
        watcher.join()
        seconds = time.monotonic() - started
        print(f'{LINES} lines in {seconds:.1f} s ({LINES / seconds:.0f} a second); server {before} KiB, then at most '
              f'{peaks["server"]}; client at most {peaks["client"]} KiB; slowest other answer {slowest[0] * 1000:.0f} ms')
        assert client.returncode == 1, 'lines were refused'
        assert {int(line) for line in re.findall(r'^line (\d+): character', said, re.M)} == bad
        assert f'{LINES - len(bad)} registered, 0 known before, {len(bad)} refused' in said
        secrets = dict(csv.reader(out.open()))
        assert len(secrets) == LINES - len(bad)
        assert sum(gate.json('batch', 'show', f'B{i}')['units'] for i in range(2)) == len(secrets)
        assert peaks['server'] < before + 64 * 1024 and 0 < peaks['client'] < 64 * 1024
        reply = gate.enrol(csr_der(new_key(), 'U-099999'), secret=('U-099999', secrets['U-099999']))
        assert reply.status == 200, reply
    finally:
        gate.stop()
