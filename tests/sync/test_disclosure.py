"""What leaves the device of an athlete: a pseudonym that stays the same, unless names are switched on."""

from __future__ import annotations

import msgspec

from edge_agent.config import Share
from edge_agent.store.messages import SCHEMA, Kind, OutboxMessage, Tombstone
from edge_agent.sync.disclosure import Disclosure

TOMBSTONE = Tombstone(SCHEMA, "0", 1, "ada", "2026-03-01T07:30:00+00:00", time_trusted=True)
MESSAGE = OutboxMessage(1, Kind.TOMBSTONE, "ada", msgspec.json.encode(TOMBSTONE))


def test_an_athlete_has_one_pseudonym_on_a_device_and_another_one_on_the_next() -> None:
    here, there = Disclosure(Share.SUMMARY, b"1" * 32), Disclosure(Share.SUMMARY, b"2" * 32)
    assert here.athlete("ada") == here.athlete("ada")
    assert len({here.athlete("ada"), here.athlete("bo"), there.athlete("ada"), "ada"}) == 4


def test_a_message_carries_the_pseudonym_in_place_of_the_name() -> None:
    disclosure = Disclosure(Share.SUMMARY, b"1" * 32)
    payload = disclosure.payload(MESSAGE)
    assert b"ada" not in payload
    assert msgspec.json.decode(payload)["athlete"] == disclosure.athlete("ada")


def test_names_are_told_where_that_is_switched_on() -> None:
    assert msgspec.json.decode(Disclosure(Share.SUMMARY, None).payload(MESSAGE))["athlete"] == "ada"


def test_events_are_told_from_their_level_on() -> None:
    assert [Disclosure(share, None).tells(Kind.EVENT) for share in (Share.SUMMARY, Share.EVENTS)] == [False, True]
