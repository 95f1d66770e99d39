"""Everything `heartline_backend` raises on purpose, beside the `ConfigError` of what it reads like the agent does."""

from __future__ import annotations


class BackendError(Exception):
    """Root of the backend's own errors; a command prints it in one line and ends with status 2."""


class MessageRefusedError(BackendError):
    """A message that is none of ours, or not as it has to be; it becomes a dead letter.

    Attributes:
        reason: what is wrong with it, without any of its content.
        device: UUID of the device whose topic it came by, None where the topic names none.
    """

    def __init__(self, reason: str, *, device: str | None) -> None:
        self.reason = reason
        self.device = device
        super().__init__(reason)


class StoreError(BackendError):
    """The store cannot be used; the message names it and the remedy."""


class StoreAwayError(StoreError):
    """The store does not answer, or is in the middle of something: the same again, a little later, may succeed."""


class StoreRefusedError(StoreError):
    """The store does not take a value; the same again will never succeed."""
