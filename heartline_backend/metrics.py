"""What a worker shows Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a commit on a fast disk to a broker or a store that was away for minutes.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class Metrics:
    """Counters of one process.

    Attributes:
        registry: what is shown.
        received: messages, by kind.
        kept: sessions, events and tombstones that are new or newer.
        repeated: those that were there already.
        forgotten: those of before their athlete was forgotten, which are not kept.
        dead_letters: messages that could not be kept.
        batch_messages: of each batch.
        batch_seconds: from taking a batch to its commit.
        publish_to_commit_seconds: of what devices say when they published, by their clocks.
        store_trouble: batches that had to be tried again.
        connected: whether there is a connection to the broker.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.received = Counter("heartline_messages_received", "Messages taken in", ["kind"], registry=registry)
        self.kept = Counter("heartline_messages_kept", "Messages that were new, or newer", registry=registry)
        self.repeated = Counter("heartline_messages_repeated", "Messages that were there already", registry=registry)
        self.forgotten = Counter(
            "heartline_messages_forgotten", "Messages of before their athlete was forgotten", registry=registry
        )
        self.dead_letters = Counter("heartline_dead_letters", "Messages that could not be kept", registry=registry)
        self.batch_messages = Histogram(
            "heartline_batch_messages",
            "Messages of a batch",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "heartline_batch_seconds", "From taking a batch to its commit", buckets=_SECONDS, registry=registry
        )
        self.publish_to_commit_seconds = Histogram(
            "heartline_publish_to_commit_seconds",
            "From the device's publishing, by its own clock, to the commit",
            buckets=_SECONDS,
            registry=registry,
        )
        self.store_trouble = Counter("heartline_store_trouble", "Batches that had to be tried again", registry=registry)
        self.connected = Gauge("heartline_broker_connected", "Whether there is a connection", registry=registry)
