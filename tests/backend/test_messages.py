"""What comes from the broker: kept as it was published, or refused with a reason that tells nothing of its content."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.store.messages import Event, Tombstone
from edge_agent.store.summary import Summary
from heartline_backend.config import StoreConfig
from heartline_backend.errors import MessageRefusedError
from heartline_backend.messages import (
    MAX_PAYLOAD_BYTES,
    EventMessage,
    SessionMessage,
    StatusMessage,
    TombstoneMessage,
    parse,
    shared_topics,
)
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store
from tests.backend.samples import DEVICE, NOON, PREFIX, a_summary, a_tombstone, an_event, delivery, message
from tests.postgresql import emptied

TOPICS = [f"{PREFIX}/{DEVICE}/{name}" for name in ("session", "event", "forgotten", "status")]


PUBLISHED: list[Summary | Event | Tombstone] = [a_summary(), an_event(), a_tombstone()]


def changed(published: Summary | Event | Tombstone, **changes: object) -> bytes:
    """Its JSON, with some fields changed."""
    return json.dumps({**json.loads(msgspec.json.encode(published)), **changes}).encode()


def test_each_topic_has_its_kind_of_message() -> None:
    assert isinstance(message(a_summary()), SessionMessage)
    assert isinstance(message(an_event()), EventMessage)
    assert isinstance(message(a_tombstone()), TombstoneMessage)
    assert message(b"online", name="status") == StatusMessage(DEVICE, online=True)
    assert message(b"offline", name="status") == StatusMessage(DEVICE, online=False)


def test_workers_subscribe_what_devices_publish() -> None:
    sent = {delivery(x).topic.replace(DEVICE, "+") for x in (a_summary(), an_event(), a_tombstone())}
    assert set(shared_topics(PREFIX)) == sent


def test_times_are_brought_to_utc() -> None:
    at = message(changed(a_summary(), started_at="2026-03-02T23:30:00+11:00"))
    assert isinstance(at, SessionMessage)
    assert at.at == datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 5000, "got `array`|recursion"),
        (b"{}", "missing required field"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), "16385 bytes, more than 16384"),
        (changed(a_summary(), schema=99), "schema 99, this backend knows up to .*; upgrade it"),
        (changed(a_summary(), revision=0), "`revision` is out of range"),
        (changed(a_summary(), revision=2**40), "`revision` is out of range"),
        (changed(a_summary(), duration_s=-1), "`duration_s` is out of range"),
        (changed(a_summary(), duration_s=10**30), "`duration_s` is out of range|integer"),
        (changed(a_summary(), session_id="7"), "`session_id` is no UUID"),
        (changed(a_summary(), session_id=""), "`session_id` is no UUID"),
        (changed(a_summary(), session_id="{019cae6b-6600-72a2-aa9a-e98bdaca1d09}"), "`session_id` is no UUID"),
        (changed(a_summary(), athlete=""), "`athlete` has not 1 to 200 characters"),
        (changed(a_summary(), athlete="a" * 201), "`athlete` has not 1 to 200 characters"),
        (changed(a_summary(), athlete="a\0b"), "NUL"),
        (changed(a_summary(), started_at="2026-03-02T12:00:00"), "`started_at` is no date and time"),
        (changed(a_summary(), started_at="0001-01-01T00:00:00+14:00"), "`started_at` is no date and time"),
        (changed(a_summary(), started_at="9999-12-31T23:59:59Z"), "`started_at` is not in the years"),
        (changed(a_summary(), started_at="1969-12-31T23:59:59Z"), "`started_at` is not in the years"),
        (changed(a_summary(), started_at="noon"), "`started_at` is no date and time"),
        (changed(a_summary(), heart_rate_max_bpm=1e999).replace(b"Infinity", b"1e999"), "out of range"),
    ],
)
def test_a_summary_that_cannot_be_kept_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(MessageRefusedError) as refused:
        message(payload)
    assert re.search(reason, refused.value.reason, re.IGNORECASE)
    assert refused.value.device == DEVICE


def test_a_reason_tells_nothing_of_what_was_in_the_message() -> None:
    with pytest.raises(MessageRefusedError) as refused:
        message(changed(an_event(), name="Ada's at - home"), name="event")
    assert refused.value.reason == "Invalid enum value - at `$.name`"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "/",
        "heartline",
        f"heartline/{DEVICE}",
        f"other/{DEVICE}/session",
        f"heartline/x/{DEVICE}/session",
        "heartline/device/session",
        f"heartline/{DEVICE}/athlete/ada/session",
        f"heartline/{DEVICE}/live",
    ],
)
def test_a_topic_of_nobody_is_refused(topic: str) -> None:
    with pytest.raises(MessageRefusedError):
        parse(PREFIX, topic, delivery(a_summary()).payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def nearly(draw: st.DrawFn) -> bytes:
    """A message as devices send it, but for a few of its fields."""
    published = draw(st.sampled_from(PUBLISHED))
    names = st.sampled_from(list(published.__struct_fields__))
    return changed(published, **draw(st.dictionaries(names, JSON, max_size=3)))


@given(st.sampled_from(TOPICS) | st.text(max_size=80), st.binary(max_size=300) | nearly())
def test_whatever_comes_is_a_message_or_a_refusal(topic: str, payload: bytes) -> None:
    with contextlib.suppress(MessageRefusedError):
        parse(PREFIX, topic, payload)


@pytest.fixture(scope="module")
def both_stores(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    with (
        open_store(StoreConfig(postgresql=emptied(server))) as postgres,
        open_store(StoreConfig(file=tmp_path_factory.mktemp("fuzz") / "backend.sqlite3")) as sqlite,
    ):
        yield [postgres, sqlite]


@given(nearly())
def test_what_is_not_refused_can_be_kept_by_both_databases(both_stores: list[Store], payload: bytes) -> None:
    for topic in TOPICS:
        try:
            accepted = parse(PREFIX, topic, payload)
        except MessageRefusedError:
            continue
        for store in both_stores:
            store.keep([accepted], [], NOON)
