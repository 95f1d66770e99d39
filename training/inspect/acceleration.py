"""From recorded acceleration to the windows that the activity model is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edge_agent.recordings.acceleration import AccelerationRecording
from edge_agent.recordings.read_acceleration import read_acceleration
from edge_agent.signals.acceleration import RATE_HZ, WINDOW_S, WINDOW_SAMPLES
from training.activity.classes import CLASSES
from training.activity.dataset import Dataset, Session, cut, hours, prepare
from training.activity.folds import folds
from training.errors import TrainingError
from training.inspect import acceleration_plots as plots
from training.inspect.account import Account, Listing, Oddity, Picture, Step, named
from training.inspect.odd import runs

KIND = "acceleration"

_STILL = CLASSES.index("still")
# What moves the trunk and the arms at every step: hands on a handlebar, or the chest of a rower, may well be quiet.
_ON_FEET = {CLASSES.index(name) for name in ("walk", "run", "stairs", "jump")}
# Standing people move by some 0.1 m/s² (breath, heart, sway), walking ones by 1.5 and more.
_QUIET_MPS2 = 0.25
_QUIET = 0.1  # share of the seconds
# At rest a sensor measures gravity: 9.81 m/s², within what an uncalibrated one is off.
_GRAVITY_MPS2 = (9.3, 10.3)
# A sensor at the end of its range (2 g and more) says the same number again and again.
_CLIPPED = 20
_SMALLEST_RANGE_MPS2 = 19.0
# Noise alone moves one of three axes within some samples; when none of them moves for longer, samples were lost.
_LOST_S = 0.4
_PIECES = 2


def inspect(folder: Path) -> Account:
    """Take the steps of training on a folder's recordings, and count.

    Raises:
        TrainingError: there is no acceleration with a label.
    """
    recordings, errors = read_acceleration(folder)
    dataset = prepare(recordings, errors)
    if not dataset.sessions:
        reasons = "; ".join(dataset.left_out)
        msg = f"{folder}: no acceleration of a known activity ({reasons})"
        raise TrainingError(msg)
    unread = [Oddity(named(folder, e.path), f"{e.reason}; {e.remedy}", unread=True) for e in errors]
    odd = [Oddity(_name(s), what) for s in dataset.sessions for what in _oddities(s)]
    odd += [Oddity(_name(r), what) for r in recordings for what in _lost(r)]
    odd += _in_pieces(recordings)
    return Account(
        kind=KIND,
        facts=(
            ("recordings", f"{len(recordings):,}"),
            ("people", f"{len({(r.source, r.person) for r in recordings}):,}"),
            ("hours", f"{sum(r.duration_s for r in recordings) / 3600:,.1f}"),
            ("hours with a class", f"{hours(dataset.sessions):,.1f}"),
            ("not readable", f"{len(unread):,}"),
            ("odd", f"{len({o.where for o in odd}):,}"),
        ),
        steps=_steps(recordings, dataset),
        oddities=[*unread, *odd],
        pictures=_pictures(recordings, dataset.sessions),
        listing=_listing(recordings),
    )


def _name(item: Session | AccelerationRecording) -> str:
    session = item.name if isinstance(item, Session) else item.session
    return f"{item.source} {item.person} {session} {item.placement}"


def _steps(recordings: Sequence[AccelerationRecording], dataset: Dataset) -> list[Step]:
    windows = cut(dataset.sessions)
    people = len(np.unique(windows.group))
    samples = sum(len(s.signal_mps2) for s in dataset.sessions)
    return [
        Step(
            "read",
            "A recording is one activity at a constant rate without a hole: a file is cut where it pauses. One with a "
            "missing or impossible value is named, and the others go on.",
            "recordings",
            len(recordings) + len(dataset.errors),
            len(recordings),
            [("could not be read, listed below", len(dataset.errors))],
            "edge_agent.recordings.read_acceleration",
        ),
        Step(
            "bridge",
            "A sensor that drops out reports three zeros, which cannot be measured: the movement before stands in for "
            "up to a second, played backwards.",
            "samples",
            sum(len(r.acceleration_mps2) for r in recordings),
            sum(len(r.acceleration_mps2) - r.bridged_samples for r in recordings),
            _bridged(recordings),
            "edge_agent.recordings.acceleration",
        ),
        Step(
            "label",
            f"The data sets' activities become {len(CLASSES)} classes; what is none of them is passed over.",
            "recordings",
            len(recordings),
            len(dataset.sessions),
            sorted(dataset.passed_over.items(), key=lambda item: (-item[1], item[0])),
            "training.activity.classes",
        ),
        _resample(recordings, dataset),
        Step(
            "window",
            f"Windows of {WINDOW_S} s that do not overlap, none across two recordings; what is left at the end is not "
            "used.",
            "samples",
            samples,
            len(windows) * WINDOW_SAMPLES,
            [("left at the ends", samples - len(windows) * WINDOW_SAMPLES), ("windows", len(windows))],
            "training.activity.dataset",
        ),
        _split(dataset, people),
        Step(
            "balance",
            "What was recorded of each class. Training draws every class, placement and data set in a fixed share, "
            "whatever its size, and scores are means over classes.",
            "windows",
            len(windows),
            len(windows),
            [(name, int((windows.label == i).sum())) for i, name in enumerate(CLASSES)],
            "training.activity.augment",
        ),
    ]


def _split(dataset: Dataset, people: int) -> Step:
    try:
        groups = folds(dataset.sessions)
    except TrainingError:
        groups = []
    return Step(
        "split",
        "People are left out of training in turn, one by one where a data set has few, in groups where it has many: "
        "windows of one person resemble each other.",
        "people",
        people,
        sum(map(len, groups)),
        [(f"people left out together: {', '.join(sorted(group))}", len(group)) for group in groups],
        "training.activity.folds",
    )


def _bridged(recordings: Sequence[AccelerationRecording]) -> list[tuple[str, int]]:
    samples: Counter[str] = Counter()
    for recording in recordings:
        samples[f"of {recording.source} {recording.person} bridged"] += recording.bridged_samples
    return samples.most_common()


def _resample(recordings: Sequence[AccelerationRecording], dataset: Dataset) -> Step:
    used = {(s.source, s.person, s.name, s.placement) for s in dataset.sessions}
    taken = [r for r in recordings if (r.source, r.person, r.session, r.placement) in used]
    rates = Counter(f"recordings of {r.source} at {r.rate_hz:.0f} Hz" for r in taken)
    return Step(
        "resample",
        f"To {RATE_HZ} Hz through a low-pass that leaves nothing above 10 Hz, as on the device: makes cannot be told "
        "apart by what their filters leave.",
        "samples",
        sum(len(r.acceleration_mps2) for r in taken),
        sum(len(s.signal_mps2) for s in dataset.sessions),
        rates.most_common(),
        "edge_agent.signals.acceleration",
    )


def _oddities(session: Session) -> Iterator[str]:
    magnitude = np.linalg.norm(session.signal_mps2, axis=1)
    seconds = magnitude[: len(magnitude) // RATE_HZ * RATE_HZ].reshape(-1, RATE_HZ)
    quiet = float((seconds.std(axis=1) < _QUIET_MPS2).mean())
    if session.label in _ON_FEET and quiet > _QUIET:
        yield f"{quiet:.0%} of its seconds are as quiet as standing, though it is labelled {CLASSES[session.label]}"
    level = float(np.median(magnitude))
    if session.label == _STILL and not _GRAVITY_MPS2[0] <= level <= _GRAVITY_MPS2[1]:
        yield f"gravity measures {level:.2f} m/s² at rest: the sensor is not calibrated"
    most = float(np.abs(session.signal_mps2).max())
    clipped = int((np.abs(session.signal_mps2) == most).any(axis=1).sum())
    if clipped >= _CLIPPED and most >= _SMALLEST_RANGE_MPS2:
        yield f"{clipped} of its samples are at {most:.0f} m/s², which may be the end of the sensor's range"


def _lost(recording: AccelerationRecording) -> Iterator[str]:
    if recording.bridged_samples:
        share = recording.bridged_samples / len(recording.acceleration_mps2)
        yield f"the sensor dropped {share:.1%} of its samples; the movement before stands in"
    still = (np.diff(recording.acceleration_mps2, axis=0) == 0).all(axis=1)
    stretches = [(start, samples) for start, samples in runs(still) if samples >= _LOST_S * recording.rate_hz]
    if stretches:
        lost_s = sum(samples for _, samples in stretches) / recording.rate_hz
        start, _ = max(stretches, key=lambda stretch: stretch[1])
        x, y, z = recording.acceleration_mps2[start].tolist()
        yield (
            f"stands still for {lost_s:.1f} s in {len(stretches)} stretches, the longest from second "
            f"{start / recording.rate_hz:.0f} on at ({x:.1f}, {y:.1f}, {z:.1f}) m/s²: samples were lost"
        )


def _in_pieces(recordings: Sequence[AccelerationRecording]) -> list[Oddity]:
    pieces: dict[tuple[str, str, str, str], list[AccelerationRecording]] = {}
    for recording in recordings:
        unit = recording.session.rsplit("-", 1)[0]
        pieces.setdefault((recording.source, recording.person, unit, recording.placement), []).append(recording)
    return [
        Oddity(" ".join(key), f"comes in {len(own)} pieces, between which nothing was recorded")
        for key, own in pieces.items()
        if len(own) >= _PIECES and key[2] != own[0].session
    ]


def _pictures(recordings: Sequence[AccelerationRecording], sessions: Sequence[Session]) -> list[Picture]:
    return [
        Picture(
            "acceleration-balance",
            "Class balance",
            "Minutes of each class by source and placement; and how many people did it there.",
            partial(plots.balance, sessions),
        ),
        Picture(
            "acceleration-distributions",
            "Distributions",
            "How much each class moves: standard deviation of the magnitude over windows of five seconds, by source "
            "and placement. Classes that lie on each other can only be told apart by their rhythm.",
            partial(plots.distributions, sessions),
        ),
        Picture(
            "acceleration-gaps",
            "Gaps and rates",
            "Length of the recordings between two pauses; and the rates that they came at, the dashed line the "
            "device's.",
            partial(plots.gaps, recordings),
        ),
        Picture(
            "acceleration-traces",
            "Example traces",
            "Five seconds from the middle of the first recording of each class, three axes as the sensor has them; "
            "nobody chose the prettiest.",
            partial(plots.traces, sessions),
        ),
    ]


def _listing(recordings: Sequence[AccelerationRecording]) -> Listing:
    rows = [
        [
            r.source,
            r.person,
            r.session,
            r.placement or "-",
            r.activity or "-",
            f"{r.rate_hz:.1f}",
            f"{r.duration_s:.0f}",
        ]
        for r in recordings
    ]
    return Listing(["source", "person", "recording", "placement", "activity", "Hz", "s"], rows)
