"""Commands as bytes: what follows the schema is one, anything else is refused with a reason, whatever it is."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import CommandName
from edge_agent.sync.commands import (
    MAX_COMMAND_BYTES,
    SCHEMA,
    Answer,
    Forget,
    Lap,
    Refusal,
    RefusedCommandError,
    SetTarget,
    parse_command,
    refused,
)
from edge_agent.sync.schemas import schema_of

ID = uuid.UUID("019ca84d-d8c0-72e0-a388-2c03f4f5b51d")


def payload(name: str = "lap", **fields: object) -> bytes:
    return json.dumps({"schema": 1, "command": name, "command_id": str(ID), **fields}).encode()


def refusal_of(data: bytes) -> RefusedCommandError:
    with pytest.raises(RefusedCommandError) as caught:
        parse_command(data)
    return caught.value


def test_a_command_is_read_by_its_name() -> None:
    assert parse_command(payload("lap")) == Lap(1, ID)
    assert parse_command(payload("lap", athlete="ada")) == Lap(1, ID, "ada")
    assert parse_command(payload("set_target", heart_rate_bpm=120)) == SetTarget(1, ID, 120.0)
    assert parse_command(payload("set_target", heart_rate_bpm=None)) == SetTarget(1, ID, None)
    assert parse_command(payload("forget", athlete="ada")) == Forget(1, ID, "ada")


def test_each_command_that_can_be_switched_on_is_one() -> None:
    needs: dict[str, dict[str, Any]] = {"set_target": {"heart_rate_bpm": 120}, "forget": {"athlete": "ada"}}
    for name in CommandName:
        data = payload(name, **needs.get(name, {}))
        assert parse_command(data).name is name
        jsonschema.validate(json.loads(data), schema_of("command"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "truncated"),
        (b"lap", "malformed"),
        (b"[" * MAX_COMMAND_BYTES, "object"),
        (b'{"a":' * 800, "recursion|truncated"),
        (b"\xff\xfe", "malformed"),
        (payload("dance"), "dance"),
        (payload("forget"), "athlete"),
        (payload("lap", athlete=""), "length"),
        (payload("lap", athlete="a" * 101), "length"),
        (payload("lap", by="me"), "unknown field"),
        (payload("lap", schema=2), "schema"),
        (payload("lap", command_id="800019af-0dd4-45bf-81fc-97d964e24fda"), "version 7"),
        (payload("lap", command_id="7"), "UUID"),
        (payload("set_target", heart_rate_bpm=10), ">= 25"),
        (payload("set_target", heart_rate_bpm=1000), "<= 250"),
        (payload("set_target"), "heart_rate_bpm"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong_and_where_to_look(data: bytes, says: str) -> None:
    error = refusal_of(data)
    assert error.refusal is Refusal.MALFORMED
    assert re.search(says, error.reason)


def test_what_is_too_large_is_not_even_read() -> None:
    assert refusal_of(payload() + b" " * MAX_COMMAND_BYTES).refusal is Refusal.TOO_LARGE


def test_a_reason_quotes_no_more_than_a_line_of_what_came() -> None:
    assert len(refusal_of(payload("lap", **{"x" * 3000: 1})).reason) < 300


@given(st.binary(max_size=MAX_COMMAND_BYTES + 10))
def test_bytes_are_a_command_or_refused(data: bytes) -> None:
    with contextlib.suppress(RefusedCommandError):
        parse_command(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(list(CommandName)), st.dictionaries(st.sampled_from(["athlete", "heart_rate_bpm", "x"]), _JSON))
def test_what_is_taken_for_a_command_follows_the_schema(name: str, fields: dict[str, Any]) -> None:
    data = payload(name, **fields)
    try:
        command = parse_command(data)
    except RefusedCommandError:
        return
    jsonschema.validate(json.loads(data), schema_of("command"))
    assert parse_command(msgspec.json.encode(command)) == command


def test_answers_follow_their_schema() -> None:
    for answer in (
        Answer(SCHEMA, ID, done=True, session_id=uuid.uuid4()),
        refused(None, refusal_of(b"")),
    ):
        jsonschema.validate(json.loads(msgspec.json.encode(answer)), schema_of("answer"))
