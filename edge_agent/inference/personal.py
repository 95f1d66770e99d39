"""Linear heads that learn one athlete by least squares, several at once from the same seconds.

A head is a regularised regression on some of the inputs. All of them read one matrix of products of inputs; each is
solved from its part of it. Seconds are gathered and taken in together, since adding one at a time to a matrix of this
size, or updating its inverse as recursive least squares does, costs several times as much; and a second more or less
changes no weight that one would see.

Source: ridge regression in its normal equations (Hoerl & Kennard 1970); the residual is clipped as in Huber's
M-estimate (1964, pseudo-observations), so that a slipped strap does not teach what no heart did.
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

# Seconds that are taken in together. Then one head is solved, each in its turn: with four of them, weights are half a
# minute old at most.
BATCH_S = 8


class PersonalHeads:
    """Forecast the change of heart rate as linear functions of the inputs, for all horizons at once.

    Attributes:
        information: sum of the products of inputs, (inputs, inputs).
        moments: sum of the products of inputs and outcomes, (inputs, heads x horizons).
        usual_bpm: usual residual, (heads, horizons).
    """

    def __init__(self, inputs: int, heads: Sequence[NDArray[np.intp]], unit_bpm: NDArray[np.float64]) -> None:
        """Know nothing.

        Args:
            inputs: how many there are.
            heads: the inputs that each head sees.
            unit_bpm: typical error of persistence at each horizon.
        """
        self._heads = heads
        self._shape = (len(heads), len(unit_bpm))
        columns = len(heads) * len(unit_bpm)
        self.information: NDArray[np.float64] = np.zeros((inputs, inputs))
        self.moments: NDArray[np.float64] = np.zeros((inputs, columns))
        self.usual_bpm: NDArray[np.float64] = np.tile(unit_bpm, (len(heads), 1))
        self._weights: NDArray[np.float64] = np.zeros((inputs, columns))
        self._x: NDArray[np.float64] = np.zeros((BATCH_S, inputs))
        self._y: NDArray[np.float64] = np.zeros((BATCH_S, columns))
        self._waiting = 0
        self._turn = 0

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Change in bpm, (heads, horizons), from inputs of shape (inputs,)."""
        return (x @ self._weights).reshape(self._shape)

    def learn(self, x: NDArray[np.float64], said_bpm: NDArray[np.float64], change_bpm: NDArray[np.float64]) -> None:
        """Take in what came of a second.

        Args:
            x: its inputs, (inputs,).
            said_bpm: what the heads made of them, (heads, horizons).
            change_bpm: what came, by horizon.
        """
        residual_bpm = change_bpm - said_bpm
        limit_bpm = RESIDUAL_LIMIT * self.usual_bpm
        self._x[self._waiting] = x
        self._y[self._waiting] = (said_bpm + residual_bpm.clip(-limit_bpm, limit_bpm)).ravel()
        size_bpm = np.minimum(np.abs(residual_bpm), _USUAL_AT_MOST * self.usual_bpm)
        self.usual_bpm += (size_bpm - self.usual_bpm) / _USUAL_S
        self._waiting += 1
        if self._waiting == BATCH_S:
            self.take_in()
            self._solve(self._turn)
            self._turn = (self._turn + 1) % len(self._heads)

    def begin_session(self) -> None:
        """Forget a little: information is discounted towards the prior, and what is never excited stays at it."""
        self.take_in()
        self._turn = 0
        if not self.information.any():
            return  # nobody is known yet
        self.information *= KEPT_PER_SESSION
        self.moments *= KEPT_PER_SESSION
        for head in range(len(self._heads)):
            self._solve(head)

    def take_in(self) -> None:
        """Add the seconds that wait to the sums."""
        x, y = self._x[: self._waiting], self._y[: self._waiting]
        self.information += x.T @ x
        self.moments += x.T @ y
        self._waiting = 0

    def _solve(self, head: int) -> None:
        seen, horizons = self._heads[head], self._shape[1]
        own = slice(head * horizons, (head + 1) * horizons)
        matrix = self.information[np.ix_(seen, seen)]
        matrix.flat[:: len(seen) + 1] += PRIOR_PRECISION
        self._weights[seen, own] = np.linalg.solve(matrix, self.moments[seen, own])
