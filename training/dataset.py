"""From recordings to what the workout model is trained on and scored on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.read import Source, find_sources
from edge_agent.recordings.recording import Recording
from edge_agent.signals.features import feature_matrix
from training.errors import TrainingError

if TYPE_CHECKING:
    from distributed import Client

HORIZONS_S = (10, 30, 60)

# A folder of this name, anywhere under the data, is read to report and never to train or to choose.
PUBLISHED_TEST = "published-test"

# Origins are scored once this much heart rate without a gap lies behind them: the protocol of the published benchmark.
HISTORY_S = 120


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A recording with the model's inputs and targets.

    Attributes:
        recording: where it comes from.
        x: features, float32 (seconds, features).
        anchor_bpm: heart rate the change is counted from, float32 (seconds,), NaN where missing.
        restarted: whether the state is zeroed before that second, bool (seconds,).
        change_bpm: change until each horizon, float32 (seconds, horizons); NaN where heart rate is missing at any
            second in between, both ends counted.
        scored: origins that are scored, bool (seconds, horizons).
    """

    recording: Recording
    x: NDArray[np.float32]
    anchor_bpm: NDArray[np.float32]
    restarted: NDArray[np.bool_]
    change_bpm: NDArray[np.float32]
    scored: NDArray[np.bool_]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells this session from every other one; sorts by source, person, then time where names do."""
        return (self.recording.source, self.recording.person, self.recording.session)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """All that was found under one folder.

    Attributes:
        sessions: to train, validate and hold out, sorted by `Session.key`.
        published_test: read only to report.
        errors: files that could not be read.
    """

    sessions: list[Session]
    published_test: list[Session]
    errors: list[RecordingError]


_Prepared = tuple[Source, list[Session], list[RecordingError]]


def make_session(recording: Recording) -> Session:
    """Turn a recording into features and targets."""
    x, anchor_bpm, restarted = feature_matrix(recording.frames())
    seconds = len(anchor_bpm)
    missing = np.isnan(anchor_bpm)
    missing_before = np.concatenate([[0], np.cumsum(missing)])  # [i]: missing seconds among the first i
    change_bpm = np.full((seconds, len(HORIZONS_S)), np.nan, np.float32)
    for column, horizon_s in enumerate(HORIZONS_S):
        origins = np.arange(max(seconds - horizon_s, 0))
        whole = missing_before[origins + horizon_s + 1] == missing_before[origins]
        change_bpm[origins[whole], column] = (anchor_bpm[origins + horizon_s] - anchor_bpm[origins])[whole]
    history = np.zeros(seconds, bool)
    origins = np.arange(HISTORY_S, seconds)
    history[origins] = missing_before[origins + 1] == missing_before[origins - HISTORY_S]
    return Session(recording, x, anchor_bpm, restarted, change_bpm, ~np.isnan(change_bpm) & history[:, None])


def load(
    folder: Path, wrap: Callable[[list[Source]], Iterable[object]] = list, client: Client | None = None
) -> Dataset:
    """Read every recording under a folder, whatever known layout it is in.

    Args:
        folder: folder with recordings.
        wrap: put around what is read while it is prepared, e.g. a progress bar.
        client: Dask workers to read and prepare on (`training.prepare.workers`); this process alone when None.

    Raises:
        TrainingError: there is no readable recording.
    """
    if not folder.is_dir():
        msg = f"{folder} is not a folder; name the folder that holds the recordings with --data"
        raise TrainingError(msg)
    if client is not None:
        folder = folder.resolve()  # workers have folders of their own to start from
    sources, errors = find_sources(folder)
    prepared: list[tuple[Session, Path]] = []
    held_back: set[tuple[str, str, str]] = set()
    results = _results(sources, client)
    for _ in wrap(sources):
        source, sessions, unread = next(results)
        prepared += [(session, source.path) for session in sessions]
        errors += unread
        if PUBLISHED_TEST in (folder.name, *source.path.relative_to(folder).parts):
            held_back |= {s.key for s in sessions}
    errors.sort(key=lambda error: error.path)
    if not prepared:
        reasons = "".join(f"\n  {error}" for error in errors)
        msg = f"{folder}: no recording could be read; give FIT, TCX or CSV files of a known layout{reasons}"
        raise TrainingError(msg)
    everything = [session for session, _ in sorted(prepared, key=lambda item: (item[0].key, item[1]))]
    return Dataset(
        [s for s in everything if s.key not in held_back], [s for s in everything if s.key in held_back], errors
    )


def _results(sources: list[Source], client: Client | None) -> Iterator[_Prepared]:
    """What `_prepare` makes of each source, in any order."""
    if client is None:
        return map(_prepare, sources)
    from training.prepare import spread  # noqa: PLC0415 - Dask takes half a second to load

    return spread(client, _prepare, sources)


def _prepare(source: Source) -> _Prepared:
    recordings, errors = source.read()
    return source, [make_session(recording) for recording in recordings], errors
