"""The read API on a real socket."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import uvicorn

from edge_agent.errors import ConfigError
from heartline_backend.api import TOKEN_VARIABLE, make_app, read_token
from heartline_backend.config import ApiConfig
from heartline_backend.store.store import Store
from tests.backend.samples import DEVICE, NOON, a_summary, message


@contextlib.contextmanager
def serving(store: Store, token: str | None = None) -> Iterator[str]:
    """Gives the address of the API."""
    app = make_app(store, ZoneInfo("UTC"), token)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def ask(url: str, **headers: str) -> tuple[int, Any]:
    """Status, and JSON where it is some."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - our own
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
        error.close()
    return status, json.loads(body) if body.startswith((b"{", b"[")) else body.decode()


def test_what_is_kept_can_be_asked_for(file_store: Store) -> None:
    summaries = [a_summary(started_at=NOON + timedelta(days=n), athlete="ada" if n else "bo") for n in range(5)]
    file_store.keep([message(b"online", name="status"), *map(message, summaries)], [], NOON)
    with serving(file_store) as url:
        assert [a["sessions"] for a in ask(f"{url}/v1/athletes")[1]] == [4, 1]
        assert [(d["device"], d["online"]) for d in ask(f"{url}/v1/devices")[1]] == [(DEVICE, True)]
        assert len(ask(f"{url}/v1/load?athlete=ada")[1]) == 1
        status, sessions = ask(f"{url}/v1/sessions?athlete=ada&since=2026-03-04&limit=2")
        assert status == 200
        assert [s["summary"]["started_at"] for s in sessions] == [s.started_at for s in summaries[2:4]]
        assert ask(f"{url}/v1/events?athlete=ada") == (200, [])
        metrics = ask(f"{url}/metrics")[1]
    assert 'heartline_devices{status="online"} 1.0' in metrics
    assert "heartline_dead_letters_kept 0.0" in metrics


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sessions?limit=0", 400),
        ("/v1/sessions?limit=1001", 400),
        ("/v1/sessions?limit=%C2%B2", 400),
        ("/v1/sessions?since=yesterday", 400),
        ("/v1/demand", 404),
        ("/v1/nothing", 404),
        ("/", 404),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_a_reason(file_store: Store, path: str, status: int) -> None:
    with serving(file_store) as url:
        answered, body = ask(f"{url}{path}")
    assert answered == status
    assert body["error"]


def test_with_a_token_nobody_else_gets_an_answer(file_store: Store) -> None:
    with serving(file_store, "s3cret") as url:
        assert ask(f"{url}/v1/athletes", Authorization="Bearer s3cret") == (200, [])
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
            assert ask(f"{url}/v1/athletes", **headers)[0] == 401
        assert ask(f"{url}/metrics")[0] == 401


def test_a_page_in_a_browser_cannot_reach_the_loopback_under_a_name_of_its_own(file_store: Store) -> None:
    with serving(file_store) as url:
        assert ask(f"{url}/v1/athletes", Host="evil.example")[0] == 400
        assert ask(f"{url}/v1/athletes", Host="localhost:8468")[0] == 200


def test_whom_others_can_reach_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    for host in ("127.0.0.1", "::1", "localhost"):
        assert read_token(ApiConfig(host=host)) is None
    with pytest.raises(ConfigError, match="name a `token_file`"):
        read_token(ApiConfig(host="0.0.0.0"))  # noqa: S104 - what is refused
    monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
    assert read_token(ApiConfig(host="0.0.0.0")) == "s3cret"  # noqa: S104
