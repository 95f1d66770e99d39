"""However messages are shared out, repeated and mixed up on their way, the same is kept in the end."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.store.messages import Tombstone
from edge_agent.store.summary import Summary
from heartline_backend.config import StoreConfig
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store
from tests.backend.samples import DEVICE, NOON, OTHER_DEVICE, a_summary, a_tombstone, message
from tests.postgresql import emptied

ATHLETES = ("ada", "bo")
HOURS = st.integers(0, 9)


@dataclass(frozen=True)
class Told:
    """A message of a device."""

    device: str
    what: Summary | Tombstone


@st.composite
def summaries(draw: st.DrawFn) -> Told:
    """A revision of one of a few sessions, each of which has its athlete and its start."""
    number = draw(HOURS)
    session_id = str(uuid.UUID(int=number))
    summary = a_summary(
        athlete=ATHLETES[number % 2],
        started_at=NOON + timedelta(hours=number),
        revision=draw(st.integers(1, 3)),
        session_id=session_id,
    )
    return Told(draw(st.sampled_from([DEVICE, OTHER_DEVICE])), summary)


@st.composite
def tombstones(draw: st.DrawFn) -> Told:
    """An athlete is forgotten, between two sessions."""
    at = NOON + timedelta(hours=draw(HOURS), minutes=30)
    return Told(DEVICE, a_tombstone(athlete=draw(st.sampled_from(ATHLETES)), at=at))


def expected(told: list[Told]) -> set[tuple[str, str, int]]:
    """Device, id and highest revision of each session, but for those of before their athlete was forgotten."""
    forgotten = [(t.device, t.what.athlete, t.what.at) for t in told if isinstance(t.what, Tombstone)]
    kept: dict[tuple[str, str], int] = {}
    for device, what in ((t.device, t.what) for t in told):
        if isinstance(what, Summary) and not any(
            (device, what.athlete) == (d, a) and what.started_at <= at for d, a, at in forgotten
        ):
            key = (device, what.session_id)
            kept[key] = max(kept.get(key, 0), what.revision)
    return {(*key, revision) for key, revision in kept.items()}


def kept(store: Store) -> set[tuple[str, str, int]]:
    return {(str(s.device), str(s.session_id), s.revision) for s in store.sessions()}


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], StoreConfig]:
    """Gives an empty store, again and again."""
    if request.param == "postgresql":
        server = request.getfixturevalue("server")
        return lambda: StoreConfig(postgresql=emptied(server))
    numbers = itertools.count()
    return lambda: StoreConfig(file=tmp_path / f"{next(numbers)}.sqlite3")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_same_is_kept_in_whatever_order_it_comes(fresh: Callable[[], StoreConfig], data: st.DataObject) -> None:
    told = data.draw(st.lists(summaries() | tombstones(), max_size=12))
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=6)) if told else []
    coming = data.draw(st.permutations(told + repeated))
    size = data.draw(st.integers(1, 5))
    with open_store(fresh()) as store:
        for first in range(0, len(coming), size):
            batch = [message(one.what, device=one.device) for one in coming[first : first + size]]
            store.keep(batch, [], NOON + timedelta(hours=20))
        assert kept(store) == expected(told)
