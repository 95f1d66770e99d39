"""Trains the network on windows drawn anew for every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_agent.signals.acceleration import view
from training.activity.augment import Augmentation, Sampler
from training.activity.classes import CLASSES
from training.activity.dataset import Session, Windows
from training.activity.model import build

_STEPS_AHEAD = 32  # windows are drawn for so many steps at a time
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
        wisdm: share of WISDM among windows from the wrist.
        augmentation: how far windows are changed.
    """

    steps: int = 2000
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 2e-2
    label_smoothing: float = 0.05
    mixup: float = 0.2
    averaging: float = 0.998
    wrist: float = 0.6
    wisdm: float = 0.45
    augmentation: Augmentation = field(default_factory=Augmentation)


def train(
    sessions: Sequence[Session], settings: Settings, seed: int, on_step: Callable[[], None] = lambda: None
) -> keras.Model:
    """Train a network on sessions, from a seed.

    Args:
        sessions: to draw windows from.
        settings: how to train.
        seed: of the weights and of all that is drawn.
        on_step: called after each step.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    sampler = Sampler(sessions, settings.augmentation, wrist=settings.wrist, wisdm=settings.wisdm)
    model = build()
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, settings.steps, warmup_target=settings.learning_rate, warmup_steps=int(_WARM_UP * settings.steps)
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
    averages = [tf.Variable(weight) for weight in model.trainable_variables]

    @tf.function  # type: ignore[untyped-decorator]
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for average, weight in zip(averages, model.trainable_variables, strict=True):
            average.assign(settings.averaging * average + (1 - settings.averaging) * weight)

    done = 0
    while done < settings.steps:
        steps = min(_STEPS_AHEAD, settings.steps - done)
        x, y = _drawn(rng, sampler, settings, steps)
        for batch_x, batch_y in zip(x, y, strict=True):
            step(tf.constant(batch_x), tf.constant(batch_y))
            on_step()
        done += steps
    for average, weight in zip(averages, model.trainable_variables, strict=True):
        weight.assign(average)
    _settle(model, _drawn(rng, sampler, settings, _SETTLING_STEPS)[0])
    return model


def _drawn(
    rng: np.random.Generator, sampler: Sampler, settings: Settings, steps: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs (steps, batch, samples, channels) and mixed labels (steps, batch, classes)."""
    count = steps * settings.batch
    drawn = sampler.draw(rng, count)
    x = view(drawn.acceleration_mps2, drawn.placement)
    y = np.eye(len(CLASSES), dtype=np.float32)[drawn.label]
    if settings.mixup:
        share = rng.beta(settings.mixup, settings.mixup, count).astype(np.float32)
        other = rng.permutation(count)
        share = np.where(drawn.placement == drawn.placement[other], np.maximum(share, 1 - share), np.float32(1))
        x = share[:, None, None] * x + (1 - share)[:, None, None] * x[other]
        y = share[:, None] * y + (1 - share)[:, None] * y[other]
    return x.reshape(steps, settings.batch, *x.shape[1:]), y.reshape(steps, settings.batch, -1)


def _settle(model: keras.Model, batches: NDArray[np.float32]) -> None:
    """Let batch normalisation measure what the averaged weights make of the data."""
    forward = tf.function(lambda x: model(x, training=True))
    for batch in batches:
        forward(tf.constant(batch))


def logits(model: keras.Model, windows: Windows) -> NDArray[np.float32]:
    """What a network says to windows: float32 (windows, classes)."""
    x = view(windows.acceleration_mps2, windows.placement)
    forward = tf.function(model, reduce_retracing=True)
    said = [forward(tf.constant(x[i : i + _SCORED_AT_ONCE])).numpy() for i in range(0, len(x), _SCORED_AT_ONCE)]
    return np.concatenate([*said, np.empty((0, len(CLASSES)), np.float32)])
