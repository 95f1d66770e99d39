"""The network table's quick cases, shorter: nothing is lost, and what is wrong is said once, with the remedy."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.outages import acknowledges_nothing, broker_gone, killed_before_it_acknowledges, other_server
from tests.network.refusals import REFUSALS, refused
from tests.network.simulated_time import run_simulated

_HOUR_S = 3600.0

# paho leaves the socket of a failed handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have it collected now, not in the next test."""
    yield
    gc.collect()


REMEDIES = {
    "wrong password": "check username, password and the broker's access list",
    "unknown username": "check username, password and the broker's access list",
    "certificate of an authority that is not known here": "name the authority in `ca_file`",
    "certificate expired": "renew it",
    "certificate not valid yet, as for a device without the time": "check the clock of this device",
    "certificate of another name": "set `host` to the name in it",
    "topic denied by the broker's access list": "allow it in the broker's access list",
    "payload over the broker's limit, which it announces": "raise the broker's limit",
    "payload over the broker's limit, of which it says nothing": "see the broker's log, and its limits",
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_what_a_broker_refuses_is_said_once_and_sent_when_it_is_mended(fault: str, tmp_path: Path) -> None:
    row = run_simulated(refused(REFUSALS[fault], tmp_path, duration_s=1.25 * _HOUR_S))
    assert (row.lost, row.twice) == (0, 0)
    assert [times for text, times in row.said.items() if REMEDIES[fault] in text] == [1]
    assert row.recovered_s <= _HOUR_S
    assert row.attempts is not None
    assert row.attempts <= 150


def test_a_broker_that_comes_back_gets_what_was_recorded_meanwhile(tmp_path: Path) -> None:
    row = run_simulated(broker_gone(tmp_path, hours=1, sessions=2))
    assert (row.sent, row.lost, row.twice) == (2, 0, 0)
    assert row.recovered_s <= 60


def test_a_broker_that_dies_before_it_acknowledges_gets_the_message_again(tmp_path: Path) -> None:
    row = run_simulated(killed_before_it_acknowledges(tmp_path))
    assert (row.lost, row.twice) == (0, 1)


def test_a_connection_is_not_kept_for_a_broker_that_acknowledges_nothing(tmp_path: Path) -> None:
    row = run_simulated(acknowledges_nothing(tmp_path, duration_s=0))
    assert row.lost == 0
    assert row.noticed_s is not None
    assert 60 <= row.noticed_s < 62
    assert any("does not acknowledge" in text for text in row.said)


def test_a_port_of_something_else_is_said_once_and_no_attempt_leaves_a_file_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    gc.disable()
    try:
        row = run_simulated(other_server(tmp_path, duration_s=_HOUR_S / 3))
        assert row.attempts is not None
        assert row.attempts > 20
        assert open_files() <= before
    finally:
        gc.enable()
    assert row.lost == 0
    assert [times for text, times in row.said.items() if "check that `port` is that of an MQTT broker" in text] == [1]
