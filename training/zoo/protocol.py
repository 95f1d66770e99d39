"""The one way in which every architecture is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.zoo.architectures import Architecture
from training.zoo.problem import Fold, Problem

_PREDICTED_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Protocol:
    """An equal, small budget.

    Attributes:
        check_every: steps from one look at the validation loss to the next.
        patience: looks without a better validation loss after which training stops.
        batch: windows in a step, drawn in a new order on every pass.
        learning_rate: of Adam at its peak; it falls to zero over the steps.
        clip: largest norm of a gradient.
    """

    check_every: int = 40
    patience: int = 5
    batch: int = 128
    learning_rate: float = 3e-3
    clip: float = 1.0


class Trainer:
    """Trains one architecture again and again, for each fold and seed, with steps that are compiled once.

    Attributes:
        model: with the weights of the last training.
    """

    def __init__(self, architecture: Architecture, problem: Problem, protocol: Protocol) -> None:
        self._architecture = architecture
        self._problem = problem
        self._protocol = protocol
        self._x = problem.inputs[architecture.view]
        self.model = self._fresh()
        self._loss = keras.losses.get(problem.measure.loss)
        self._optimizer = keras.optimizers.Adam(protocol.learning_rate, global_clipnorm=protocol.clip)
        self._optimizer.build(self.model.trainable_variables)
        self._untouched = [v.numpy() for v in self._optimizer.variables]
        # XLA makes a step of the others up to twice as fast, and one of two-dimensional convolutions twice as slow.
        xla = not any(isinstance(layer, keras.layers.Conv2D) for layer in self.model.layers)
        self._step = tf.function(self._one_step, jit_compile=xla)
        self._answer = tf.function(lambda x: self.model(x, training=False), jit_compile=xla)

    def _fresh(self) -> keras.Model:
        return self._architecture.build(self._x.shape[1:], self._problem.measure.head())

    def _one_step(self, x: tf.Tensor, target: tf.Tensor, learning_rate: tf.Tensor) -> None:
        self._optimizer.learning_rate.assign(learning_rate)
        variables = [v.value for v in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self._loss(target, self.model(x, training=True)))
        self._optimizer.apply(tape.gradient(loss, variables), self.model.trainable_variables)

    def fit(self, fold: Fold, seed: int) -> int:
        """Train from fresh weights; the same seed gives the same weights.

        Args:
            fold: its training windows are learned, its validation windows choose the weights that are kept.
            seed: of the weights and of the order of windows.

        Returns:
            How many steps were taken.
        """
        protocol, target, steps = self._protocol, self._problem.target, self._problem.steps
        keras.utils.set_random_seed(seed)
        # All variables: the states of random sources, which dropout draws from, are no weights.
        for variable, value in zip(self.model.variables, self._fresh().variables, strict=True):
            variable.assign(value)
        for variable, value in zip(self._optimizer.variables, self._untouched, strict=True):
            variable.assign(value)
        batches = _batches(fold.train, protocol.batch, np.random.default_rng(seed))
        best, best_step, best_weights = math.inf, 0, self.model.get_weights()
        for step in range(steps):
            at = next(batches)
            rate = protocol.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            self._step(self._x[at], target[at], tf.constant(rate, tf.float32))
            if (step + 1) % protocol.check_every:
                continue
            answers = self.predict(fold.validation)
            if (loss := float(np.mean(self._loss(target[fold.validation], answers)))) < best:
                best, best_step, best_weights = loss, step, self.model.get_weights()
            elif step - best_step >= protocol.patience * protocol.check_every:
                break
        self.model.set_weights(best_weights)
        return step + 1

    def predict(self, windows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Outputs for some windows, (windows, outputs)."""
        parts = []
        for start in range(0, len(windows), _PREDICTED_AT_ONCE):
            at = windows[start : start + _PREDICTED_AT_ONCE]
            # Always as many at once: another number would have to be compiled for.
            x = self._x[np.resize(at, _PREDICTED_AT_ONCE)]
            parts.append(self._answer(x).numpy()[: len(at)])
        return np.concatenate(parts)


def _batches(windows: NDArray[np.int64], size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Batches of one size for ever: another size would have to be compiled for."""
    size = min(size, len(windows))
    while True:
        order = random.permutation(windows)
        yield from np.split(order[: len(order) // size * size], len(order) // size)
