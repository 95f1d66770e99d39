"""Measures the peers and writes `docs/models/peers.md`: `python -m tests.peers` (`make bench-peers`).

Every peer runs the same float weights and has to give the same answers. ONNX Runtime's model is the shipped float form,
converted by tf2onnx. Peers are installed by uv into the user's cache folder, with pinned versions, on first use.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
from numpy.typing import NDArray

from converters.environments import Environment, own
from converters.recipes import RECIPES
from edge_agent.inference.bundle import Bundle, StreamingCell, read_bundle
from edge_agent.inference.choice import cache_folder
from edge_agent.signals.recovery import FALL_SCALE_BPM
from tests.benchmark import cpu
from training.manifest import CELL
from training.recovery.model import FALLS, REACHES
from training.tables import table
from training.workout.model import SCALE_BPM

REPOSITORY = Path(__file__).parent.parent.parent
REPORT = REPOSITORY / "docs" / "models" / "peers.md"
STARTS = 5
ONNX = ("onnxruntime==1.31.1", "numpy==2.4.6")
TO_ONNX = ("tf2onnx==1.17.0", "onnx==1.23.2")
_TIMEOUT_S = 600
_HEARTLINE = "Heartline"
_NUMPY_CELL = "plain numpy cell"


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to run a model.

    Attributes:
        name: of it.
        versions: of what matters, in words.
        way: function of `tests.peers.answer`.
        python: interpreter that has what it needs.
        model: file it opens.
        path: for the interpreter to find Heartline in, where it needs it.
        cache: folder in which Heartline keeps its choice; "" for the others.
    """

    name: str
    versions: str
    way: str
    python: Path
    model: Path
    path: Path | None = None
    cache: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a peer was measured at.

    Attributes:
        peer: it is of.
        starts_ms: from the start of the process to its first answer.
        rounds_us: one answer, the median of each round of each start.
        peaks_mb: peak memory of the whole process at each start.
        off: largest deviation from the golden pairs.
    """

    peer: Peer
    starts_ms: list[float]
    rounds_us: list[float]
    peaks_mb: list[float]
    off: float

    @property
    def us(self) -> float:
        """Median time of an answer in microseconds."""
        return statistics.median(self.rounds_us)

    @property
    def peak_mb(self) -> float:
        """Median peak memory."""
        return statistics.median(self.peaks_mb)

    @property
    def start_ms(self) -> float:
        """Median cold start."""
        return statistics.median(self.starts_ms)


def main() -> None:
    """Measure every shipped model and write the report."""
    cache = cache_folder(os.environ)
    if cache is None:
        sys.exit("there is no folder to install the peers in; set HOME or XDG_CACHE_HOME")
    runtimes = own(cache / "runtimes")
    onnx = _onnx(cache / "peers-onnx")
    sections = [_head()]
    for folder in sorted((REPOSITORY / "models").iterdir()):
        with TemporaryDirectory() as scratch:
            work = Path(scratch)
            bundle = read_bundle(REPOSITORY / "edge_agent" / "models" / f"{folder.name}.zip")
            peers = list(_peers(bundle, folder, work, runtimes, onnx))
            sections.append(_section(bundle, _measured(peers, bundle, work), work))
    REPORT.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {REPORT}\n")


def _peers(
    bundle: Bundle, folder: Path, work: Path, runtimes: dict[str, Environment | str], onnx: Path
) -> Iterator[Peer]:
    shipped = REPOSITORY / "edge_agent" / "models" / f"{folder.name}.zip"
    recurrent = isinstance(bundle.manifest.interface, StreamingCell)
    weights = work / "weights.npz"
    if recurrent:
        _write_weights(bundle.manifest.task, folder / CELL, weights)
    for runtime, environment in runtimes.items():
        if isinstance(environment, str):
            sys.exit(environment)
        name, python = f"{_HEARTLINE} on {runtime}", environment.python
        cache = str(work / f"choice-{runtime}")
        yield Peer(name, environment.versions, "heartline", python, shipped, environment.path, cache)
        form = work / f"{runtime}.tflite"
        form.write_bytes(bundle.models[next(v.recipe for v in bundle.manifest.variants if runtime in v.runtimes)])
        yield Peer(f"{runtime} alone", environment.versions, runtime.replace("-", "_"), python, form)
        if recurrent:
            yield Peer(_NUMPY_CELL, environment.versions.partition(", ")[2], "numpy_cell", python, weights)
    tflite = work / "float32.tflite"
    tflite.write_bytes(bundle.models[RECIPES[0].name])
    onnx_model = work / "model.onnx"
    subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--tflite", tflite, "--output", onnx_model, "--opset", "17"],
        env={**os.environ, "PYTHONPATH": str(onnx / "from-tflite"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        capture_output=True,
    )
    onnx_versions = ", ".join(pin.replace("==", " ") for pin in ONNX)
    yield Peer("ONNX Runtime", onnx_versions, "onnxruntime", onnx / "bin" / "python", onnx_model)
    here, numpy_here = Path(sys.executable), f"numpy {np.__version__}"
    tensorflow = f"tensorflow {version('tensorflow')}, {numpy_here}"
    keras_versions = f"keras {keras.__version__}, {tensorflow}"
    yield Peer("TensorFlow's interpreter", tensorflow, "tensorflow", here, tflite)
    yield Peer("Keras under tf.function", keras_versions, "keras_function", here, folder / CELL)
    yield Peer("Keras predict", keras_versions, "keras_predict", here, folder / CELL)


def _write_weights(task: str, file: Path, out: Path) -> None:
    cell = keras.models.load_model(file)
    kernel, recurrent, bias = cell.get_layer("lstm").get_weights()
    head, head_bias = cell.get_layer("head").get_weights()
    recovery = task == "recovery"
    np.savez(
        out,
        kernel=kernel,
        recurrent=recurrent,
        bias=bias,
        head=head,
        head_bias=head_bias,
        scale=np.array(FALL_SCALE_BPM if recovery else SCALE_BPM, np.float32),
        falls=np.array(FALLS if recovery else [], np.int64),
        reaches=np.array(REACHES if recovery else [], np.int64),
    )


def _measured(peers: list[Peer], bundle: Bundle, work: Path) -> list[Result]:
    """Every peer, so many starts each; in turn, so that what else the machine does meets them alike."""
    inputs = work / "inputs.npy"
    np.save(inputs, bundle.golden_inputs)
    for peer in peers:
        _start(peer, inputs, work)  # fills the file cache, and makes Heartline's choice
    starts = [[_start(peer, inputs, work) for peer in peers] for _ in range(STARTS)]
    results = []
    for peer, own_starts in zip(peers, zip(*starts, strict=True), strict=True):
        answers = own_starts[0][3]
        results.append(
            Result(
                peer,
                [start_ms for start_ms, *_ in own_starts],
                [us for _, rounds_us, *_ in own_starts for us in rounds_us],
                [peak_mb for _, _, peak_mb, _ in own_starts],
                float(np.abs(answers - bundle.golden_outputs[: len(answers)]).max()),
            )
        )
        sys.stderr.write(f"{bundle.manifest.task}: {peer.name} {results[-1].us:.1f} us\n")
    return results


def _start(peer: Peer, inputs: Path, work: Path) -> tuple[float, list[float], float, NDArray[np.float32]]:
    answers = work / "answers.npy"
    environ = {
        "PATH": os.defpath, "HOME": os.environ.get("HOME", ""), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1",
        **({"PYTHONPATH": str(peer.path)} if peer.path else {}),
    }  # fmt: skip
    script = Path(__file__).with_name("answer.py")
    command: list[Path | str] = [peer.python, script, peer.way, peer.model, inputs, answers, peer.cache]
    begun_ns = time.monotonic_ns()
    child = subprocess.run(
        command, env=environ, cwd=work, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if child.returncode:
        sys.exit(f"{peer.name} failed: {child.stderr}")
    printed = json.loads(child.stdout.splitlines()[-1])
    return (printed["first_ns"] - begun_ns) / 1e6, printed["rounds_us"], printed["peak_mb"], np.load(answers)


def _first_start_ms(peer: Peer, work: Path) -> float:
    """A start at which Heartline's choice is still to be made: a child tries the form."""
    times = []
    for i in range(3):
        fresh = Peer(
            peer.name, peer.versions, peer.way, peer.python, peer.model, peer.path, str(work / f"first-{i}-{peer.name}")
        )
        times.append(_start(fresh, work / "inputs.npy", work)[0])
    return statistics.median(times)


def _section(bundle: Bundle, results: list[Result], work: Path) -> str:
    interface = bundle.manifest.interface
    every_s = 1.0 if isinstance(interface, StreamingCell) else interface.samples / interface.sample_rate_hz
    fastest = min(r.us for r in results)
    rows = [
        [
            r.peer.name,
            r.peer.versions,
            f"{r.us:.1f}",
            f"{min(r.rounds_us):.1f} to {max(r.rounds_us):.1f}",
            f"{r.us / every_s:.1f}",
            f"{r.us / fastest:.2f}",
            f"{r.peak_mb:.1f}",
            f"{r.start_ms:.0f}",
            f"{min(r.starts_ms):.0f} to {max(r.starts_ms):.0f}",
            f"{r.off:.1g}",
        ]
        for r in results
    ]
    head = ["way", "versions", "one answer (µs)", "rounds (µs)", "per second of data (µs)", "times the fastest"]
    head += ["peak memory (MB)", "cold start (ms)", "starts (ms)", "largest deviation"]
    first = ", ".join(
        f"{_first_start_ms(r.peer, work):.0f} ms on {r.peer.name.removeprefix(f'{_HEARTLINE} on ')}"
        for r in results
        if r.peer.cache
    )
    return (
        f"## {bundle.manifest.task} {bundle.manifest.version}\n\n{table(head, rows, text_columns=2)}\n\n"
        f"{_beside(results)} The very first start, at which a child process tries the form: {first}."
    )


def _beside(results: list[Result]) -> str:
    """What Heartline takes more than the least that its runtime and numpy can be had for, in words."""
    told = []
    for ours in (r for r in results if r.peer.cache):
        beside = {r.peer.name: r for r in results if r.peer.python == ours.peer.python and r is not ours}
        for name, other in beside.items():
            told.append(
                f"{ours.peer.name} takes {ours.peak_mb - other.peak_mb:+.1f} MB and "
                f"{ours.start_ms - other.start_ms:+.0f} ms to start beside "
                f"{f'a {name}' if name == _NUMPY_CELL else name} in the same environment, and {ours.us / other.us:.2f} "
                "times its time for an answer."
            )
    return " ".join(told)


def _head() -> str:
    load = os.getloadavg()[0]
    return (
        "# The same models run in other ways\n\n"
        "Written by `make bench-peers`. Every way runs the same weights and is checked against the golden pairs. A "
        "cold start lasts from the start of the process to its first answer, files being in the page cache; that of "
        "Heartline includes reading and checking the bundle and its golden pairs. Peak memory is of the whole "
        f"process, the interpreter and numpy included. One thread; {STARTS} starts of each way, in turn, seven rounds "
        "of answers in each. Heartline on a runtime is what the agent does there: the form that its bundle prefers. "
        "The runtime alone runs the same form without looking at it. The plain numpy cell is the LSTM written out in "
        "numpy, with no runtime at all: numpy is most of what any of these processes holds, and no way can be smaller "
        "that loads a runtime beside it. It runs no CNN, and each cell would have to be written twice and kept equal."
        "\n\n"
        f"{platform.system()} {platform.machine()}, {cpu()}, Python {platform.python_version()}, load average at the "
        f"beginning {load:.1f} on {os.cpu_count()} cores."
    )


def _onnx(place: Path) -> Path:
    """An environment with ONNX Runtime, and in its folder `from-tflite` what converts to it; made on first use."""
    if not (place / "ready").exists():
        _uv("venv", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "install", "--compile-bytecode", "--python", str(place / "bin" / "python"), *ONNX)
        # Beside this environment's TensorFlow, which it reads models with.
        _uv("pip", "install", "--no-deps", "--python", sys.executable, "--target", str(place / "from-tflite"), *TO_ONNX)
        (place / "ready").touch()
    return place


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments, "--quiet", "--no-config"], check=True)


if __name__ == "__main__":
    main()
