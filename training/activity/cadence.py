"""How good the cadence is, on windows whose cadence is known from elsewhere.

Nobody counted. What is known is what the two other sensors on the same body say over half a minute: the strongest line
of their spectra within the activity's range, where the two agree. That is another device, another place on the body,
six times the time, and no autocorrelation. Where the two differ, the cadence does not count as known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.acceleration import RATE_HZ, WINDOW_SAMPLES
from edge_agent.signals.cadence import cadence_per_min
from training.activity.classes import CLASSES
from training.activity.dataset import Session

# Repetitions per minute that are looked for: an octave at most, so that no line is taken for its harmonic.
RANGES_PER_MIN = {
    "walk": (70.0, 140.0),
    "run": (115.0, 230.0),
    "stepper_or_elliptical": (57.0, 114.0),
    "cycle": (40.0, 80.0),
    "row": (15.0, 30.0),
}

_AROUND = 30 * RATE_HZ
_AGREE = 0.05
_CLOSE_PER_MIN = 3.0
_OTHERS = 2
_PADDING = 4  # lines of the spectrum are half a repetition per minute apart


@dataclass(frozen=True, slots=True)
class CadenceError:
    """How far the cadence of an activity at a placement is off.

    Attributes:
        activity: class.
        placement: of the sensor that is scored.
        windows: whose cadence is known.
        answered: share of them with a cadence.
        median_error_per_min: median absolute error, in repetitions per minute.
        close: share of the answered within 3 repetitions per minute.
    """

    activity: str
    placement: str
    windows: int
    answered: float
    median_error_per_min: float
    close: float


def cadence_errors(sessions: Sequence[Session]) -> list[CadenceError]:
    """The error on sessions that three sensors recorded at the same time; none where there are no such sessions."""
    bodies: dict[tuple[str, str, str], list[Session]] = {}
    for session in sessions:
        if session.source == "dsads":  # the only one with several sensors
            unit_free = session.name.split("-")
            bodies.setdefault((session.group, session.activity, unit_free[-1]), []).append(session)
    found: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    for worn in bodies.values():
        activity = CLASSES[worn[0].label]
        if activity in RANGES_PER_MIN and len(worn) == _OTHERS + 1:
            for session in worn:
                others = [other for other in worn if other is not session]
                found.setdefault((activity, session.placement), []).extend(_compared(session, others, activity))
    return [_error(*where, pairs) for where, pairs in sorted(found.items()) if pairs]


def _error(activity: str, placement: str, pairs: list[tuple[float, float | None]]) -> CadenceError:
    off = np.array([abs(said - known) for known, said in pairs if said is not None])
    return CadenceError(
        activity,
        placement,
        len(pairs),
        len(off) / len(pairs),
        float(np.median(off)) if off.size else float("nan"),
        float((off <= _CLOSE_PER_MIN).mean()) if off.size else float("nan"),
    )


def _compared(session: Session, others: Sequence[Session], activity: str) -> list[tuple[float, float | None]]:
    """Known cadence and answered cadence of each window, where it is known."""
    pairs: list[tuple[float, float | None]] = []
    length = min(len(s.signal_mps2) for s in (session, *others))
    for start in range(0, length - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        middle = start + WINDOW_SAMPLES // 2
        begin = max(min(middle - _AROUND // 2, length - _AROUND), 0)
        lines = [_line(other.signal_mps2[begin : begin + _AROUND], activity) for other in others]
        if abs(lines[0] - lines[1]) <= _AGREE * lines[0]:
            said = cadence_per_min(session.signal_mps2[start : start + WINDOW_SAMPLES], activity)
            pairs.append((sum(lines) / len(lines), said))
    return pairs


def _line(signal_mps2: NDArray[np.float32], activity: str) -> float:
    """The strongest line of the spectrum within the activity's range, summed over the axes."""
    moved = signal_mps2 - signal_mps2.mean(axis=0)
    size = _PADDING * len(moved)
    power = (np.abs(np.fft.rfft(moved * np.hanning(len(moved))[:, None], size, axis=0)) ** 2).sum(axis=1)
    per_min = 60 * np.fft.rfftfreq(size, 1 / RATE_HZ)
    low, high = RANGES_PER_MIN[activity]
    inside = (per_min >= low) & (per_min < high)
    return float(per_min[inside][power[inside].argmax()])
