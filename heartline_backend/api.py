"""The read API: what is kept, as JSON, and how things stand, for Prometheus."""

from __future__ import annotations

import ipaddress
import secrets
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_agent.broker import read_secret
from edge_agent.errors import ConfigError
from heartline_backend.config import ApiConfig
from heartline_backend.demand import PAST, TooFewWeeksError, demand
from heartline_backend.errors import StoreError, StoreRefusedError
from heartline_backend.export import plain
from heartline_backend.ingest import now_utc
from heartline_backend.load import weekly_load
from heartline_backend.moments import parse_moment
from heartline_backend.store.rows import Event, Session
from heartline_backend.store.store import Store

TOKEN_VARIABLE = "HEARTLINE_API_TOKEN"  # noqa: S105 - the name of one

DEFAULT_ROWS, MAX_ROWS = 100, 1000


def read_token(config: ApiConfig) -> str | None:
    """What a client has to show; None where nobody else than this machine's users can reach the API.

    Raises:
        ConfigError: others can reach it, and there is no token, or it cannot be read.
    """
    token = read_secret(config.token_file, TOKEN_VARIABLE)
    if not token and not _is_loopback(config.host):
        msg = f"others can reach [api] host {config.host!r}: name a `token_file`, or set {TOKEN_VARIABLE}"
        raise ConfigError(msg)
    return token or None


def make_app(store: Store, zone: ZoneInfo, token: str | None) -> Starlette:
    """The API over a store.

    Args:
        store: that nobody else in this process uses.
        zone: in which days and weeks begin.
        token: what a client has to show as `Authorization: Bearer ...`.
    """
    answers = _Answers(store, zone)
    routes = {
        "/v1/athletes": answers.athletes,
        "/v1/demand": answers.demand,
        "/v1/devices": answers.devices,
        "/v1/events": answers.events,
        "/v1/load": answers.load,
        "/v1/sessions": answers.sessions,
        "/metrics": answers.metrics,
    }
    # A page in somebody's browser can ask the loopback under a name of its own, which this refuses.
    local = Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])
    return Starlette(
        routes=[Route(path, _guarded(answer, token), methods=["GET"]) for path, answer in routes.items()],
        middleware=[] if token else [local],
        exception_handlers={HTTPException: _refusal, StoreError: _trouble, StoreRefusedError: _question},
    )


class _Answers:
    """One method for each path; starlette calls them in threads, and the store is used by one at a time."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone
        self._turn = threading.Lock()

    def athletes(self, _request: Request) -> Response:
        with self._turn:
            return _json(self._store.athletes())

    def devices(self, _request: Request) -> Response:
        with self._turn:
            return _json(self._store.devices())

    def demand(self, _request: Request) -> Response:
        now = now_utc()
        with self._turn:
            starts = self._store.starts(now - PAST)
        try:
            return _json(demand(starts, now, self._zone).plain())
        except TooFewWeeksError as error:
            raise HTTPException(404, str(error)) from error

    def load(self, request: Request) -> Response:
        with self._turn:
            sessions = self._store.sessions(athlete=request.query_params.get("athlete"))
            return _json(weekly_load(sessions, self._zone))

    def sessions(self, request: Request) -> Response:
        return self._page(request, self._store.sessions)

    def events(self, request: Request) -> Response:
        return self._page(request, self._store.events)

    def metrics(self, _request: Request) -> Response:
        with self._turn:
            standing = self._store.standing()
        registry = CollectorRegistry()
        devices = Gauge("heartline_devices", "Devices that were heard of", ["status"], registry=registry)
        devices.labels("online").set(standing.online)
        devices.labels("offline").set(standing.offline)
        letters = Gauge("heartline_dead_letters_kept", "Messages that could not be kept otherwise", registry=registry)
        letters.set(standing.dead_letters)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def _page(self, request: Request, rows: Callable[..., Iterable[Session | Event]]) -> Response:
        asked = request.query_params
        with self._turn:
            chosen = rows(
                athlete=asked.get("athlete"),
                device=asked.get("device"),
                since=self._moment(asked.get("since")),
                until=self._moment(asked.get("until")),
            )
            return _json([plain(row) for row in islice(chosen, _limit(asked.get("limit")))])

    def _moment(self, text: str | None) -> datetime | None:
        try:
            return None if text is None else parse_moment(text, self._zone)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error


def _guarded(answer: Callable[[Request], Response], token: str | None) -> Callable[[Request], Response]:
    """The same for those alone who show the token."""

    def guarded(request: Request) -> Response:
        shown = request.headers.get("authorization", "").encode()
        if token is not None and not secrets.compare_digest(shown, f"Bearer {token}".encode()):
            raise HTTPException(401, "show the token as `Authorization: Bearer ...`", {"WWW-Authenticate": "Bearer"})
        return answer(request)

    return guarded


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_ROWS
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_ROWS:
        raise HTTPException(400, f"`limit` is a number from 1 to {MAX_ROWS}")
    return int(text)


def _json(answer: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    response = _json({"error": error.detail}, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _question(_request: Request, error: Exception) -> Response:
    """A value that the store does not take is one that was asked for: nothing is written here."""
    return _json({"error": str(error)}, 400)


def _trouble(_request: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, 503)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
