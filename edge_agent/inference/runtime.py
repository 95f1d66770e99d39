"""Runs a bundle's model on a TFLite runtime: `tflite-runtime` (Python up to 3.11) or its successor `ai-edge-litert`.

Which form of the model runs on which of them here is found by `edge_agent.inference.choice`.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.bundle import Bundle

# Distribution to module, the smaller one first.
RUNTIMES = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}


class Model(Protocol):
    """What every form of a model can do, whatever its interface.

    Attributes:
        recipe: the quantisation recipe of the form.
        runtime: the distribution that runs it.
    """

    recipe: str
    runtime: str

    def play(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answers, float32 (inputs, outputs), to inputs one after another, float32 (inputs, *input shape)."""


class Cell:
    """One form of a streaming cell on one runtime, one step at a time.

    Attributes:
        recipe: the quantisation recipe of the form.
        runtime: the distribution that runs it.
        state_size: values of carried state.
    """

    def __init__(self, model: bytes, *, recipe: str, runtime: str, state_size: int) -> None:
        """Load the model.

        Raises:
            ImportError: the runtime is not installed.
            Exception: whatever the runtime raises on a model it cannot load.
        """
        self.recipe = recipe
        self.runtime = runtime
        self.state_size = state_size
        self._interpreter = interpreter = _interpreter(model, runtime)
        self._x, self._state_in = self._by_size(interpreter.get_input_details())
        self._y, self._state_out = self._by_size(interpreter.get_output_details())

    def _by_size(self, details: list[dict[str, Any]]) -> tuple[int, int]:
        """Tensor indices of the value and of the state, told apart by their size."""
        state: list[int] = []
        values: list[int] = []
        for tensor in details:
            (state if tensor["shape"][-1] == self.state_size else values).append(int(tensor["index"]))
        if len(state) != 1 or len(values) != 1:
            msg = f"expected one value and one state of {self.state_size}, found {len(values)} and {len(state)}"
            raise ValueError(msg)
        return values[0], state[0]

    def step(
        self, x: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One second.

        Args:
            x: features, float32 (1, features).
            state: carried state, float32 (1, state_size); zeros at the start.

        Returns:
            The outputs, float32 (1, outputs), and the next state, float32 (1, state_size).
        """
        interpreter = self._interpreter
        interpreter.set_tensor(self._x, x)
        interpreter.set_tensor(self._state_in, state)
        interpreter.invoke()
        return interpreter.get_tensor(self._y), interpreter.get_tensor(self._state_out)

    def play(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answers, float32 (seconds, outputs), to the features of a session, float32 (seconds, features)."""
        state = np.zeros((1, self.state_size), np.float32)
        answers = []
        for x in inputs:
            y, state = self.step(x[None], state)
            answers.append(y[0])
        return np.array(answers, np.float32)


class Classifier:
    """One form of a classifier of windows on one runtime.

    Attributes:
        recipe: the quantisation recipe of the form.
        runtime: the distribution that runs it.
    """

    def __init__(self, model: bytes, *, recipe: str, runtime: str) -> None:
        """Load the model.

        Raises:
            ImportError: the runtime is not installed.
            Exception: whatever the runtime raises on a model it cannot load.
        """
        self.recipe = recipe
        self.runtime = runtime
        self._interpreter = interpreter = _interpreter(model, runtime)
        (window,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
        self._window, self._logits = int(window["index"]), int(logits["index"])

    def logits(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """One window.

        Args:
            window: float32 (1, samples, channels).

        Returns:
            float32 (1, labels).
        """
        interpreter = self._interpreter
        interpreter.set_tensor(self._window, window)
        interpreter.invoke()
        logits: NDArray[np.float32] = interpreter.get_tensor(self._logits)
        return logits

    def play(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answers, float32 (windows, labels), to windows, float32 (windows, samples, channels)."""
        return np.array([self.logits(window[None])[0] for window in inputs], np.float32)


def load(model: bytes, *, recipe: str, runtime: str, state_size: int | None) -> Cell | Classifier:
    """Load a model of either interface.

    Args:
        model: TFLite model.
        recipe: the quantisation recipe of the form.
        runtime: the distribution that runs it.
        state_size: values of carried state, None for a classifier.

    Raises:
        ImportError: the runtime is not installed.
        Exception: whatever the runtime raises on a model it cannot load.
    """
    if state_size is None:
        return Classifier(model, recipe=recipe, runtime=runtime)
    return Cell(model, recipe=recipe, runtime=runtime, state_size=state_size)


def golden_error(model: Model, bundle: Bundle) -> float:
    """Largest deviation from the golden pairs, in the unit of the outputs; not a number where an answer is not."""
    return float(np.abs(model.play(bundle.golden_inputs) - bundle.golden_outputs).max())


def _interpreter(model: bytes, runtime: str) -> Any:  # noqa: ANN401 - the runtimes have no types
    # One thread: a step takes microseconds, handing it to another core takes longer.
    interpreter = importlib.import_module(RUNTIMES[runtime]).Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
