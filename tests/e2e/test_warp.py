"""Agents and a real server in simulated weeks, over the ends of 32-bit times; the long one is in tests/soak."""
import pytest

from harness import BUILD
from warp import FLEET, Story

pytestmark = pytest.mark.skipif(not FLEET.exists(), reason=f'{BUILD.name} has no fleet: it is sanitized')
DAY_S = 86400


def lived(story):
    try:
        assert not story.live().faults(), story.words()
        print(story.figures())
    finally:
        story.gate.stop()


# the seeds have each kind of clock, one agent that is off and one without a line for 25 days
def test_five_weeks_over_2038(tmp_path):
    """No clock, wrong ones, 25 days away, killed in the midst of renewals, a server that is killed and one that is away."""
    lived(Story(tmp_path, agents=6, days=34, life_days=14, seed=22, kills=1, outages_h=(12,), hello_s=4 * DAY_S, step_h=6,
                begin_s=2**31 - 20 * DAY_S))


def test_ten_days_over_2106(tmp_path):
    lived(Story(tmp_path, agents=4, days=10, life_days=7, seed=15, hello_s=4 * DAY_S, step_h=6, begin_s=2**32 - 5 * DAY_S))
