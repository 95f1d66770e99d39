"""Child process of `tests.peers`: opens one model in one way, answers, and says what that took.

    python answer.py WAY MODEL INPUTS ANSWERS [CACHE]

Printed is a JSON object: the moment of the first answer on the clock that all processes share, the time of an answer in
each round, and the peak memory of this process when it has given a few hundred. Each way imports what it needs and
nothing else: what it costs to start is part of what is measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Answer = Callable[[Array], Any]

_ROUNDS = 7
_ROUND_NS = 30_000_000
_AT_LEAST = 5
_SOME = 40


def heartline(model: str, cache: str) -> Answer:
    """The path of the device: bundle, checks, choice of form and runtime, golden pairs."""
    from edge_agent.inference.bundle import StreamingCell, read_bundle
    from edge_agent.inference.choice import open_cell, open_classifier

    bundle = read_bundle(Path(model))
    if not isinstance(bundle.manifest.interface, StreamingCell):
        return open_classifier(bundle, Path(cache)).logits
    cell = open_cell(bundle, Path(cache))
    return _carried(cell.step, cell.state_size)


def onnxruntime(model: str, _: str) -> Answer:
    """ONNX Runtime on its CPU provider, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = {i.name: i.shape for i in session.get_inputs()}
    outputs = {o.name: o.shape for o in session.get_outputs()}
    if len(inputs) == 1:
        (name,) = inputs
        return lambda x: session.run(None, {name: x})[0]
    state = next(n for n, shape in inputs.items() if shape in outputs.values())
    (x_name,) = set(inputs) - {state}
    (y_name,) = (n for n, shape in outputs.items() if shape != inputs[state])
    (after,) = set(outputs) - {y_name}
    return _carried(lambda x, s: session.run([y_name, after], {x_name: x, state: s}), inputs[state][1])


def tensorflow(model: str, _: str) -> Answer:
    """The interpreter inside TensorFlow, one thread."""
    import warnings

    warnings.simplefilter("ignore")  # it says at each start that it is going to move
    import tensorflow as tf

    return _interpreted(tf.lite.Interpreter(model_path=model, num_threads=1))


def tflite_runtime(model: str, _: str) -> Answer:
    """The runtime by itself, on a model that nobody checks."""
    from tflite_runtime.interpreter import Interpreter

    return _interpreted(Interpreter(model_path=model, num_threads=1))


def ai_edge_litert(model: str, _: str) -> Answer:
    """The runtime by itself, on a model that nobody checks."""
    from ai_edge_litert.interpreter import Interpreter

    return _interpreted(Interpreter(model_path=model, num_threads=1))


def _interpreted(interpreter: Any) -> Answer:  # noqa: ANN401 - the runtimes have no types
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(*values: Array) -> list[Array]:
        for value, index in zip(values, into, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in out_of]

    if len(inputs) == 1:
        into, out_of = [inputs[0]["index"]], [outputs[0]["index"]]
        return lambda x: run(x)[0]
    sizes = {int(o["shape"][-1]) for o in outputs}
    inputs.sort(key=lambda i: int(i["shape"][-1]) in sizes)
    state_size = int(inputs[1]["shape"][-1])
    outputs.sort(key=lambda o: int(o["shape"][-1]) == state_size)
    into, out_of = [i["index"] for i in inputs], [o["index"] for o in outputs]
    return _carried(run, state_size)


def keras_function(model: str, _: str) -> Answer:
    """Keras under tf.function, the fastest way to call it."""
    import keras
    import tensorflow as tf

    loaded = keras.models.load_model(model)
    function = tf.function(loaded)
    if len(loaded.inputs) == 1:
        return lambda x: function(x).numpy()
    return _carried(lambda x, s: [value.numpy() for value in function([x, s])], loaded.inputs[1].shape[1])


def keras_predict(model: str, _: str) -> Answer:
    """Keras as a tutorial calls it."""
    import keras

    loaded = keras.models.load_model(model)
    if len(loaded.inputs) == 1:
        return lambda x: loaded.predict(x, verbose=0)
    return _carried(lambda x, s: loaded.predict([x, s], verbose=0), loaded.inputs[1].shape[1])


def numpy_cell(model: str, _: str) -> Answer:
    """The cell written out in numpy: its weights, and no runtime at all."""
    weights = np.load(model)
    kernel = np.concatenate([weights["kernel"], weights["recurrent"]])
    bias, head, head_bias, scale = (weights[name] for name in ("bias", "head", "head_bias", "scale"))
    falls, reaches = weights["falls"], weights["reaches"]
    hidden = len(bias) // 4
    given = np.zeros(len(kernel), np.float32)
    features = len(given) - hidden

    def step(x: Array, state: Array) -> tuple[Array, Array]:
        given[:features], given[features:] = x[0], state[0, :hidden]
        gates = given @ kernel + bias
        np.clip(gates, -60.0, 60.0, out=gates)
        opened = 1.0 / (1.0 + np.exp(-gates))
        c = opened[hidden : 2 * hidden] * state[0, hidden:] + opened[:hidden] * np.tanh(gates[2 * hidden : 3 * hidden])
        h = opened[3 * hidden :] * np.tanh(c)
        raw = (np.concatenate([h, x[0]]) @ head + head_bias).reshape(-1, 3)
        side = np.where(raw > 0, raw + 1.0, np.exp(np.minimum(raw, 0.0)))
        reach = x[0, reaches] if len(reaches) else np.ones(len(scale), np.float32)
        median = raw[:, 1] * reach + (x[0, falls] if len(falls) else 0.0)
        y = np.stack([median - reach * side[:, 0], median, median + reach * side[:, 2]], 1) * scale[:, None]
        return y.reshape(1, -1), np.concatenate([h, c])[None]

    return _carried(step, 2 * hidden)


_WAYS = (
    heartline, tflite_runtime, ai_edge_litert, onnxruntime, tensorflow, keras_function, keras_predict, numpy_cell,
)  # fmt: skip
WAYS = {way.__name__: way for way in _WAYS}


def _carried(step: Callable[[Array, Array], Any], state_size: int) -> Answer:
    state = np.zeros((1, state_size), np.float32)

    def answer(x: Array) -> Any:  # noqa: ANN401 - what each way gives
        nonlocal state
        y, state = step(x, state)
        return y

    return answer


def main(way: str, model: str, inputs: str, answers: str, cache: str = "") -> None:
    """Open, answer, time, print."""
    answer = WAYS[way](model, cache)
    given = np.load(inputs, mmap_mode="r")
    some = [np.array(x[None]) for x in given[:_SOME]]
    first = answer(some[0])
    first_ns = time.monotonic_ns()
    np.save(answers, np.array([first[0], *(answer(x)[0] for x in some[1:])], np.float32))
    rounds_us = []
    for _ in range(_ROUNDS):
        took_ns: list[int] = []
        spent_ns = 0
        for x in cycle(some):
            begun_ns = time.perf_counter_ns()
            answer(x)
            took_ns.append(time.perf_counter_ns() - begun_ns)
            spent_ns += took_ns[-1]
            if spent_ns >= _ROUND_NS and len(took_ns) >= _AT_LEAST:
                break
        rounds_us.append(float(np.median(took_ns)) / 1000)
    sys.stdout.write(json.dumps({"first_ns": first_ns, "rounds_us": rounds_us, "peak_mb": _peak_mb()}) + "\n")


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


if __name__ == "__main__":
    main(*sys.argv[1:])
