"""A worker: takes messages in batches, keeps each batch in one transaction, and only then acknowledges it.

Killed before the commit, nothing of the batch is kept and all of it comes again; killed between the commit and the
acknowledgement, all of it comes again and changes nothing.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from edge_agent.store.identifiers import uuid7
from heartline_backend.consumers.base import Consumer, Delivery
from heartline_backend.errors import MessageRefusedError, StoreAwayError, StoreRefusedError
from heartline_backend.messages import MAX_PAYLOAD_BYTES, Message, parse
from heartline_backend.metrics import Metrics
from heartline_backend.store.rows import DeadLetter
from heartline_backend.store.store import Store

log = logging.getLogger(__name__)

# Large enough that the commit's wait for the disk is shared by many, small enough to be kept within a quarter of a
# second, and half of what may be under way.
BATCH_MESSAGES = 500

# How often a worker that has nothing to do looks whether it has to stop.
_IDLE_S = 0.5

# First and longest pause while the store does not answer.
_AWAY_S = (0.1, 10.0)

_TOPIC_CHARACTERS = 200


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def retry_dead_letters(store: Store, topic_prefix: str, now: datetime) -> int:
    """Keep those dead letters that can be kept by now, after an upgrade for one; gives how many those were.

    Raises:
        StoreError: the store cannot be used; what was kept until then is kept.
    """
    kept = 0
    for letter in store.dead_letters():
        if letter.size_bytes > len(letter.payload):  # of a part nothing can be made
            continue
        try:
            store.keep([parse(topic_prefix, letter.topic, letter.payload)], [], now)
        except (MessageRefusedError, StoreRefusedError):
            continue
        store.discard_letters([letter])
        kept += 1
    return kept


class Worker:
    """Brings what a consumer receives into the store."""

    def __init__(
        self,
        consumer: Consumer,
        store: Store,
        metrics: Metrics,
        *,
        topic_prefix: str,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        """Prepare.

        Args:
            consumer: entered already.
            store: to keep messages in.
            metrics: that are counted.
            topic_prefix: first part of the devices' topics.
            now: wall time.
        """
        self._consumer = consumer
        self._store = store
        self._metrics = metrics
        self._topic_prefix = topic_prefix
        self._now = now

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; the batch in hand is finished first, or comes again."""
        while not stop.is_set():
            self.step(stop)

    def step(self, stop: threading.Event) -> int:
        """One batch: receive, keep, acknowledge; gives how many messages it had."""
        deliveries = self._consumer.receive(BATCH_MESSAGES, _IDLE_S)
        if deliveries:
            with self._metrics.batch_seconds.time():
                kept = self._keep_patiently(deliveries, stop)
            if kept:
                self._consumer.acknowledge(deliveries)
                self._measure(deliveries)
        return len(deliveries)

    def _keep_patiently(self, deliveries: Sequence[Delivery], stop: threading.Event) -> bool:
        """Keep a batch, however long the store is away; False when it is not kept because of a stop."""
        pause_s, said = _AWAY_S[0], None
        while True:
            try:
                self._keep(deliveries)
            except StoreAwayError as error:
                self._metrics.store_trouble.inc()
                if str(error) != said:
                    said = str(error)
                    log.warning("store: %s; trying again", error)
                if stop.wait(pause_s):
                    return False
                pause_s = min(2 * pause_s, _AWAY_S[1])
            else:
                if said:
                    log.info("store: answers again")
                return True

    def _keep(self, deliveries: Sequence[Delivery]) -> None:
        """Keep a batch; where the store refuses it, message by message, and what it refuses as a dead letter."""
        messages, letters = [], []
        for delivery in deliveries:
            try:
                messages.append(parse(self._topic_prefix, delivery.topic, delivery.payload))
            except MessageRefusedError as refused:
                letters.append(self._letter(delivery, refused.reason, refused.device))
        try:
            self._commit(messages, letters)
        except StoreRefusedError as refused:
            if len(deliveries) > 1:
                for delivery in deliveries:
                    self._keep([delivery])
            else:
                device = messages[0].device if messages else None
                self._commit([], [self._letter(deliveries[0], str(refused), device)])

    def _commit(self, messages: Sequence[Message], letters: Sequence[DeadLetter]) -> None:
        outcome = self._store.keep(messages, letters, self._now())
        self._metrics.kept.inc(outcome.kept)
        self._metrics.repeated.inc(outcome.repeated)
        self._metrics.forgotten.inc(outcome.forgotten)
        self._metrics.dead_letters.inc(len(letters))
        for letter in letters:
            log.warning("a message cannot be kept and becomes a dead letter: %s", letter.reason)

    def _letter(self, delivery: Delivery, reason: str, device: str | None) -> DeadLetter:
        now = self._now()
        return DeadLetter(
            uuid7(now),
            now,
            None if device is None else uuid.UUID(device),
            "".join(c if c.isprintable() else "?" for c in delivery.topic[:_TOPIC_CHARACTERS]),
            reason,
            len(delivery.payload),
            delivery.payload[:MAX_PAYLOAD_BYTES],
        )

    def _measure(self, deliveries: Sequence[Delivery]) -> None:
        committed_at = self._now()
        self._metrics.batch_messages.observe(len(deliveries))
        for delivery in deliveries:
            self._metrics.received.labels(delivery.topic.rpartition("/")[2]).inc()
            if delivery.published_at is not None:
                lag_s = (committed_at - delivery.published_at).total_seconds()
                if lag_s >= 0:  # a clock that is ahead says nothing
                    self._metrics.publish_to_commit_seconds.observe(lag_s)
