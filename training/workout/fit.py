"""Trains one cell: sequence to sequence at 1 Hz, the state carried from chunk to chunk as on the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.dataset import HORIZONS_S, Session, make_session
from training.workout.augment import drop_sensors, interrupt, vary_person
from training.workout.model import build_cell, pinball, unroll, zero_state
from training.workout.team import Team


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train. The defaults were chosen on validation sessions of the two public data sets.

    Attributes:
        hidden: LSTM units.
        epochs: passes over the training sessions at most; the learning rate falls to zero over them.
        patience: epochs without a better validation loss after which training stops.
        streams: sessions that lie side by side.
        chunk_s: seconds through which gradients flow; the state is carried beyond.
        learning_rate: of Adam, at its peak.
        weight_decay: decoupled, as a rate per step relative to the learning rate.
        averaging: decay per step of the moving average of weights, which is what is kept.
        sensor_dropout: share of the chunks that lose sensors.
        person_spread: strength of the variation between people (`vary_person`).
        interrupted: share of the sessions that are seen with gaps in heart rate (`interrupt`).
        team: the workers that share the streams; None for one machine alone.
    """

    hidden: int = 64
    epochs: int = 60
    patience: int = 25
    streams: int = 16
    chunk_s: int = 240
    learning_rate: float = 3e-3
    weight_decay: float = 0.3
    averaging: float = 0.99
    sensor_dropout: float = 0.4
    person_spread: float = 0.2
    interrupted: float = 0.25
    team: Team | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to.

    Attributes:
        train_loss: mean loss over its steps, of the augmented sessions.
        validation_loss: of the averaged weights on the validation sessions as they were recorded.
    """

    train_loss: float
    validation_loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained cell.

    Attributes:
        cell: with the averaged weights of the best epoch.
        seed: it was trained from.
        history: every epoch that ran.
        best_epoch: index in `history` of the one whose weights were kept.
    """

    cell: keras.Model
    seed: int
    history: tuple[Epoch, ...]
    best_epoch: int

    @property
    def validation_loss(self) -> float:
        """Of the weights that were kept."""
        return self.history[self.best_epoch].validation_loss


@dataclass(frozen=True, slots=True, eq=False)
class _Streams:
    """Sessions put one after another into streams that lie side by side, time first; nothing is known in the rest."""

    x: NDArray[np.float32]
    restarted: NDArray[np.float32]
    change_bpm: NDArray[np.float32]

    @classmethod
    def of(cls, sessions: Sequence[Session], count: int, chunk_s: int) -> _Streams:
        """Put each session into the stream that is shortest so far, and fill up to whole chunks."""
        ends_s = [0] * count
        places = []
        for session in sessions:
            stream = int(np.argmin(ends_s))
            places.append((session, stream, slice(ends_s[stream], ends_s[stream] + len(session.x))))
            ends_s[stream] += len(session.x)
        seconds = -(-max(ends_s) // chunk_s) * chunk_s
        x = np.zeros((seconds, count, sessions[0].x.shape[1]), np.float32)
        restarted = np.zeros((seconds, count), np.float32)
        change_bpm = np.full((seconds, count, len(HORIZONS_S)), np.nan, np.float32)
        for session, stream, at in places:
            x[at, stream], change_bpm[at, stream] = session.x, session.change_bpm
            restarted[at, stream] = session.restarted
            restarted[at.start, stream] = 1.0
        return cls(x, restarted, change_bpm)

    def rolled(self, seconds: int) -> _Streams:
        """The same with the borders of the chunks elsewhere; what is cut off comes last."""
        x, restarted, change_bpm = (
            np.roll(array, -seconds, axis=0) for array in (self.x, self.restarted, self.change_bpm)
        )
        restarted[0] = 1.0
        return _Streams(x, restarted, change_bpm)

    def chunks(self, chunk_s: int) -> list[slice]:
        return [slice(start, start + chunk_s) for start in range(0, len(self.x), chunk_s)]


class _Variety:
    """Shows the training sessions in a new order each time, as other people with other sensors would have made them."""

    def __init__(self, sessions: Sequence[Session], settings: Settings, random: np.random.Generator) -> None:
        self._settings = settings
        self._random = random
        self._sessions = [(s, make_session(interrupt(s.recording, random))) for s in sessions]

    def streams(self) -> _Streams:
        settings, random = self._settings, self._random
        seen = [gappy if random.random() < settings.interrupted else whole for whole, gappy in self._sessions]
        varied = [self._varied(seen[i]) for i in random.permutation(len(seen))]
        streams = _Streams.of(varied, settings.streams, settings.chunk_s)
        return streams.rolled(int(random.integers(settings.chunk_s)))

    def _varied(self, session: Session) -> Session:
        x, change_bpm = vary_person(session.x, session.change_bpm, self._settings.person_spread, self._random)
        return dataclasses.replace(session, x=x, change_bpm=change_bpm)


class _Trainer:
    """The compiled steps. XLA makes an epoch over 40 h of recordings about a second long on one core."""

    def __init__(self, cell: keras.Model, settings: Settings, steps: int) -> None:
        self._cell = cell
        self._settings = settings
        warm_up = min(60, max(steps // 10, 1))
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - warm_up, 1), warmup_target=settings.learning_rate, warmup_steps=warm_up
        )
        self._optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=settings.weight_decay, beta_2=0.99, global_clipnorm=1.0
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias"])
        self._optimizer.build(cell.trainable_variables)
        self._averages = [tf.Variable(v) for v in cell.trainable_variables]
        self._done = 0
        if settings.team is None:
            self._share = slice(None)
            self._step = tf.function(self._one_step, jit_compile=True)
        else:
            self._share = settings.team.share(settings.streams)
            # XLA has no sum over machines for CPUs: what comes before and after it is compiled, each on its own.
            self._compiled_gradients = tf.function(self._gradients, jit_compile=True)
            self._compiled_update = tf.function(self._update, jit_compile=True)
            self._sum = settings.team.sum
            self._step = tf.function(self._shared_step)

    def _gradients(
        self, x: tf.Tensor, restarted: tf.Tensor, change_bpm: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        variables = [v.value for v in self._cell.trainable_variables]
        with tf.GradientTape() as tape:
            y, state = unroll(self._cell, x, restarted, state)
            loss = pinball(y, change_bpm)
        return loss, state, tape.gradient(loss, variables)

    def _update(self, gradients: list[tf.Tensor], averaging: tf.Tensor) -> None:
        self._optimizer.apply(gradients, self._cell.trainable_variables)
        for average, variable in zip(self._averages, self._cell.trainable_variables, strict=True):
            average.assign(averaging * average + (1.0 - averaging) * variable.value)

    def _one_step(
        self, x: tf.Tensor, restarted: tf.Tensor, change_bpm: tf.Tensor, state: tf.Tensor, averaging: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        loss, state, gradients = self._gradients(x, restarted, change_bpm, state)
        self._update(gradients, averaging)
        return loss, state

    def _shared_step(
        self, x: tf.Tensor, restarted: tf.Tensor, change_bpm: tf.Tensor, state: tf.Tensor, averaging: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A step on this worker's streams; a worker counts by how many of its targets are known."""
        loss, state, gradients = self._compiled_gradients(x, restarted, change_bpm, state)
        known = tf.reduce_sum(tf.cast(tf.logical_not(tf.math.is_nan(change_bpm)), tf.float32))
        all_known, loss, *gradients = self._sum([known, known * loss, *(known * gradient for gradient in gradients)])
        all_known = tf.maximum(all_known, 1.0)
        self._compiled_update([gradient / all_known for gradient in gradients], averaging)
        return loss / all_known, state

    def epoch(self, streams: _Streams, random: np.random.Generator) -> float:
        """One pass; returns the mean loss."""
        share = self._share
        state = zero_state(self._cell, len(range(streams.x.shape[1])[share]))
        losses = []
        for chunk in streams.chunks(self._settings.chunk_s):
            x = streams.x[chunk].copy()
            drop_sensors(x, self._settings.sensor_dropout, random)
            # Early on the average follows closely, else it would remember the random start.
            averaging = min(self._settings.averaging, (self._done + 1) / (self._done + 10))
            loss, state = self._step(
                x[:, share],
                streams.restarted[chunk, share],
                streams.change_bpm[chunk, share],
                state,
                tf.constant(averaging, tf.float32),
            )
            losses.append(loss)
            self._done += 1
        return float(np.mean(losses))

    def averaged(self) -> list[NDArray[np.float32]]:
        return [average.numpy() for average in self._averages]


def fit(
    train: Sequence[Session],
    validation: Sequence[Session],
    *,
    seed: int,
    settings: Settings,
    initial_weights: Sequence[NDArray[np.float32]] | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Fitted:
    """Train one cell; the same seed on the same sessions gives the same weights.

    Args:
        train: the weights are fitted to these.
        validation: these choose the epoch whose weights are kept.
        seed: of the initial weights, the order of sessions, and all variation.
        settings: how to train.
        initial_weights: of a cell of this size to go on from; random when None.
        on_epoch: called after each epoch.
    """
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    variety = _Variety(train, settings, random)
    cell = build_cell(train[0].x.shape[1], settings.hidden)
    if initial_weights is not None:
        cell.set_weights(initial_weights)
    average = keras.models.clone_model(cell)
    chunks = len(_Streams.of(train, settings.streams, settings.chunk_s).chunks(settings.chunk_s))
    trainer = _Trainer(cell, settings, settings.epochs * chunks)
    judge = Judge(validation, settings.chunk_s)
    agreed = settings.team.mean if settings.team else float
    history: list[Epoch] = []
    best_epoch, best_weights = 0, trainer.averaged()
    with settings.team.together() if settings.team else nullcontext():
        while len(history) < settings.epochs and len(history) - best_epoch <= settings.patience:
            train_loss = trainer.epoch(variety.streams(), random)
            average.set_weights(trainer.averaged())
            history.append(Epoch(train_loss, agreed(judge.loss(average))))
            on_epoch(history[-1])
            if history[-1].validation_loss < history[best_epoch].validation_loss or len(history) == 1:
                best_epoch, best_weights = len(history) - 1, trainer.averaged()
    average.set_weights(best_weights)
    return Fitted(average, seed, tuple(history), best_epoch)


class Judge:
    """Runs cells over whole sessions, each in a stream of its own, with the state carried from its first second."""

    def __init__(self, sessions: Sequence[Session], chunk_s: int = 600) -> None:
        """Lay the sessions out once."""
        self._lengths = [len(s.x) for s in sessions]
        self._streams = _Streams.of(sessions, len(sessions), chunk_s)
        self._chunk_s = chunk_s
        self._cell: keras.Model | None = None

    def _run(self, cell: keras.Model) -> NDArray[np.float32]:
        if self._cell is None:
            # One compiled function serves every cell of this size: weights are copied in.
            self._cell = keras.models.clone_model(cell)
            self._unroll = tf.function(lambda x, r, s: unroll(self._cell, x, r, s), jit_compile=True)
        self._cell.set_weights(cell.get_weights())
        state = zero_state(cell, len(self._lengths))
        parts = []
        for chunk in self._streams.chunks(self._chunk_s):
            y, state = self._unroll(self._streams.x[chunk], self._streams.restarted[chunk], state)
            parts.append(y.numpy())
        return np.concatenate(parts)

    def loss(self, cell: keras.Model) -> float:
        """Quantile loss over all sessions."""
        return float(pinball(tf.constant(self._run(cell)), tf.constant(self._streams.change_bpm)))

    def predict(self, cell: keras.Model) -> list[NDArray[np.float32]]:
        """Quantiles of the change in bpm, float32 (seconds, horizons x quantiles) per session."""
        y = self._run(cell)
        return [y[:length, stream] for stream, length in enumerate(self._lengths)]
