"""Recoveries of four simulated people, as recordings of a source of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.recovery.dataset import ORIGIN_S, Recovered, all_recoveries
from training.simulator import simulate


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    made = simulate(np.random.default_rng(11), athletes=60)
    return [
        dataclasses.replace(recording, person=f"p{i % 4}", session=f"s{i:02}", source="made")
        for i, recording in enumerate(made)
    ]


@pytest.fixture(scope="session")
def recovered(recordings: list[Recording]) -> list[Recovered]:
    found = all_recoveries(recordings)
    return [r for r in found if r.known[ORIGIN_S - 1] and not np.isnan(r.outcome_bpm).any()]
