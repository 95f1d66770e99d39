"""An hour of the simulated day; all of it is `make reliability`."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.reliability.day import simulate_day


def test_links_break_frames_are_bad_and_no_good_one_is_lost(tmp_path: Path) -> None:
    day = simulate_day(tmp_path, hours=1, seed=2)
    assert day.recorded
    assert day.sent > 2500
    assert day.bad > 200
    assert len(day.back_s) == 19
    assert statistics.median(day.back_s) < 1.0
    assert max(day.back_s) < 5.0
    assert max(day.attempts) <= 2
