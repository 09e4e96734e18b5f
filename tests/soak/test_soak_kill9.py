"""200 times kill -9 under load. Minutes, not seconds: pytest tests/soak, not part of `make test`."""
import os

from crash import check_all, kill_under_load

KILLS = int(os.environ.get('KW_KILLS', '200'))


def test_server_killed_200_times(own_gate):
    received = kill_under_load(own_gate, KILLS, threads=4, seed=2)
    stored, entries = check_all(own_gate, received)
    print(f'{KILLS} kills, {len(received)} certificates received, {stored} stored, {entries} log entries')
