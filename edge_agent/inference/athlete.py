"""What the device has learned of one athlete, and the file that keeps it."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.bundle import Manifest
from edge_agent.inference.calibration import IntervalScale
from edge_agent.inference.mixture import Mixture
from edge_agent.inference.personal import PersonalHeads
from edge_agent.inference.terms import TERMS

log = logging.getLogger(__name__)

# persistence  the last value
# trend        the last seconds' change, damped
# lstm         the model as it was trained on other people
# linear       least squares on the features, learned from this athlete, as are the three below
# curved       on the features and the terms made of them
# recurrent    on the features, the LSTM's hidden state and its forecasts
# full         on all of these
EXPERTS = ("persistence", "trend", "lstm", "linear", "curved", "recurrent", "full")

# The last value is trusted until another expert has earned its weight; the LSTM has to prove itself on a new athlete.
PRIOR = np.array([0.30, 0.08, 0.02, 0.15, 0.15, 0.15, 0.15])

# Typical error of showing the last value (bpm, at 10, 30 and 60 s): the unit in which horizons are alike.
UNIT_BPM = np.array([2.0, 5.0, 8.0])

SCHEMA = 3
MAX_STATE_BYTES = 4_000_000  # half a matrix of 291 x 291 inputs in float32 is 0.2 MB


@dataclass(frozen=True, slots=True, eq=False)
class AthleteState:
    """Everything that is personal in a forecast.

    Attributes:
        model_version: of the workout model whose hidden state the heads read; for another model it means nothing.
        heads: what least squares has learned.
        mixture: weights of the experts.
        intervals: width of the intervals.
    """

    model_version: str
    heads: PersonalHeads
    mixture: Mixture
    intervals: IntervalScale

    def numbers(self) -> dict[str, NDArray[np.float32]]:
        """All of it, by name; of `information`, which is symmetric, the upper triangle."""
        self.heads.take_in()
        information = self.heads.information
        numbers = {
            "information": information[np.triu_indices(len(information))],
            "weights": self.heads.weights,
            "usual_bpm": self.heads.usual_bpm,
            "mixture_log_weights": self.mixture.log_weights,
            "interval_log_scale": self.intervals.log_scale,
        }
        return {name: array.astype(np.float32) for name, array in numbers.items()}

    def recall(self, numbers: dict[str, NDArray[np.float32]]) -> None:
        """Know what was known when these numbers were taken."""
        information = np.zeros(2 * (len(self.heads.weights),))
        information[np.triu_indices(len(information))] = numbers["information"]
        self.heads.recall(information + np.triu(information, 1).T, numbers["weights"].astype(np.float64))
        self.heads.usual_bpm[:] = numbers["usual_bpm"]
        self.mixture.log_weights[:] = numbers["mixture_log_weights"]
        self.intervals.log_scale[:] = numbers["interval_log_scale"]


def new_athlete(manifest: Manifest) -> AthleteState:
    """An athlete of whom nothing is known."""
    cell = manifest.cell
    features, horizons = len(cell.features), len(cell.horizons_s)
    deep = horizons + cell.state_size // 2
    # Inputs lie side by side: terms, features and a one, what the LSTM makes of it.
    bends, linear = TERMS, TERMS + features + 1
    heads = (slice(bends, linear), slice(linear), slice(bends, None), slice(None))
    return AthleteState(
        model_version=manifest.version,
        heads=PersonalHeads(linear + deep, heads, UNIT_BPM),
        mixture=Mixture(PRIOR, UNIT_BPM),
        intervals=IntervalScale(horizons),
    )


class Athletes:
    """What is known of each athlete: kept in a folder, or, without one, as long as this object lives."""

    def __init__(self, manifest: Manifest, directory: Path | None) -> None:
        self._manifest = manifest
        self._folder = directory and directory / "athletes"
        self._known: dict[str, AthleteState] = {}

    def state(self, athlete: str) -> AthleteState:
        """The athlete's state, to be changed as the athlete is learned."""
        if athlete not in self._known:
            self._known[athlete] = state = new_athlete(self._manifest)
            if path := self._file(athlete):
                _load(state, path)
        return self._known[athlete]

    def save(self, athlete: str) -> None:
        """Keep what is known of the athlete now.

        A folder that cannot be written is no reason to end a session: it is logged, and the next save tries again.
        """
        if path := self._file(athlete):
            try:
                _save(self.state(athlete), path)
            except OSError as error:
                log.warning("athlete: what was learned cannot be saved (%s); is the disk full?", error)

    def forget(self, athlete: str) -> bool:
        """Delete what was learned of the athlete; whether there was something."""
        known = self._known.pop(athlete, None) is not None
        path = self._file(athlete)
        if path is None or not path.exists():
            return known
        path.unlink()
        return True

    def _file(self, athlete: str) -> Path | None:
        """The name is hashed: the folder does not say who trains here."""
        name = hashlib.sha256(athlete.encode()).hexdigest()[:32]
        return self._folder and self._folder / f"{name}.npz"


def _save(state: AthleteState, path: Path) -> None:
    """Write the state, whole or not at all: what was there stays until the new file is on the disk."""
    buffer = io.BytesIO()
    header = {"schema": np.array(SCHEMA), "model_version": np.array(state.model_version)}
    np.savez_compressed(buffer, **header, **state.numbers())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(buffer.getvalue())
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(fresh: AthleteState, path: Path) -> None:
    """Fill a fresh state with what was saved.

    A file that is damaged, or of another model or schema, leaves the state fresh: a forecast that starts over is better
    than none.
    """
    try:
        saved = _read(path, fresh)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("athlete: what was learned cannot be used (%s); learning starts over", error)
        return
    fresh.recall(saved)


def _read(path: Path, fresh: AthleteState) -> dict[str, NDArray[np.float32]]:
    if path.stat().st_size > MAX_STATE_BYTES:
        msg = f"larger than {MAX_STATE_BYTES} bytes"
        raise ValueError(msg)
    expected = fresh.numbers()
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
        found = (int(archive["schema"]), str(archive["model_version"]))
        if found != (SCHEMA, fresh.model_version):
            msg = f"schema {found[0]} of model {found[1]}, this is schema {SCHEMA} of model {fresh.model_version}"
            raise ValueError(msg)
        saved = {name: archive[name] for name in expected}
    for name, array in expected.items():
        if saved[name].shape != array.shape or saved[name].dtype != array.dtype or not np.isfinite(saved[name]).all():
            msg = f"{name} is not {array.shape} finite numbers"
            raise ValueError(msg)
    return saved
