"""What a worker needs of a broker: messages, each to be acknowledged once it is kept.

A consumer connects by itself and again after every loss, and says in the log what is wrong. Whatever was not
acknowledged comes again, to this worker or to another of its group, so that a message may come twice; the store keeps
it once. Sessions, events and tombstones are shared out among the workers of a group. A device's status is not: it goes
to every worker, or to one at a time, since the last one counts and nobody could tell which of shared ones was last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the broker handed it over.

    Attributes:
        topic: it was published to.
        payload: its bytes, from anyone whom the broker lets publish.
        receipt: by which the consumer acknowledges it; nobody else looks at it.
        published_at: when the device published it, by its own clock; None where nothing says so.
    """

    topic: str
    payload: bytes
    receipt: object
    published_at: datetime | None = None


class Consumer(Protocol):
    """Messages of one worker; used by one thread."""

    def __enter__(self) -> Self:
        """Begin to connect, in the background."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; the broker keeps what comes for the time of a restart."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now; may be asked from any thread."""

    def receive(self, most: int, wait_s: float) -> Sequence[Delivery]:
        """The next messages, in the order of their arrival; none when `wait_s` has passed without any.

        Args:
            most: of them.
            wait_s: longest time to wait for the first one; after it no more than a moment is waited for others.
        """

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """They are kept: the broker may forget them.

        Those of a connection that is lost are passed over, and come again.
        """


def published_at(text: object) -> datetime | None:
    """When a device says that it published; nothing where that is no time.

    Args:
        text: seconds since 1970, as the user property `PUBLISHED_AT` has them.
    """
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(float(str(text)), UTC)
    return None
