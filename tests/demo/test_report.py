from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from edge_agent.demo.report import Session, closed_sessions, landed, live_heading, live_line, score_table
from edge_agent.demo.simulation import StrapSecond
from edge_agent.inference.forecast import Forecast, Quantiles
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import NewSession
from edge_agent.store.summary import ForecastScore, Second

HORIZONS_S = (10, 30, 60)
FORECAST: Forecast = {10: Quantiles(95.2, 97.0, 99.4), 30: Quantiles(94.0, 99.0, 104.0), 60: None}


def seconds(*heart_rates_bpm: float | None, first_t_s: int = 0) -> list[Second]:
    return [Second(t_s, bpm, (), {}) for t_s, bpm in enumerate(heart_rates_bpm, start=first_t_s)]


def open_session(journal: Journal, of: list[Second]) -> int:
    session = NewSession(
        uuid=uuid4(), athlete="a", started_at=datetime(2026, 1, 1, tzinfo=UTC), time_trusted=True, model_version="0"
    )
    return journal.open_session(session, of)


def test_the_live_line_is_read_while_the_agent_has_the_journal_open(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert live_line(journal.path, HORIZONS_S) is None
        row = open_session(journal, seconds(90.0))
        journal.accept(row, [Second(89, 96.0, (625.0,), FORECAST)])
        line = live_line(journal.path, HORIZONS_S)
        journal.accept(row, seconds(None, first_t_s=90))
        without = live_line(journal.path, HORIZONS_S)
    assert line == "  1:30         96 bpm     97 (95 to 99)    99 (94 to 104)                 -"
    assert without is not None
    assert "no heart rate" in without
    assert len(live_heading(HORIZONS_S)) == len(line) == len(without)


def test_closed_sessions_come_with_their_seconds_and_what_is_queued(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for interrupted in (True, False):
            row = open_session(journal, seconds(60.0, 61.0))
            journal.close_session(row, interrupted=interrupted, enqueue=not interrupted)
    sessions, queued = closed_sessions(tmp_path)
    assert [[s.heart_rate_bpm for s in session.seconds] for session in sessions] == [[60.0, 61.0]] * 2
    assert len({session.session_id for session in sessions}) == 2
    assert queued == 1


def test_a_second_has_landed_when_heart_rate_and_beats_are_in_its_place() -> None:
    sent = [StrapSecond(60, (1024,)), StrapSecond(61, (512, 256)), StrapSecond(62)]
    right = [Second(0, 60.0, (1000.0,), {}), Second(1, 61.0, (500.0, 250.0), {}), Second(2, 62.0, (), {})]
    assert landed(sent, [Session("s", right)]) == (3, 3)
    assert landed(sent, [Session("s", [right[0], Second(1, 61.0, (500.0,), {}), right[2]])]) == (2, 3)
    assert landed(sent, [Session("s", [right[0], Second(1, 60.0, (), {}), right[2]])]) == (2, 3)
    assert landed(sent, [Session("s", right[:2])]) == (2, 3)
    assert landed(sent, []) == (0, 3)


def test_a_first_second_that_comes_late_costs_no_more_than_itself() -> None:
    sent = [StrapSecond(60 + i) for i in range(10)]
    assert landed(sent, [Session("s", seconds(*(61.0 + i for i in range(9))))]) == (9, 10)


def test_seconds_without_contact_are_not_counted_and_the_next_session_begins_after_them() -> None:
    sent = [StrapSecond(bpm) for bpm in (None, 60, None, None, 70, 71)]
    sessions = [Session("a", seconds(60.0, None)), Session("b", seconds(70.0, 71.0))]
    assert landed(sent, sessions) == (3, 3)


def test_the_score_table_sets_persistence_beside_the_forecasts() -> None:
    lines = score_table({10: ForecastScore(890, 1.234, 2.345, 0.79), 60: ForecastScore(0, None, None, None)})
    assert lines[1].split() == ["in", "10", "s", "890", "1.23", "bpm", "2.35", "bpm", "79%"]
    assert "shorter" in lines[2]
