from __future__ import annotations

import numpy as np
import pytest

from edge_agent.signals.acceleration import RATE_HZ
from training.activity.cadence import cadence_errors
from training.activity.classes import CLASSES
from training.activity.dataset import Session


def worn(unit: str, per_min: float, *, source: str = "dsads") -> Session:
    t_s = np.arange(60 * RATE_HZ) / RATE_HZ
    wave = np.sin(2 * np.pi * per_min / 60 * t_s)
    signal = np.stack([wave, 0 * wave, 9.81 + 2 * wave], axis=1).astype(np.float32)
    placement = "chest" if unit == "T" else "wrist"
    return Session(source, "ada", f"a12-{unit}-s01", placement, "a12", CLASSES.index("run"), signal)


def test_a_window_is_compared_with_what_two_other_sensors_agree_on() -> None:
    chest, wrist = cadence_errors([worn(unit, 160) for unit in ("T", "RA", "LA")])
    assert (chest.activity, chest.placement, wrist.placement) == ("run", "chest", "wrist")
    assert (chest.windows, wrist.windows) == (12, 24)
    assert chest.answered == 1
    assert chest.median_error_per_min < 1
    assert chest.close == 1


def test_where_the_others_differ_nothing_is_known() -> None:
    found = cadence_errors([worn("T", 160), worn("RA", 160), worn("LA", 190)])
    assert [(e.placement, e.windows) for e in found] == [("wrist", 12)]  # the left arm's others agree
    assert found[0].median_error_per_min == pytest.approx(30, abs=1)


def test_a_lone_sensor_knows_nothing() -> None:
    assert cadence_errors([worn("T", 160)]) == []
    assert cadence_errors([worn(unit, 160, source="neutral") for unit in ("T", "RA", "LA")]) == []
