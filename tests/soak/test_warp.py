"""A thousand agents through sixty days: no clock, wrong clocks, weeks without a line (tests/unit/device/test_warp.c)."""
import os
import re
import subprocess

from harness import BUILD

AGENTS = os.environ.get('KW_SOAK_AGENTS', '1000')
DAYS = os.environ.get('KW_SOAK_DAYS', '60')


def test_none_is_stranded_none_renews_late():
    done = subprocess.run([BUILD / 'tests/unit/device/test_warp', AGENTS, DAYS], capture_output=True, text=True,
                          check=False, timeout=7200)
    print(done.stdout[-2000:])
    assert re.search(rf'^{AGENTS} agents, {DAYS} days: \d+ renewals, .* stranded: 0, renewed late: 0$',
                     done.stdout, re.M), done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0
