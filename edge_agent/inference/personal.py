"""Linear heads that learn one athlete by least squares, several at once from the same seconds.

A head is a regularised regression on a run of the inputs, kept as its weights and the inverse of its matrix of
products. Seconds are gathered and taken in together: that gives the same weights as one by one, and as a solve of the
whole would, at a small part of the cost of either. The heads take turns: a lesson of some seconds is for one of them,
and each takes in at once what came since its last turn.

Source: ridge regression (Hoerl & Kennard 1970), updated in blocks by the matrix inversion lemma (Woodbury 1950), which
is recursive least squares where a block is one second; the residual is clipped as in Huber's M-estimate (1964,
pseudo-observations), so that a slipped strap does not teach what no heart did.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# How far a weight may stray before it costs as much as one error of one unit: the prior is "no change", which is the
# last value. Chosen on sessions of the two public data sets and on disturbed ones, with cells trained on other people.
PRIOR_PRECISION = 400.0

# Residuals count up to this many times the head's usual one: beyond it, they are outliers.
RESIDUAL_LIMIT = 2.5
# The usual one is a mean over about this many seconds; it starts at the error of showing the last value.
_USUAL_S = 1000
_USUAL_AT_MOST = 4.0  # times the usual one that a residual counts for in it

# Share of what was known that a session takes over from the ones before it: an athlete's fitness changes within weeks,
# and after 50 sessions a session counts for a third.
KEPT_PER_SESSION = 0.98

# Seconds that are handed over together. With four heads each takes in sixteen at once: no weight is older.
LESSON_S = 4


class PersonalHeads:
    """Forecast the change of heart rate as linear functions of the inputs, for all horizons at once.

    Attributes:
        weights: of the inputs, (inputs, heads x horizons); 0 where a head does not see one.
        usual_bpm: usual residual, (heads, horizons).
    """

    def __init__(self, inputs: int, heads: Sequence[slice], unit_bpm: NDArray[np.float64]) -> None:
        """Know nothing.

        Args:
            inputs: how many there are.
            heads: the inputs that each head sees; the last one sees all of them.
            unit_bpm: typical error of persistence at each horizon.
        """
        self._heads = heads
        self._shape = (len(heads), len(unit_bpm))
        columns = len(heads) * len(unit_bpm)
        self.weights: NDArray[np.float64] = np.zeros((inputs, columns))
        self.usual_bpm: NDArray[np.float64] = np.tile(unit_bpm, (len(heads), 1))
        self._inverses = self._inverted(np.zeros((inputs, inputs)))
        # The last lessons, in a ring with one for each head, who takes its turn on it; inputs of zero teach nothing.
        self._x: NDArray[np.float64] = np.zeros((len(heads), LESSON_S, inputs))
        self._y: NDArray[np.float64] = np.zeros((len(heads), LESSON_S, columns))
        self._turn = len(heads) - 1

    @property
    def information(self) -> NDArray[np.float64]:
        """Sum of the products of inputs that was taken in, (inputs, inputs)."""
        precision = np.linalg.inv(self._inverses[-1])
        precision.flat[:: len(precision) + 1] -= PRIOR_PRECISION
        return (precision + precision.T) / 2

    def recall(self, information: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Know what was known when these were read off."""
        self._inverses = self._inverted(information)
        self.weights[:] = weights

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Change in bpm, (heads, horizons), from inputs of shape (inputs,)."""
        return (x @ self.weights).reshape(self._shape)

    def learn(self, x: NDArray[np.float64], said_bpm: NDArray[np.float64], change_bpm: NDArray[np.float64]) -> None:
        """Take in what came of the seconds of a lesson.

        Args:
            x: their inputs, (`LESSON_S`, inputs).
            said_bpm: what the heads made of them, (`LESSON_S`, heads, horizons).
            change_bpm: what came, (`LESSON_S`, horizons); a second with a NaN teaches nothing.
        """
        known = ~np.isnan(change_bpm.sum(axis=1))
        residual_bpm = np.where(known[:, None, None], change_bpm[:, None] - said_bpm, 0.0)
        limit_bpm = RESIDUAL_LIMIT * self.usual_bpm
        clipped_bpm = np.minimum(np.maximum(residual_bpm, -limit_bpm), limit_bpm)
        size_bpm = np.minimum(np.abs(residual_bpm), _USUAL_AT_MOST * self.usual_bpm)
        self.usual_bpm += (size_bpm.sum(axis=0) - known.sum() * self.usual_bpm) / _USUAL_S
        self._turn = turn = (self._turn + 1) % len(self._heads)
        self._x[turn] = x * known[:, None]
        self._y[turn] = (said_bpm + clipped_bpm).reshape(LESSON_S, -1)
        self._take_in(turn, self._x, self._y)

    def begin_session(self) -> None:
        """Forget a little: information is discounted towards the prior, and what is never excited stays at it."""
        self.take_in()
        information = self.information
        known = self.weights.copy()
        self._inverses = self._inverted(KEPT_PER_SESSION * information)
        for head, inverse in enumerate(self._inverses):
            seen, own = self._part(head)
            moments = information[seen, seen] @ known[seen, own] + PRIOR_PRECISION * known[seen, own]
            self.weights[seen, own] = inverse @ (KEPT_PER_SESSION * moments)

    def take_in(self) -> None:
        """Let every head take in the lessons that wait for its turn."""
        for head in range(len(self._heads)):
            waiting = np.arange(head + 1, head + 1 + (self._turn - head) % len(self._heads)) % len(self._heads)
            self._take_in(head, self._x[waiting], self._y[waiting])
        self._x[:] = 0.0

    def _part(self, head: int) -> tuple[slice, slice]:
        """Inputs and columns of a head."""
        horizons = self._shape[1]
        return self._heads[head], slice(head * horizons, (head + 1) * horizons)

    def _inverted(self, information: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        precision = information + PRIOR_PRECISION * np.eye(len(information))
        return [np.linalg.inv(precision[seen, seen]) for seen in self._heads]

    def _take_in(self, head: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """A head takes in lessons, (lessons, `LESSON_S`, ...)."""
        seen, own = self._part(head)
        inverse, weights = self._inverses[head], self.weights[seen, own]
        x, y = x[:, :, seen].reshape(-1, len(inverse)), y[:, :, own].reshape(-1, self._shape[1])
        reach = x @ inverse
        gain = np.linalg.inv(reach @ x.T + np.eye(len(x))) @ reach
        weights += gain.T @ (y - x @ weights)
        inverse -= reach.T @ gain
