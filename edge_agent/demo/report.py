"""What the demo shows: the agent's record while it grows, and at its end what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_agent.demo.simulation import RR_UNITS_PER_S, StrapSecond
from edge_agent.inference.forecast import Quantiles
from edge_agent.store.journal import Journal
from edge_agent.store.summary import ForecastScore, Second

_LATE_START_S = 5  # more is no start but a loss

_forecast_decoder = msgspec.json.Decoder(dict[int, Quantiles | None])


@dataclass(frozen=True, slots=True)
class Session:
    """A closed session, from the journal.

    Attributes:
        session_id: its UUID.
        seconds: what was recorded.
    """

    session_id: str
    seconds: list[Second]


def live_line(journal: Path, horizons_s: Sequence[int]) -> str | None:
    """The newest second of a journal that an agent is writing; None while there is none."""
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as db:
        row = db.execute(
            "SELECT t_s, heart_rate_bpm, forecast FROM second ORDER BY session_id DESC, t_s DESC LIMIT 1"
        ).fetchone()
    if row is None:
        return None
    t_s, heart_rate_bpm, encoded = row
    forecast = _forecast_decoder.decode(encoded) if encoded else {}
    now = f"{'no heart rate' if heart_rate_bpm is None else f'{heart_rate_bpm:.0f} bpm':>15}"
    columns = (_interval(forecast.get(horizon_s)) for horizon_s in horizons_s)
    return f"{_time(t_s + 1)}{now}{''.join(columns)}"


def live_heading(horizons_s: Sequence[int]) -> str:
    """The line above the lines of `live_line`."""
    return f"{'time':>6}{'heart rate':>15}" + "".join(f"{f'in {horizon_s} s':>18}" for horizon_s in horizons_s)


def closed_sessions(directory: Path) -> tuple[list[Session], int]:
    """All sessions of a journal, and how many summaries still wait in its outbox."""
    with Journal(directory) as journal:
        with closing(sqlite3.connect(f"{journal.path.as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT id, uuid FROM session WHERE summary IS NOT NULL ORDER BY id").fetchall()
        return [Session(uuid, journal.seconds(row)) for row, uuid in rows], len(journal.outbox())


def landed(sent: Sequence[StrapSecond], sessions: Sequence[Session]) -> tuple[int, int]:
    """How many of the seconds with a heart rate are in the journal, each in its place and with its beats.

    Returns:
        Those, and how many were sent.
    """
    worn = [i for i, second in enumerate(sent) if second.heart_rate_bpm is not None]
    in_place, end = 0, 0
    for session in sessions:
        # A session begins with the first heart rate that comes while there is none; if that one is late, the
        # session's clock starts with the next.
        first = next((i for i in worn if i >= end), len(sent))
        places = {i: _matches(sent[i:], session.seconds) for i in range(first, first + _LATE_START_S)}
        start = max(places, key=places.__getitem__)
        in_place += places[start]
        end = start + len(session.seconds)
    return in_place, len(worn)


def score_table(scores: dict[int, ForecastScore]) -> list[str]:
    """How far off the live forecasts were."""
    lines = ["            scored   mean error   last value instead   inside their 80 % interval"]
    for horizon_s, score in scores.items():
        if score.mae_bpm is None or score.persistence_mae_bpm is None or score.inside_q10_q90 is None:
            lines.append(f"{f'in {horizon_s} s':>8}{0:10d}   (the session was shorter than that)")
        else:
            lines.append(
                f"{f'in {horizon_s} s':>8}{score.scored:10d}{score.mae_bpm:9.2f} bpm"
                f"{score.persistence_mae_bpm:17.2f} bpm{score.inside_q10_q90:19.0%}"
            )
    return lines


def _matches(sent: Sequence[StrapSecond], recorded: Sequence[Second]) -> int:
    pairs = zip(sent, recorded, strict=False)
    return sum(_same(a, b) for a, b in pairs if a.heart_rate_bpm is not None)


def _same(sent: StrapSecond, recorded: Second) -> bool:
    rr_intervals_ms = tuple(rr * 1000 / RR_UNITS_PER_S for rr in sent.rr_intervals)  # exact: 1024 is a power of two
    return (recorded.heart_rate_bpm, recorded.rr_intervals_ms) == (sent.heart_rate_bpm, rr_intervals_ms)


def _time(t_s: int) -> str:
    return f"{t_s // 60:3d}:{t_s % 60:02d}"


def _interval(quantiles: Quantiles | None) -> str:
    if quantiles is None:
        return f"{'-':>18}"
    return f"{f'{quantiles.q50:.0f} ({quantiles.q10:.0f} to {quantiles.q90:.0f})':>18}"
