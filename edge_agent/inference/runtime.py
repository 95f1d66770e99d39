"""Runs a bundle's cell on whichever TFLite runtime this device has.

Two runtimes, one interface: `tflite-runtime` (Python up to 3.11) and its successor `ai-edge-litert`. Importing one
says little: tflite-runtime imports beside numpy 2 and fails later, and a runtime may read a newer operator version
wrongly and say nothing. So a form of the model is chosen by what it answers to the golden pairs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle, Variant

# Distribution to module, the smaller one first.
RUNTIMES = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}


class Cell:
    """One form of the model on one runtime, one step at a time.

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
        # One thread: the cell takes microseconds, handing it to another core takes longer.
        interpreter = importlib.import_module(RUNTIMES[runtime]).Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
        self._interpreter: Any = interpreter
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


def golden_error(cell: Cell, bundle: Bundle) -> float:
    """Largest deviation in bpm of the cell from the float model over the bundle's golden sequence."""
    state = np.zeros((1, cell.state_size), np.float32)
    worst = 0.0
    for x, expected in zip(bundle.golden_inputs, bundle.golden_outputs, strict=True):
        y, state = cell.step(x[None], state)
        error = float(np.abs(y[0] - expected).max())
        if not error <= worst:  # also when it is not a number
            worst = error
    return worst


def open_cell(bundle: Bundle) -> Cell:
    """The first form, in the bundle's order of preference, that a runtime of this device runs rightly.

    Raises:
        BundleError: none does; the message gives each one's reason.
    """
    reasons = []
    for variant, runtime in _candidates(bundle):
        try:
            cell = Cell(
                bundle.models[variant.recipe],
                recipe=variant.recipe,
                runtime=runtime,
                state_size=bundle.manifest.cell.state_size,
            )
            off = golden_error(cell, bundle)
        except ImportError:
            reasons.append(f"{runtime} is not installed")
        except Exception as error:  # noqa: BLE001 - runtimes raise anything, SystemError included
            reasons.append(f"{variant.recipe} on {runtime}: {type(error).__name__}: {error}")
        else:
            if off <= variant.tolerance:
                return cell
            reasons.append(
                f"{variant.recipe} on {runtime}: {off:.3g} bpm off the golden pairs, {variant.tolerance:.3g} allowed"
            )
    msg = (
        f"no runtime runs the {bundle.manifest.task} model here ({'; '.join(dict.fromkeys(reasons))}); "
        "reinstall heartline in a fresh virtual environment: pip install --force-reinstall heartline"
    )
    raise BundleError(msg)


def _candidates(bundle: Bundle) -> Iterator[tuple[Variant, str]]:
    for runtime in RUNTIMES:
        for variant in bundle.manifest.variants:
            if runtime in variant.runtimes:
                yield variant, runtime
