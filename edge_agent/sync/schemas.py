"""JSON Schema of every payload that the device publishes, made from the types that they are encoded from."""

from __future__ import annotations

from typing import Any

import msgspec

from edge_agent.store.messages import Event, Kind, Tombstone
from edge_agent.store.summary import Summary

PAYLOADS: dict[Kind, type[Summary | Event | Tombstone]] = {
    Kind.SUMMARY: Summary,
    Kind.EVENT: Event,
    Kind.TOMBSTONE: Tombstone,
}


def schema_of(kind: Kind) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the payload of a kind of message."""
    return msgspec.json.schema(PAYLOADS[kind])
