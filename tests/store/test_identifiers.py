from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from edge_agent.store.identifiers import uuid7

AT = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_an_id_is_laid_out_as_rfc_9562_says() -> None:
    made = uuid7(AT)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert str(made).startswith("017f22e2-79b0-7")  # the example of RFC 9562, appendix A.6


def test_ids_sort_by_their_time_and_differ_at_the_same_time() -> None:
    ids = [uuid7(AT + timedelta(milliseconds=ms)) for ms in range(50)]
    assert ids == sorted(ids)
    assert len({uuid7(AT) for _ in range(1000)}) == 1000


def test_a_clock_before_1970_is_no_obstacle() -> None:
    assert str(uuid7(datetime(1969, 1, 1, tzinfo=UTC))).startswith("00000000-0000-7")
