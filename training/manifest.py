"""What a training run writes beside the cell, for the converter to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from edge_agent.inference.bundle import DataSource, Interface, Metric
from training.dataset import Session
from training.errors import TrainingError

CELL = "cell.keras"
MANIFEST = "training.json"

# Public data sets by their name in a recording.
_URLS = {
    "athlete-hr-predict": "https://github.com/rikluost/athlete_hr_predict",
    "pypermod": "https://github.com/faweigend/pypermod",
}


class TrainingManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trained model.

    Attributes:
        task: `workout`, `recovery`, `activity`.
        version: of the model, derived from the weights.
        interface: its inputs and outputs.
        data: what it was trained on.
        metrics: what was measured, baselines beside the model.
        limits: what the model is not good for, one sentence each.
    """

    task: str
    version: str
    interface: Interface
    data: tuple[DataSource, ...]
    metrics: tuple[Metric, ...]
    limits: tuple[str, ...]


def write_manifest(folder: Path, manifest: TrainingManifest) -> None:
    """Write the manifest of a trained model beside its cell."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def mae_metrics(data_set: str, method: str, horizons_s: Sequence[int], mae_bpm: Sequence[float]) -> Iterator[Metric]:
    """The mean absolute errors in bpm of one method, one for each horizon."""
    for horizon_s, mae in zip(horizons_s, mae_bpm, strict=True):
        yield Metric(data_set, method, "mae_bpm", round(mae, 3), horizon_s)


def read_manifest(folder: Path) -> TrainingManifest:
    """Read the manifest of a trained model.

    Raises:
        TrainingError: the folder holds none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingManifest)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); name a folder that edge-train wrote"
        raise TrainingError(msg) from error
    except msgspec.MsgspecError as error:
        msg = f"{path}: not a training manifest ({error}); train again with edge-train"
        raise TrainingError(msg) from error


def sources(sessions: Sequence[Session]) -> tuple[DataSource, ...]:
    """The data sets that sessions come from, with what their licences ask to be said."""
    found = []
    for source in sorted({s.recording.source for s in sessions}):
        members = [s.recording for s in sessions if s.recording.source == source]
        found.append(
            DataSource(
                name=source,
                licence=", ".join(sorted({r.licence for r in members})),
                url=_URLS.get(source, "own recordings"),
                people=len({r.person for r in members}),
                hours=round(sum(r.duration_s for r in members) / 3600, 1),
            )
        )
    return tuple(found)
