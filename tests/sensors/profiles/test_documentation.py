"""What `docs/profiles.md` says of the decoders is what they do."""

from __future__ import annotations

import json

import pytest

from edge_agent.cli import main
from edge_agent.sensors.profiles.registry import CHARACTERISTICS
from edge_agent.sensors.profiles.uuids import normalized
from tests.sensors.profiles.documentation import DocumentedPacket, documented_packets

PACKETS = documented_packets()


@pytest.mark.parametrize("packet", PACKETS, ids=[f"{packet.uuid} {packet.hex[:16]}" for packet in PACKETS])
def test_a_documented_command_gives_the_documented_answer(
    packet: DocumentedPacket, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", packet.uuid, packet.hex]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(packet.answer)


def test_every_characteristic_is_documented() -> None:
    assert {normalized(packet.uuid) for packet in PACKETS} == set(CHARACTERISTICS)
