"""Changes JSON where a change of bytes would only break it: a field goes, comes, or gets another value."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import atheris

_BYTES_ALONE = 0.4  # of the changes of inputs that are JSON

_ID = "019ca84d-d8c0-7000-8000-000000000001"
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 7.5, 120, 1e308, 2**31, 2**63, 2**64, float("nan")),
    *("", "ada", "a" * 101, "\0", "\ud800", "\U0001f3c3", _ID, _ID.upper(), f"{{{_ID}}}", "online"),
    *("2026-03-01T07:30:00+00:00", "2026-03-01T07:30:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *([], {}, [[[[]]]], {"a": {"b": {}}}),
)


def mutate_json(data: bytes, longest: int, seed: int) -> bytes:
    """Another input; JSON is what begins with the first brace."""
    random = Random(seed)  # noqa: S311 - of inputs, not of keys
    begin = data.find(b"{")
    if begin < 0 or random.random() < _BYTES_ALONE:
        return bytes(atheris.Mutate(data, longest))
    try:
        value = json.loads(data[begin:])
    except (ValueError, RecursionError):
        return bytes(atheris.Mutate(data, longest))
    _change(value, random)
    return (data[:begin] + json.dumps(value, ensure_ascii=random.random() < 1 / 2).encode(errors="replace"))[:longest]


def _change(value: dict[str, Any], random: Random) -> None:
    keys = [*value, "athlete", "x"]
    key = random.choice(keys)
    inner = value.get(key)
    if isinstance(inner, dict) and random.random() < 1 / 2:
        _change(inner, random)
    elif key in value and random.random() < 1 / 4:
        del value[key]
    else:
        value[key] = random.choice([*_VALUES, *value.values()])
