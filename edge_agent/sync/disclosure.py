"""What of the record is told to the broker, and under which name."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from edge_agent.config import Share
from edge_agent.store.messages import Kind, OutboxMessage
from edge_agent.sync.schemas import PAYLOADS

# With these, events are told.
EVENTS_TOLD = (Share.EVENTS, Share.LIVE)

# 64 bits: two of a million athletes share a pseudonym with a chance of 1 in 37 million.
_PSEUDONYM_BYTES = 8


class Disclosure:
    """Names athletes by pseudonyms: the same one for one athlete of one device, and nothing that leads back."""

    def __init__(self, share: Share, key: bytes | None) -> None:
        """Prepare.

        Args:
            share: how much is told.
            key: secret that the pseudonyms are made with; None tells the athletes' own names.
        """
        self._share = share
        self._key = key

    def athlete(self, name: str) -> str:
        """What an athlete is called on the wire.

        Source: HMAC-SHA-256 (RFC 2104), truncated: without the key, guessing names does not lead to a pseudonym.
        """
        if self._key is None:
            return name
        return hmac.new(self._key, name.encode(), hashlib.sha256).digest()[:_PSEUDONYM_BYTES].hex()

    def tells(self, kind: Kind) -> bool:
        """Whether messages of a kind are told at all."""
        return kind is not Kind.EVENT or self._share in EVENTS_TOLD

    def payload(self, message: OutboxMessage) -> bytes:
        """A message of the outbox as it is published."""
        told = msgspec.json.decode(message.payload, type=PAYLOADS[message.kind])
        return msgspec.json.encode(msgspec.structs.replace(told, athlete=self.athlete(told.athlete)))
