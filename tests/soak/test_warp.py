"""A thousand agents and a real server through nine weeks: no clock, wrong clocks, weeks without a line, kills and outages."""
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import BUILD
from warp import FLEET, Story

AGENTS = int(os.environ.get('KW_SOAK_AGENTS', '1000'))
DAYS = int(os.environ.get('KW_SOAK_DAYS', '63'))
SEED = int(os.environ.get('KW_SOAK_SEED', '1'))


@pytest.fixture
def folder():
    """In memory where it can be: what a disk costs a thousand devices is not asked here."""
    memory = pathlib.Path('/dev/shm')
    made = tempfile.mkdtemp(prefix='keywright-warp-', dir=memory if os.access(memory, os.W_OK) else None)
    yield pathlib.Path(made)
    shutil.rmtree(made, ignore_errors=True)


def test_none_is_stranded_none_renews_late(folder, capsys):
    assert FLEET.exists(), f'{BUILD} has no fleet: it is sanitized'
    story = Story(folder, AGENTS, DAYS, life_days=14, seed=SEED, restarts=6, kills=6, outages_h=(48, 8, 8),
                  hello_s=3 * 86400, step_h=2)

    def tell(line):
        with capsys.disabled():
            print(line, flush=True)
    try:
        faults = story.live(tell).faults()
        tell(story.figures())
        assert not faults, '\n'.join(faults[:50]) + story.words()
    finally:
        story.gate.stop()
