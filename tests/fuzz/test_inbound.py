"""The targets of the fuzz run over what comes from a broker: their own seeds, and bytes that hypothesis thinks of."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.inbound import TARGETS, seeds, target


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """A target keeps quiet, the tests after it do not."""
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_finds_nothing_in_its_seeds(name: str) -> None:
    run = target(name)
    for seed in seeds(name):
        run(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_broker_sends_is_refused_or_taken(name: str) -> None:
    run = target(name)
    changes = st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=8)

    @settings(max_examples=60)
    @given(seed=st.sampled_from(seeds(name)), changed=changes, cut=st.integers(0, 4096), more=st.binary(max_size=20))
    def holds(seed: bytes, changed: list[tuple[int, int]], cut: int, more: bytes) -> None:
        data = bytearray(seed)
        for place, value in changed:
            data[place % len(data)] = value
        run(bytes(data[:cut]) + more)

    holds()
