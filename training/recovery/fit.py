"""Trains one cell: first on simulated recoveries, then on them together with the few real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_agent.signals.recovery import FEATURE_NAMES
from training.recovery.dataset import Recovered
from training.recovery.model import build_cell, pinball, unroll

# All features up to the fall within a minute; that within two is left as what the cell can hold on to.
_BLURRED = FEATURE_NAMES.index("fall_60") + 1
_LOAD = [FEATURE_NAMES.index("load_present"), FEATURE_NAMES.index("load_since_stop")]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    The stop of training is a number of steps and no validation loss: the people are too few to give one up.

    Attributes:
        hidden: LSTM units.
        athletes: simulated people.
        simulated_steps: on simulated recoveries alone.
        real_steps: on both together.
        alone_steps: on recorded recoveries alone, for the ablation.
        batch: recoveries in a step.
        real_share: weight of the recorded recoveries in the second phase.
        real_rate: learning rate of the second phase relative to the first.
        learning_rate: of Adam at its peak.
        weight_decay: decoupled, as a rate per step relative to the learning rate.
        load_dropout: share of the recoveries that are seen without load.
        jitter: standard deviation of an offset that each feature of a recovery gets. The simulator's people are too
            consistent: it keeps the cell from trusting any one feature, and the baseline behind them, too far.
    """

    hidden: int = 8
    athletes: int = 1500
    simulated_steps: int = 700
    real_steps: int = 60
    alone_steps: int = 200
    batch: int = 96
    real_share: float = 0.05
    real_rate: float = 0.1
    learning_rate: float = 1e-2
    weight_decay: float = 0.1
    load_dropout: float = 0.4
    jitter: float = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Recoveries side by side, time first."""

    x: NDArray[np.float32]
    known: NDArray[np.float32]
    change_bpm: NDArray[np.float32]

    @classmethod
    def of(cls, recovered: Sequence[Recovered]) -> Batch:
        """Stack recoveries."""
        return cls(
            np.stack([r.x for r in recovered], axis=1),
            np.stack([r.known for r in recovered], axis=1).astype(np.float32),
            np.stack([r.change_bpm for r in recovered], axis=1),
        )

    def pick(self, indices: NDArray[np.int64]) -> Batch:
        """Some of them, in copies."""
        return Batch(self.x[:, indices], self.known[:, indices], self.change_bpm[:, indices])


class Trainer:
    """Trains a cell in two phases, which share the compiled step."""

    def __init__(self, settings: Settings, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        self._settings = settings
        self._random = np.random.default_rng(seed)
        self.cell = build_cell(settings.hidden)
        self._optimizer = keras.optimizers.AdamW(
            settings.learning_rate, weight_decay=settings.weight_decay, beta_2=0.99, global_clipnorm=1.0
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias"])
        self._optimizer.build(self.cell.trainable_variables)
        self._fresh = [v.numpy() for v in self._optimizer.variables]
        self._step = tf.function(self._one_step, jit_compile=True)

    def _one_step(
        self, x: tf.Tensor, known: tf.Tensor, change_bpm: tf.Tensor, weight: tf.Tensor, learning_rate: tf.Tensor
    ) -> tf.Tensor:
        variables = [v.value for v in self.cell.trainable_variables]
        self._optimizer.learning_rate.assign(learning_rate)
        with tf.GradientTape() as tape:
            loss = pinball(unroll(self.cell, x, known), change_bpm, weight)
        self._optimizer.apply(tape.gradient(loss, variables), self.cell.trainable_variables)
        return loss

    def start_from(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Go on from other weights, with the optimizer's memory empty."""
        self.cell.set_weights(weights)
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)

    def train(
        self,
        parts: Sequence[tuple[Batch, float]],
        *,
        steps: int,
        learning_rate: float,
        on_step: Callable[[], None] = lambda: None,
    ) -> list[float]:
        """Train on several sets of recoveries at once.

        Args:
            parts: each set with its weight in the loss; a step takes equally many of each.
            steps: how many.
            learning_rate: at its peak; it falls to zero over the steps.
            on_step: called after each step.

        Returns:
            The loss of each step.
        """
        each = self._settings.batch // len(parts)
        weight = np.repeat(np.array([w for _, w in parts], np.float32), each)
        losses = []
        for step in range(steps):
            picked = [p.pick(self._random.integers(p.x.shape[1], size=each)) for p, _ in parts]
            x = np.concatenate([p.x for p in picked], axis=1)
            self._blur(x)
            blind = self._random.random(x.shape[1]) < self._settings.load_dropout
            x[:, np.flatnonzero(blind)[:, None], _LOAD] = 0.0
            warm = min(1.0, (step + 1) / 50)
            rate = learning_rate * warm * 0.5 * (1 + np.cos(np.pi * step / steps))
            losses.append(
                self._step(
                    x,
                    np.concatenate([p.known for p in picked], axis=1),
                    np.concatenate([p.change_bpm for p in picked], axis=1),
                    weight,
                    tf.constant(rate, tf.float32),
                )
            )
            on_step()
        return [float(loss) for loss in losses]

    def _blur(self, x: NDArray[np.float32]) -> None:
        offsets = self._random.normal(0, self._settings.jitter, (1, x.shape[1], _BLURRED)).astype(np.float32)
        x[..., :_BLURRED] += offsets * (x[..., :_BLURRED] != 0)


def predict(cell: keras.Model, recovered: Sequence[Recovered]) -> NDArray[np.float32]:
    """Quantiles of the change at every second, (recoveries, seconds, horizons, quantiles)."""
    batch = Batch.of(recovered)
    y = unroll(cell, tf.constant(batch.x), tf.constant(batch.known)).numpy()
    return np.asarray(y.transpose(1, 0, 2).reshape(len(recovered), y.shape[0], -1, 3), np.float32)
