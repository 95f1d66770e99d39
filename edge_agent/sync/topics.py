"""The topics of a device: `<prefix>/<device>/...`, and what its status topic says."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.store.messages import Kind

# User property (MQTT 5) of what comes from the outbox: when it was published, in seconds since 1970.
PUBLISHED_AT = "published-at"

ONLINE, OFFLINE = b"online", b"offline"

_OUTBOX = {Kind.SUMMARY: "session", Kind.EVENT: "event", Kind.TOMBSTONE: "forgotten"}


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a device publishes.

    Attributes:
        prefix: first part, from the configuration.
        device: the device's UUID.
    """

    prefix: str
    device: str

    @property
    def client_id(self) -> str:
        """By which the broker knows the connection."""
        return f"heartline-{self.device}"

    @property
    def status(self) -> str:
        """Retained: whether the device is online."""
        return f"{self.prefix}/{self.device}/status"

    @property
    def command(self) -> str:
        """Where the device is told what to do."""
        return f"{self.prefix}/{self.device}/command"

    @property
    def answer(self) -> str:
        """Where it says what became of a command whose sender names no topic for that."""
        return f"{self.prefix}/{self.device}/answer"

    def live(self, athlete: str) -> str:
        """The second that was recorded just now of an athlete."""
        return f"{self.prefix}/{self.device}/athlete/{athlete}/live"

    def last_session(self, athlete: str) -> str:
        """Retained: summary of an athlete's last session, for dashboards."""
        return f"{self.prefix}/{self.device}/athlete/{athlete}/session"

    def of(self, kind: Kind) -> str:
        """Where messages of the outbox go."""
        return f"{self.prefix}/{self.device}/{_OUTBOX[kind]}"
