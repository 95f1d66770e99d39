"""Trains the network on windows drawn anew for every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_agent.signals.acceleration import CHANNELS, view
from training.activity.augment import Augmentation, Sampler
from training.activity.classes import CLASSES
from training.activity.dataset import Session, Windows
from training.activity.model import build

_STEPS_AHEAD = 32  # windows are drawn for so many steps at a time,
_USES = 2  # and used as often, each time mixed with others
_REVERSED = 0.25  # share of windows with an axis reversed
_WARM_UP = 0.1  # share of the steps in which the learning rate rises
_SETTLING_STEPS = 60  # after which batch normalisation knows the averaged weights
_SCORED_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        steps: of gradient descent.
        batch: windows per step.
        learning_rate: its highest; it falls to nothing as a cosine.
        weight_decay: of AdamW.
        label_smoothing: share of a label that is spread over all classes.
        mixup: both parameters of the beta distribution of mixed-in shares; windows mix within a placement.
        averaging: per step, of the exponential average of the weights that is kept in the end.
        wrist: share of windows from the wrist.
        wisdm: share of WISDM among a class's windows from the wrist.
        augmentation: how far windows are changed.
    """

    steps: int = 9000
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.03
    mixup: float = 0.2
    averaging: float = 0.999
    wrist: float = 0.72
    wisdm: float = 0.65
    augmentation: Augmentation = field(default_factory=Augmentation)


class Trainer:
    """Trains networks one after another; the graph of a step is built once.

    Attributes:
        settings: how to train.
    """

    def __init__(self, settings: Settings) -> None:
        """Build the network and the step."""
        self.settings = settings
        self._model = build()
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, settings.steps, warmup_target=settings.learning_rate, warmup_steps=int(_WARM_UP * settings.steps)
        )
        self._optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
        self._optimizer.build(self._model.trainable_variables)
        self._loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
        self._averages = [tf.Variable(weight) for weight in self._model.trainable_variables]
        self._step = tf.function(self._one_step)
        self._forward = tf.function(lambda x: self._model(x, training=True))

    def train(self, sessions: Sequence[Session], seed: int, on_step: Callable[[], None] = lambda: None) -> keras.Model:
        """Train a network on sessions.

        Args:
            sessions: to draw windows from.
            seed: of the weights and of all that is drawn.
            on_step: called after each step.
        """
        settings = self.settings
        rng = np.random.default_rng(seed)
        self._begin(seed)
        sampler = Sampler(sessions, settings.augmentation, wrist=settings.wrist, wisdm=settings.wisdm)
        done = 0
        while done < settings.steps:
            drawn = _draw(rng, sampler, _STEPS_AHEAD * settings.batch)
            for _ in range(_USES):
                for x, y in _batches(rng, drawn, settings):
                    if done < settings.steps:
                        self._step(x, y)
                        on_step()
                        done += 1
        for average, weight in zip(self._averages, self._model.trainable_variables, strict=True):
            weight.assign(average)
        # Batch normalisation measures what the averaged weights make of the data.
        for x, _ in _batches(rng, _draw(rng, sampler, _SETTLING_STEPS * settings.batch), settings):
            self._forward(x)
        network = build()
        network.set_weights(self._model.get_weights())
        return network

    def _begin(self, seed: int) -> None:
        """Fresh weights, and an optimiser that remembers nothing."""
        keras.utils.set_random_seed(seed)
        self._model.set_weights(build().get_weights())
        for variable in self._optimizer.variables:
            if "learning_rate" not in variable.path:
                variable.assign(tf.zeros_like(variable))
        for average, weight in zip(self._averages, self._model.trainable_variables, strict=True):
            average.assign(weight)

    def _one_step(self, x: tf.Tensor, y: tf.Tensor) -> None:
        weights = self._model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._loss(y, self._model(x, training=True))
        self._optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        kept = self.settings.averaging
        for average, weight in zip(self._averages, weights, strict=True):
            average.assign(kept * average + (1 - kept) * weight)


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What was drawn: x (windows, samples, channels), y (windows, classes), placement (windows,)."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    placement: NDArray[np.str_]


def _draw(rng: np.random.Generator, sampler: Sampler, count: int) -> _Inputs:
    """Augmented windows; now and then the other way round, since skewness is a weak hold for a sign."""
    drawn = sampler.draw(rng, count)
    x = view(drawn.acceleration_mps2, drawn.placement)
    for name in ("horizontal_1_mps2", "horizontal_2_mps2"):
        x[rng.random(count) < _REVERSED, :, CHANNELS.index(name)] *= -1
    return _Inputs(x, np.eye(len(CLASSES), dtype=np.float32)[drawn.label], drawn.placement)


def _batches(rng: np.random.Generator, drawn: _Inputs, settings: Settings) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Inputs (batch, samples, channels) and labels (batch, classes), each mixed with another of its placement."""
    count = len(drawn.x)
    share = rng.beta(settings.mixup, settings.mixup, count).astype(np.float32)
    for chosen in rng.permutation(count).reshape(-1, settings.batch):
        other = rng.permutation(chosen)
        alike = drawn.placement[chosen] == drawn.placement[other]
        kept = np.where(alike, np.maximum(share[chosen], 1 - share[chosen]), np.float32(1))
        x = kept[:, None, None] * drawn.x[chosen] + (1 - kept)[:, None, None] * drawn.x[other]
        y = kept[:, None] * drawn.y[chosen] + (1 - kept)[:, None] * drawn.y[other]
        yield tf.constant(x), tf.constant(y)


def logits(model: keras.Model, windows: Windows) -> NDArray[np.float32]:
    """What a network says to windows: float32 (windows, classes)."""
    x = view(windows.acceleration_mps2, windows.placement)
    said = [
        model(tf.constant(x[i : i + _SCORED_AT_ONCE]), training=False).numpy()
        for i in range(0, len(x), _SCORED_AT_ONCE)
    ]
    return np.concatenate([*said, np.empty((0, len(CLASSES)), np.float32)])
