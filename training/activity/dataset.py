"""From recordings to labelled windows, by person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.acceleration import PLACEMENTS, AccelerationRecording
from edge_agent.recordings.read_acceleration import read_acceleration
from edge_agent.signals.acceleration import RATE_HZ, WINDOW_SAMPLES, resample
from training.activity.classes import CLASSES, class_of
from training.errors import TrainingError


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One activity of one person on one sensor, without a gap.

    Attributes:
        source: data set.
        person: who, unique within the source.
        name: of the recording, unique within source, person and placement.
        placement: `chest` or `wrist`.
        activity: in the words of the data set.
        label: index in `CLASSES`.
        signal_mps2: acceleration as the device resamples it to 25 Hz, float32 (samples, 3).
    """

    source: str
    person: str
    name: str
    placement: str
    activity: str
    label: int
    signal_mps2: NDArray[np.float32]

    @property
    def group(self) -> str:
        """The person, told from everybody of every source."""
        return f"{self.source}/{self.person}"


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of five seconds that do not overlap, in the order of time within a session.

    Attributes:
        acceleration_mps2: in the axes of the sensor, float32 (windows, 125, 3).
        label: index in `CLASSES`, int64 (windows,).
        group: person, told from everybody of every source, (windows,).
        source: data set, (windows,).
        placement: `chest` or `wrist`, (windows,).
        session: index of the session that each was cut from, int64 (windows,).
    """

    acceleration_mps2: NDArray[np.float32]
    label: NDArray[np.int64]
    group: NDArray[np.str_]
    source: NDArray[np.str_]
    placement: NDArray[np.str_]
    session: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: NDArray[np.bool_]) -> Windows:
        """The windows at which `chosen` (windows,) is true."""
        return Windows(
            self.acceleration_mps2[chosen],
            self.label[chosen],
            self.group[chosen],
            self.source[chosen],
            self.placement[chosen],
            self.session[chosen],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """All labelled acceleration under a folder.

    Attributes:
        sessions: in order of source, person, placement and name.
        errors: what could not be read.
        passed_over: reason to how many recordings were read and are not among the sessions.
    """

    sessions: list[Session]
    errors: list[RecordingError]
    passed_over: Mapping[str, int]

    @property
    def left_out(self) -> list[str]:
        """What is not among the sessions, one sentence each."""
        return [*map(str, self.errors), *(f"{what}: {n} recordings" for what, n in sorted(self.passed_over.items()))]

    @property
    def windows(self) -> Windows:
        """The sessions cut into windows; what is left at a session's end is not used."""
        return cut(self.sessions)


def load(folder: Path, progress: Callable[[Iterable[int]], Iterable[int]] = iter) -> Dataset:
    """Read and resample whatever acceleration is under a folder.

    Args:
        folder: with recordings of any layout that `read_acceleration` knows.
        progress: wraps the indices of the recordings that are being resampled, e.g. in a progress bar.

    Raises:
        TrainingError: there is no window with a label.
    """
    dataset = prepare(*read_acceleration(folder), progress)
    if not dataset.sessions:
        reasons = "; ".join(dataset.left_out)
        known = ", ".join(CLASSES)
        msg = f"{folder}: no acceleration of a known activity and placement ({reasons}); give some of {known}"
        raise TrainingError(msg)
    return dataset


def prepare(
    recordings: Sequence[AccelerationRecording],
    errors: list[RecordingError],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Dataset:
    """Label recordings and bring them to the rate of the device.

    Args:
        recordings: to label.
        errors: what could not be read.
        progress: as of `load`.
    """
    passed_over: Counter[str] = Counter()
    sessions = []
    for i in progress(range(len(recordings))):
        recording = recordings[i]
        label = class_of(recording.source, recording.activity)
        if label is None or recording.placement not in PLACEMENTS:
            what = recording.activity or "no activity named"
            where = recording.placement or "no placement named"
            passed_over[f"{recording.source}: {what}, {where}"] += 1
            continue
        signal = resample(recording.acceleration_mps2, recording.rate_hz)
        if len(signal) < WINDOW_SAMPLES:
            passed_over[f"{recording.source}: shorter than a window"] += 1
            continue
        sessions.append(
            Session(
                recording.source,
                recording.person,
                recording.session,
                recording.placement,
                recording.activity,
                label,
                signal,
            )
        )
    return Dataset(sessions, errors, passed_over)


def cut(sessions: list[Session]) -> Windows:
    """Cut sessions into windows that do not overlap."""
    counts = [len(s.signal_mps2) // WINDOW_SAMPLES for s in sessions]
    pieces = [
        s.signal_mps2[: n * WINDOW_SAMPLES].reshape(n, WINDOW_SAMPLES, 3) for s, n in zip(sessions, counts, strict=True)
    ]
    return Windows(
        np.concatenate(pieces) if pieces else np.empty((0, WINDOW_SAMPLES, 3), np.float32),
        np.repeat(np.array([s.label for s in sessions], np.int64), counts),
        np.repeat(np.array([s.group for s in sessions], np.str_), counts),
        np.repeat(np.array([s.source for s in sessions], np.str_), counts),
        np.repeat(np.array([s.placement for s in sessions], np.str_), counts),
        np.repeat(np.arange(len(sessions)), counts),
    )


def hours(sessions: Iterable[Session]) -> float:
    """Recorded hours."""
    return sum(len(s.signal_mps2) for s in sessions) / RATE_HZ / 3600
