"""Two workers, each a process of its own, against one machine alone, trained on the same sessions."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.workout.worker import CHUNK_S, EPOCHS, LEARNING_RATE, SESSIONS_S, STREAMS, started, train

# A gradient is a sum over the seconds of a chunk in all streams. Two orders of adding n numbers in float32 differ by at
# most 2 (n - 1) u of the sum of their sizes, u = 2^-24 (Higham 2002, Accuracy and Stability of Numerical Algorithms,
# section 4.2).
RELATIVE = 2 * (STREAMS * CHUNK_S - 1) * 2.0**-24
# Adam makes steps of the learning rate at most, whatever the size of the gradient: relative errors of gradients become
# errors of that share of a step. Over all steps they add up at worst.
STEPS_AT_MOST = EPOCHS * ceil((sum(SESSIONS_S) / STREAMS + max(SESSIONS_S)) / CHUNK_S)
ABSOLUTE = STEPS_AT_MOST * LEARNING_RATE * RELATIVE


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, NDArray[Any]]]:
    """What each of two workers comes to, then what this process alone does."""
    files = [tmp_path_factory.mktemp("workers") / f"{index}.npz" for index in range(2)]
    with started(*map(str, files)) as processes:
        alone = train(None)
        for process in processes:
            _, complaint = process.communicate(timeout=500)
            assert process.returncode == 0, complaint
    return [*(dict(np.load(file)) for file in files), alone]


def test_both_workers_have_exactly_the_same_weights(results: list[dict[str, NDArray[Any]]]) -> None:
    first, second, _ = results
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


def test_two_workers_come_to_what_one_comes_to(results: list[dict[str, NDArray[Any]]]) -> None:
    first, _, alone = results
    assert first.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(first[name], values, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


def test_what_they_came_to_was_learned(results: list[dict[str, NDArray[Any]]]) -> None:
    together = results[0]
    assert np.abs(together["weights 0"] - together["start 0"]).max() > 1000 * ABSOLUTE
    first, *_, last = together["losses"][:, 0]
    assert last < first
