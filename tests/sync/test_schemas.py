"""What is documented as published is what is published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import msgspec
import pytest

from edge_agent.cli import main
from edge_agent.store.messages import SCHEMA, Event, Kind, Tombstone
from edge_agent.sync.schemas import NAMES, PAYLOADS, schema_of

EVENT = Event(SCHEMA, "0", 1, "ada", None, None, "2026-03-01T07:30:00+00:00", True, "lap", {"lap": 1})
TOMBSTONE = Tombstone(SCHEMA, "0", 1, "ada", "2026-03-01T07:30:00+00:00", True)

FOLDER = Path(__file__).parents[2] / "docs" / "mqtt"


def printed(capsys: pytest.CaptureFixture[str], argv: Sequence[str]) -> str:
    assert main(argv) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_schema_is_the_one_the_command_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    schema = printed(capsys, ["schema", name])
    jsonschema.Draft202012Validator.check_schema(json.loads(schema))
    assert (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == schema


@pytest.mark.parametrize(("kind", "message"), [(Kind.EVENT, EVENT), (Kind.TOMBSTONE, TOMBSTONE)])
def test_messages_follow_their_schema(kind: Kind, message: msgspec.Struct) -> None:
    assert isinstance(message, PAYLOADS[kind])
    payload = json.loads(msgspec.json.encode(message))
    jsonschema.validate(payload, schema_of(kind))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in payload.items() if key != "revision"}, schema_of(kind))
