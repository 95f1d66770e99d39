"""The targets of the fuzz run over the profiles take their own seeds."""

from __future__ import annotations

import pytest

from edge_agent.sensors.profiles.polar_acceleration import AccelerationStream
from tests.fuzz.profiles import TARGETS, seeds, target


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_finds_nothing_in_its_seeds(name: str) -> None:
    assert seeds(name)
    for seed in seeds(name):
        target(name)(seed)


def test_the_seed_of_the_acceleration_stream_gets_past_the_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed = []
    push = AccelerationStream.push

    def noted(self: AccelerationStream, data: bytes, arrival_s: float) -> object:
        pushed.extend(samples := push(self, data, arrival_s))
        return samples

    monkeypatch.setattr(AccelerationStream, "push", noted)
    name = next(name for name in TARGETS if name.startswith("stream fb005c82"))
    target(name)(seeds(name)[0])
    assert pushed
