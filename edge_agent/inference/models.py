"""The models on this device: each opened once, and begun anew for each session."""

from __future__ import annotations

import copy
from pathlib import Path

from edge_agent.inference.activity import SHIPPED_BUNDLE as ACTIVITY_BUNDLE
from edge_agent.inference.activity import ActivityRecogniser
from edge_agent.inference.adaptive import AthleteForecaster
from edge_agent.inference.athlete import Athletes
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.choice import open_cell, open_classifier
from edge_agent.inference.forecast import SHIPPED_BUNDLE as WORKOUT_BUNDLE
from edge_agent.inference.forecast import WorkoutForecaster
from edge_agent.inference.recovery import SHIPPED_BUNDLE as RECOVERY_BUNDLE
from edge_agent.inference.recovery import RecoveryForecaster

# Down at 120 bpm the next repetition begins, in interval training since Gerschler and Reindell (1930s).
DEFAULT_TARGET_BPM = 120.0


class WorkoutModel:
    """The shipped bundle, the form of it that runs here, and what is known of the athletes.

    Attributes:
        version: of the model.
        form: quantisation recipe and runtime, in words.
        athletes: what is known of them.
    """

    def __init__(self, directory: Path | None, *, cache: Path | None = None) -> None:
        """Open the model.

        Args:
            directory: folder that keeps what is learned of the athletes; None keeps it as long as this object lives.
            cache: folder that keeps the choice of a runtime; None makes it anew.

        Raises:
            BundleError: the bundle fails a check, or no runtime here runs it.
        """
        self._bundle = read_bundle(WORKOUT_BUNDLE)
        self._cell = open_cell(self._bundle, cache)
        self.version = self._bundle.manifest.version
        self.form = f"{self._cell.recipe} on {self._cell.runtime}"
        self.athletes = Athletes(self._bundle.manifest, directory)

    def begin(self, athlete: str, *, learn: bool = True) -> AthleteForecaster:
        """A session of the athlete.

        Args:
            athlete: who.
            learn: whether the athlete's state learns from it, or a copy that is thrown away.
        """
        state = self.athletes.state(athlete)
        return AthleteForecaster(WorkoutForecaster(self._bundle, self._cell), state if learn else copy.deepcopy(state))


class RecoveryModel:
    """The shipped bundle and the form of it that runs here."""

    def __init__(self, target_bpm: float = DEFAULT_TARGET_BPM, *, cache: Path | None = None) -> None:
        """Open the model.

        Args:
            target_bpm: heart rate to tell the time until.
            cache: folder that keeps the choice of a runtime; None makes it anew.

        Raises:
            BundleError: the bundle fails a check, or no runtime here runs it.
        """
        self._bundle = read_bundle(RECOVERY_BUNDLE)
        self._cell = open_cell(self._bundle, cache)
        self._target_bpm = target_bpm

    def begin(self, target_bpm: float | None = None) -> RecoveryForecaster:
        """A session.

        Args:
            target_bpm: of its athlete; the model's when None.
        """
        return RecoveryForecaster(self._bundle, self._cell, target_bpm=target_bpm or self._target_bpm)


class ActivityModel:
    """The shipped bundle and the form of it that runs here.

    Attributes:
        labels: the activities that it knows.
    """

    def __init__(self, *, cache: Path | None = None) -> None:
        """Open the model.

        Args:
            cache: folder that keeps the choice of a runtime; None makes it anew.

        Raises:
            BundleError: the bundle fails a check, or no runtime here runs it.
        """
        bundle = read_bundle(ACTIVITY_BUNDLE)
        self._interface = bundle.manifest.classifier
        self._classifier = open_classifier(bundle, cache)
        self.labels = self._interface.labels

    def begin(self, *, placement: str, rate_hz: float, start_s: float = 0.0) -> ActivityRecogniser:
        """A recording, or a sensor's stream; see `ActivityRecogniser`."""
        return ActivityRecogniser(
            self._interface, self._classifier.logits, placement=placement, rate_hz=rate_hz, start_s=start_s
        )
