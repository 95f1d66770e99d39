"""What is kept, on both databases: once, by the highest revision, and nothing of who was forgotten."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from edge_agent.store.identifiers import uuid7
from heartline_backend.config import StoreConfig
from heartline_backend.errors import StoreAwayError, StoreError
from heartline_backend.messages import Message
from heartline_backend.store import postgresql, reader
from heartline_backend.store import store as store_module
from heartline_backend.store.migrations import VERSION
from heartline_backend.store.open import open_store
from heartline_backend.store.rows import DeadLetter
from heartline_backend.store.store import STRAGGLERS, Outcome, Store
from tests.backend.samples import DEVICE, NOON, OTHER_DEVICE, a_summary, a_tombstone, an_event, message
from tests.postgresql import emptied

LATER = NOON + timedelta(hours=3)  # when messages come


def keep(store: Store, *messages: Message, now: datetime = LATER) -> Outcome:
    return store.keep(messages, [], now)


def letter(reason: str = "no JSON", *, device: str | None = DEVICE, at: datetime = LATER) -> DeadLetter:
    return DeadLetter(
        uuid7(at), at, None if device is None else uuid.UUID(device), "heartline/x/session", reason, 3, b"\x00\xff{"
    )


def test_a_session_is_given_back_as_it_was_published(store: Store) -> None:
    summary = a_summary(athlete="ada 💓 'Ω'")
    assert keep(store, message(summary)) == Outcome(1, 0, 0)
    (session,) = store.sessions()
    assert (str(session.device), str(session.session_id)) == (DEVICE, summary.session_id)
    assert (session.athlete, session.started_at, session.received_at) == (summary.athlete, NOON, LATER)
    assert (session.time_trusted, session.historical, session.interrupted) == (True, False, False)
    assert (session.duration_s, session.heart_rate_mean_bpm) == (1800, 140.0)
    assert '"0.3.0"' in session.payload


def test_a_message_that_comes_twice_is_kept_once(store: Store) -> None:
    session, event = message(a_summary()), message(an_event())
    assert keep(store, session, event, session) == Outcome(2, 1, 0)
    assert keep(store, session, event) == Outcome(0, 2, 0)
    assert len(list(store.sessions())) == 1


def test_the_highest_revision_wins_in_whatever_order_they_come(store: Store) -> None:
    ids = itertools.count(1)
    for order in itertools.permutations((1, 2, 3)):
        session_id = str(uuid.UUID(int=next(ids)))
        for revision in order:
            started_at = NOON + timedelta(days=revision)
            keep(store, message(a_summary(session_id=session_id, revision=revision, started_at=started_at)))
    assert {(s.revision, s.started_at) for s in store.sessions()} == {(3, NOON + timedelta(days=3))}


def test_two_devices_may_give_the_same_id(store: Store) -> None:
    summary = a_summary()
    assert keep(store, message(summary), message(summary, device=OTHER_DEVICE)) == Outcome(2, 0, 0)


def test_a_tombstone_takes_all_of_the_athlete_on_that_device_and_nothing_else(store: Store) -> None:
    keep(store, message(a_summary()), message(an_event()), message(a_summary(athlete="bo")))
    keep(store, message(a_summary(), device=OTHER_DEVICE))
    assert keep(store, message(a_tombstone())) == Outcome(1, 0, 0)
    assert [(str(a.device), a.athlete) for a in store.athletes()] == [(OTHER_DEVICE, "ada"), (DEVICE, "bo")]


@pytest.mark.parametrize("time_trusted", [True, False])
def test_stragglers_of_before_a_tombstone_are_not_kept_before_nor_after_it_nor_beside_it(
    store: Store, *, time_trusted: bool
) -> None:
    tombstone = message(a_tombstone(time_trusted=time_trusted))
    keep(store, message(a_summary()))
    assert keep(store, message(a_summary()), tombstone, message(an_event())) == Outcome(1, 0, 2)
    assert keep(store, message(a_summary())) == Outcome(0, 0, 1)
    assert list(store.sessions()) == []


def test_an_athlete_who_begins_anew_is_kept(store: Store) -> None:
    keep(store, message(a_tombstone()))
    anew = a_summary(started_at=NOON + timedelta(hours=2))
    assert keep(store, message(anew)) == Outcome(1, 0, 0)
    keep(store, message(a_tombstone()))  # an older one that comes late
    assert [str(s.session_id) for s in store.sessions()] == [anew.session_id]


def test_where_times_say_nothing_what_comes_within_a_day_of_the_tombstone_is_of_before(store: Store) -> None:
    keep(store, message(a_tombstone()))
    undated = a_summary(started_at=NOON + timedelta(hours=2), time_trusted=False)
    replayed = a_summary(started_at=NOON - timedelta(days=400), historical=True)
    for summary in (undated, replayed):
        assert keep(store, message(summary), now=LATER + STRAGGLERS - timedelta(seconds=1)) == Outcome(0, 0, 1)
        assert keep(store, message(summary), now=LATER + STRAGGLERS) == Outcome(1, 0, 0)


def test_a_tombstone_keeps_no_name(store: Store, store_config: StoreConfig) -> None:
    keep(store, message(a_summary(athlete="Ada Lovelace")), message(a_tombstone(athlete="Ada Lovelace")))
    assert store._db.execute("SELECT count(*) AS n FROM tombstone")[0]["n"] == 1  # noqa: SLF001
    assert "Lovelace" not in str(store._db.execute("SELECT * FROM tombstone"))  # noqa: SLF001
    if store_config.postgresql is None:
        assert b"Lovelace" not in store_config.file.read_bytes()


def test_deleting_an_athlete_here_is_like_being_told_by_every_device_that_knows_the_name(store: Store) -> None:
    keep(store, message(a_summary()), message(a_summary(), device=OTHER_DEVICE), message(a_summary(athlete="bo")))
    assert store.delete_athlete("ada", LATER, device=DEVICE) == 1
    assert store.delete_athlete("ada", LATER) == 1
    assert store.delete_athlete("ada", LATER) == 0
    assert keep(store, message(a_summary()), message(a_summary(), device=OTHER_DEVICE)) == Outcome(0, 0, 2)
    assert [a.athlete for a in store.athletes()] == ["bo"]


def test_a_device_is_as_it_last_said(store: Store) -> None:
    online, offline = message(b"online", name="status"), message(b"offline", name="status")
    other = message(a_summary(), device=OTHER_DEVICE)
    keep(store, online, other)
    keep(store, online, now=LATER + timedelta(minutes=1))
    silent, there = sorted(store.devices(), key=lambda device: device.sessions, reverse=True)
    assert (str(there.device), there.online, there.since) == (DEVICE, True, LATER)
    assert (str(silent.device), silent.online, silent.last_received_at) == (OTHER_DEVICE, None, LATER)
    keep(store, online, offline, now=LATER + timedelta(minutes=2))
    assert [device.online for device in store.devices() if device.sessions == 0] == [False]


def test_dead_letters_are_given_back_and_only_the_newest_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_DEAD_LETTERS", 5)
    letters = [letter(str(n), at=LATER + timedelta(seconds=n)) for n in range(8)]
    store.keep([], letters[:6], LATER)
    store.keep([], letters[6:], LATER)
    assert store.dead_letters() == letters[3:]
    store.discard_letters(letters[3:6])
    assert store.dead_letters() == letters[6:]


def test_a_tombstone_takes_the_dead_letters_of_its_device_since_whose_they_are_cannot_be_told(store: Store) -> None:
    store.keep([], [letter(), letter(device=OTHER_DEVICE), letter(device=None)], LATER)
    keep(store, message(a_tombstone()))
    assert {str(kept.device) for kept in store.dead_letters()} == {OTHER_DEVICE, "None"}


def test_sessions_are_read_page_by_page_and_can_be_chosen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_PAGE_ROWS", 3)
    starts = [NOON + timedelta(hours=hour // 2) for hour in range(10)]  # two at a time
    for index, started_at in enumerate(starts):
        keep(store, message(a_summary(athlete=f"a{index % 2}", started_at=started_at)))
    assert [session.started_at for session in store.sessions()] == starts
    assert len(list(store.sessions(athlete="a1"))) == 5
    assert len(list(store.sessions(device=OTHER_DEVICE))) == 0
    chosen = store.sessions(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=3))
    assert [session.started_at.hour for session in chosen] == [13, 13, 14, 14]


def test_events_are_given_back_as_they_were_published(store: Store) -> None:
    event = an_event(at=NOON + timedelta(minutes=1))
    keep(store, message(event), message(an_event(athlete="bo")))
    (kept,) = store.events(athlete="ada")
    assert (str(kept.event_id), kept.at, kept.name, kept.session_id) == (
        event.event_id,
        NOON + timedelta(minutes=1),
        "lap",
        None,
    )
    assert '"detail"' in kept.payload
    assert len(list(store.events(until=NOON + timedelta(minutes=1)))) == 1


def test_a_batch_is_kept_as_a_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(StoreError):
        store.keep([message(a_summary())], [letter(device=None), letter(reason=None)], LATER)  # type: ignore[arg-type]
    assert list(store.sessions()) == []
    assert store.dead_letters() == []


def test_a_store_is_opened_again_with_all_that_is_in_it(store: Store, store_config: StoreConfig) -> None:
    keep(store, message(a_summary()))
    with open_store(store_config) as again:
        assert len(list(again.sessions())) == 1


def test_a_store_of_a_newer_backend_is_left_alone(store: Store, store_config: StoreConfig) -> None:
    with store._db.transaction():  # noqa: SLF001
        store._db.execute("INSERT INTO schema_version (version) VALUES (%s)", (VERSION + 1,))  # noqa: SLF001
    with pytest.raises(StoreError, match="newer backend"):
        open_store(store_config)


def test_times_are_utc_whatever_zone_they_come_in(store: Store) -> None:
    keep(store, message(a_summary(started_at=datetime.fromisoformat("2026-03-02T14:00:00+02:00"))))
    (session,) = store.sessions()
    assert session.started_at == NOON
    assert session.started_at.utcoffset() == timedelta(0)


def test_a_session_and_its_tombstone_at_two_workers_at_once_leave_nothing(
    store: Store, store_config: StoreConfig
) -> None:
    both = threading.Barrier(2)
    rounds = 30

    def tell(worker: Store, kind: Callable[[str], Message]) -> None:
        for number in range(rounds):
            told = kind(f"a{number}")
            both.wait(10)
            keep(worker, told)

    with open_store(store_config) as other, ThreadPoolExecutor(2) as workers:
        sessions = workers.submit(tell, store, lambda athlete: message(a_summary(athlete=athlete)))
        tombstones = workers.submit(tell, other, lambda athlete: message(a_tombstone(athlete=athlete)))
        sessions.result()
        tombstones.result()
    assert list(store.sessions()) == []


def test_workers_that_keep_the_same_messages_in_other_orders_do_not_wait_for_each_other(
    store: Store, store_config: StoreConfig
) -> None:
    """PostgreSQL would end one of two that do, with an error."""
    messages = [message(a_summary(athlete=f"a{n}")) for n in range(200)]
    with open_store(store_config) as other, ThreadPoolExecutor(2) as workers:
        for _ in range(3):
            forward = workers.submit(keep, store, *messages)
            backward = workers.submit(keep, other, *reversed(messages))
            assert forward.result().kept + backward.result().kept in {200, 0}
    assert len(list(store.sessions())) == 200


def test_a_worker_that_vanishes_in_a_transaction_does_not_hold_up_the_others_for_long(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_IDLE_S", 1)
    config = StoreConfig(postgresql=emptied(server))
    with open_store(config) as vanished, open_store(config) as other:

        def vanish() -> None:
            with vanished._db.transaction():  # noqa: SLF001
                vanished._db.lock(alone=False)  # noqa: SLF001
                assert keep(other, message(a_tombstone())).kept == 1  # when the server has ended the first one

        with pytest.raises(StoreAwayError, match="idle"):
            vanish()
        assert keep(vanished, message(a_summary(athlete="bo"))).kept == 1
