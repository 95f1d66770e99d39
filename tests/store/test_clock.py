"""The clock table (`python -m tests.store.clock_table`): no step of the clock reorders, loses or doubles a second."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.agent.clock import SystemClock
from tests.store.clock_table import CASES, RECORDED_S


@pytest.mark.parametrize(
    ("case", "off_s", "trusted", "revisions"),
    [
        ("boot without time (1970), known 70 minutes later", [0], [True], [2]),
        ("boot 3 years behind, set in mid-session", [0], [True], [1]),
        ("clock an hour ahead, set back in mid-session", [3600, 0], [True, True], [1, 1]),
        ("begin of summer time in mid-session", [0], [True], [1]),
        ("end of summer time in mid-session", [0, 0], [True, True], [1, 1]),
        ("time known only after the next boot", [-2 * 86400, 0], [False, True], [1, 1]),
    ],
)
def test_what_a_session_is_dated_in_the_end(
    case: str, off_s: list[float], trusted: list[bool], revisions: list[int], tmp_path: Path
) -> None:
    sessions = CASES[case](tmp_path)
    assert [session.seconds for session in sessions] == [RECORDED_S] * len(sessions)  # each in its place
    assert [session.true_start for session in sessions] == sorted(session.true_start for session in sessions)
    last = [session.summaries[-1] for session in sessions]
    dated = [datetime.fromisoformat(summary.started_at) for summary in last]
    assert [(d - s.true_start).total_seconds() for d, s in zip(dated, sessions, strict=True)] == off_s
    assert [summary.time_trusted for summary in last] == trusted
    assert [summary.duration_s for summary in last] == [RECORDED_S] * len(last)
    assert [summary.revision for summary in last] == revisions


def test_the_machines_own_clocks_agree() -> None:
    clock = SystemClock(speed=10)
    first, later = clock.since_boot(), clock.since_boot()
    assert first.boot_id == later.boot_id
    assert 0 <= later.elapsed_s - first.elapsed_s < 5
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
    assert isinstance(clock.time_trusted(), bool)
