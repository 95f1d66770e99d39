"""Real sessions made strange: what other athletes' watches, bodies and habits do to a recording.

The public recordings are of four people with good sensors. Each kind here takes every so-many-th session of a person,
in the order they were made, and spoils it in one way; the sizes are meant to be on the hard side of what one meets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.recording import Recording
from training.dataset import Session, make_session

# A person with fewer sessions of each kind than this shows nothing of learning.
MIN_SESSIONS = 8

_HEART_RATE = "heart_rate_bpm"
_PLAUSIBLE_BPM = (30.0, 230.0)

_Values = NDArray[np.float64]
_Channels = dict[str, _Values]


def disturbed(sessions: Sequence[Session], seed: int) -> dict[str, list[Session]]:
    """A person's sessions dealt out to the kinds, each spoiled in its way.

    Args:
        sessions: of one person, in the order they were made.
        seed: of the disturbances.

    Returns:
        By kind, in words; empty for a person with too few sessions.
    """
    if len(sessions) < MIN_SESSIONS * len(_KINDS):
        return {}
    random = np.random.default_rng(seed)
    return {
        kind: [make_session(_spoiled(s.recording, spoil, random)) for s in sessions[i :: len(_KINDS)]]
        for i, (kind, spoil) in enumerate(_KINDS.items())
    }


def _spoiled(
    recording: Recording, spoil: Callable[[_Channels, np.random.Generator], _Channels], random: np.random.Generator
) -> Recording:
    channels = spoil({name: v.astype(np.float64) for name, v in recording.channels.items()}, random)
    bpm = channels[_HEART_RATE]
    low, high = _PLAUSIBLE_BPM
    channels[_HEART_RATE] = np.where((bpm < low) | (bpm > high), np.nan, np.round(bpm))
    return dataclasses.replace(
        recording, channels={name: v.astype(np.float32) for name, v in channels.items()}, rr_intervals_ms={}
    )


def _as_recorded(channels: _Channels, random: np.random.Generator) -> _Channels:  # noqa: ARG001
    return channels


def _optical_watch(channels: _Channels, random: np.random.Generator) -> _Channels:
    """Late by 6 s, a mean over 8 s, noisy, stuck now and then; speed from a poor fix."""
    bpm = _mean(_late(channels[_HEART_RATE], 6), 8)
    bpm += _wander(len(bpm), 1.5, 12, random)
    for start, seconds in _episodes(len(bpm), 900, 15, random):
        bpm[start : start + seconds] = bpm[start]
    return {**channels, _HEART_RATE: bpm, **_poor_speed(channels, 0.08, 8, random)}


def _unexplained_waves(channels: _Channels, random: np.random.Generator) -> _Channels:
    """Heart rate also follows heat, talk and traffic, 5 bpm over minutes, and speed is hardly worth its name."""
    bpm = _late(channels[_HEART_RATE], 4)
    return {
        **channels,
        _HEART_RATE: bpm + _wander(len(bpm), 5.0, 60, random),
        **_poor_speed(channels, 0.15, 20, random),
    }


def _cadence_lock(channels: _Channels, random: np.random.Generator) -> _Channels:
    """The watch reports steps for beats every ten minutes and loses heart rate in between; the only load is cadence."""
    bpm = channels[_HEART_RATE] + _wander(len(channels[_HEART_RATE]), 1.0, 5, random)
    cadence_rpm = channels["cadence_rpm"] if "cadence_rpm" in channels else np.full(len(bpm), 85.0)
    for start, seconds in _episodes(len(bpm), 600, 40, random):
        bpm[start : start + seconds] = 2 * cadence_rpm[start : start + seconds]
    for start, seconds in _episodes(len(bpm), 400, 12, random):
        bpm[start : start + seconds] = np.nan
    return {_HEART_RATE: bpm, "cadence_rpm": np.minimum(2 * cadence_rpm, 255)}  # in steps, as some devices say it


def _weak_answer(channels: _Channels, random: np.random.Generator) -> _Channels:
    """Heart rate moves by 0.6 of what it did, and there is no altitude."""
    bpm = 130 + 0.6 * (channels[_HEART_RATE] - 130)
    kept = {name: v for name, v in channels.items() if name != "altitude_m"}
    return {**kept, _HEART_RATE: bpm + _wander(len(bpm), 2.0, 25, random)}


_KINDS: dict[str, Callable[[_Channels, np.random.Generator], _Channels]] = {
    "as recorded": _as_recorded,
    "optical watch": _optical_watch,
    "unexplained waves": _unexplained_waves,
    "cadence lock": _cadence_lock,
    "weak answer": _weak_answer,
}


def _late(values: _Values, seconds: int) -> _Values:
    return np.concatenate([np.full(seconds, values[0]), values[:-seconds]])


def _mean(values: _Values, seconds: int) -> _Values:
    """Mean of the last seconds, of those that are known; unknown where the last one is."""
    known = ~np.isnan(values)
    sums, counts = (
        np.convolve(v, np.ones(seconds))[: len(values)] for v in (np.where(known, values, 0.0), known.astype(float))
    )
    return np.where(known, sums / np.maximum(counts, 1), np.nan)


def _wander(count: int, sd: float, memory_s: float, random: np.random.Generator) -> _Values:
    """First-order autoregressive noise."""
    keep = np.exp(-1 / memory_s)
    steps = random.normal(0, sd * np.sqrt(1 - keep**2), count)
    noise, now = np.empty(count), 0.0
    for t, step in enumerate(steps.tolist()):
        now = keep * now + step
        noise[t] = now
    return noise


def _episodes(count: int, every_s: int, mean_s: float, random: np.random.Generator) -> list[tuple[int, int]]:
    """Start and length of what happens now and then."""
    return [(int(random.integers(count)), 5 + int(random.exponential(mean_s))) for _ in range(count // every_s)]


def _poor_speed(channels: _Channels, sd: float, memory_s: float, random: np.random.Generator) -> _Channels:
    if "speed_mps" not in channels:
        return {}
    speed_mps = channels["speed_mps"]
    return {"speed_mps": speed_mps * np.exp(_wander(len(speed_mps), sd, memory_s, random))}
