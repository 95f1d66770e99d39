"""JSON Schema of every payload to and from the device, made from the types that they are encoded from."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from edge_agent.store.messages import Event, Kind, Tombstone
from edge_agent.store.summary import Summary
from edge_agent.sync.commands import Answer, Command
from edge_agent.sync.live import Live

# Of the messages of the outbox.
PAYLOADS: dict[Kind, type[Summary | Event | Tombstone]] = {
    Kind.SUMMARY: Summary,
    Kind.EVENT: Event,
    Kind.TOMBSTONE: Tombstone,
}

_TYPES: dict[str, Any] = {"live": Live, "command": Command, "answer": Answer} | {
    k.value: t for k, t in PAYLOADS.items()
}

NAMES = tuple(_TYPES)


def schema_of(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one of the payloads in `NAMES`, among them every `Kind`."""
    schema: dict[str, Any] = _outdented(msgspec.json.schema(_TYPES[name]))
    return schema


def _outdented(node: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Descriptions without the indentation of the docstrings they are, which not every Python or msgspec takes off."""
    if isinstance(node, list):
        return [_outdented(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _outdented(value)
        for key, value in node.items()
    }
