"""Chooses the form of a model, and the runtime for it, by what they answer to the golden pairs.

Importing a runtime says little: tflite-runtime imports beside numpy 2 and fails later, a runtime may read a newer
operator version wrongly and say nothing, and one was seen to crash in its constructor. So a form is tried in a child
process first. What a child found is kept in a file and holds as long as the bundle, the runtimes, numpy and the
processor stay the same: a start later costs no child.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np

from edge_agent import __version__
from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle, StreamingCell, Variant
from edge_agent.inference.runtime import RUNTIMES, Cell, Classifier, golden_error, load

log = logging.getLogger(__name__)

_TIMEOUT_S = 120  # a Pi Zero reads a runtime from a slow card in ten seconds or so

# Status of a child that could not become the program it was to be (posix_spawn(3)). The parent is told by an OSError,
# except where a processor is emulated and that does not get through.
_NOT_STARTED = 127

# Lines of /proc/cpuinfo that tell one processor from another, on x86 and on ARM.
_PROCESSOR = ("model name", "flags", "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features")


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found to run here.

    Attributes:
        here: fingerprint of all that it depends on.
        recipe: of the form.
        runtime: that runs it.
    """

    here: str
    recipe: str
    runtime: str


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Where choices are kept when nobody names a folder; None where there is no home to keep them in.

    Source: systemd.exec(5) on CACHE_DIRECTORY, and the XDG Base Directory Specification.
    """
    if service := environ.get("CACHE_DIRECTORY"):
        return Path(service.partition(":")[0])
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "heartline"
    home = environ.get("HOME")
    return Path(home) / ".cache" / "heartline" if home else None


def open_cell(bundle: Bundle, cache: Path | None = None) -> Cell:
    """The first form of a streaming cell, in the bundle's order of preference, that a runtime here runs rightly.

    Args:
        bundle: of the model.
        cache: folder to keep the choice in; None to make it anew.

    Raises:
        BundleError: none does, and the message gives each one's reason; or the bundle holds another kind of model.
    """
    _ = bundle.manifest.cell
    model = _open(bundle, cache)
    assert isinstance(model, Cell)  # noqa: S101 - for the type checker
    return model


def open_classifier(bundle: Bundle, cache: Path | None = None) -> Classifier:
    """The first form of a classifier of windows, in the bundle's order of preference, that a runtime here runs rightly.

    Args:
        bundle: of the model.
        cache: folder to keep the choice in; None to make it anew.

    Raises:
        BundleError: none does, and the message gives each one's reason; or the bundle holds another kind of model.
    """
    _ = bundle.manifest.classifier
    model = _open(bundle, cache)
    assert isinstance(model, Classifier)  # noqa: S101 - for the type checker
    return model


def _open(bundle: Bundle, cache: Path | None) -> Cell | Classifier:
    here = _fingerprint(bundle)
    file = cache and cache / f"runtime-{bundle.manifest.task}.json"
    known = file and _recall(file, here)
    candidates = [(v, runtime) for runtime in RUNTIMES for v in bundle.manifest.variants if runtime in v.runtimes]
    for variant, runtime in candidates:
        if known == Choice(here, variant.recipe, runtime) and not isinstance(
            model := _loaded(bundle, variant, runtime), str
        ):
            return model
    reasons = []
    for variant, runtime in candidates:
        if find_spec(RUNTIMES[runtime].partition(".")[0]) is None:
            reasons.append(f"{runtime} is not installed")
            continue
        reason = _try(bundle, variant, runtime)
        if reason is None:
            model = _loaded(bundle, variant, runtime)
            if not isinstance(model, str):
                if file:
                    _keep(file, Choice(here, variant.recipe, runtime))
                return model
            reason = model
        reasons.append(f"{variant.recipe} on {runtime}: {reason}")
    msg = (
        f"no runtime runs the {bundle.manifest.task} model here ({'; '.join(dict.fromkeys(reasons))}); "
        "reinstall heartline in a fresh virtual environment: pip install --force-reinstall heartline"
    )
    raise BundleError(msg)


def _state_size(bundle: Bundle) -> int | None:
    interface = bundle.manifest.interface
    return interface.state_size if isinstance(interface, StreamingCell) else None


def _loaded(bundle: Bundle, variant: Variant, runtime: str) -> Cell | Classifier | str:
    """The form in this process, or why its answers here cannot be used."""
    content = bundle.models[variant.recipe]
    try:
        model = load(content, recipe=variant.recipe, runtime=runtime, state_size=_state_size(bundle))
        off = golden_error(model, bundle)
    except Exception as error:  # noqa: BLE001 - runtimes raise anything, SystemError included
        return f"{type(error).__name__}: {error}"
    return model if off <= variant.tolerance else _off(off, variant)


def _try(bundle: Bundle, variant: Variant, runtime: str) -> str | None:
    """Let a child answer the golden pairs; None where the answers are right, else the reason they are not.

    Where no child can be started (a hardened service, emulation), the golden pairs are answered in this process alone.
    """
    pairs = io.BytesIO()
    model = np.frombuffer(bundle.models[variant.recipe], np.uint8)
    np.savez(pairs, model=model, inputs=bundle.golden_inputs, outputs=bundle.golden_outputs)
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "edge_agent.inference.probe", runtime, str(_state_size(bundle) or 0)],
            input=pairs.getvalue(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT_S} s"
    except OSError as error:
        log.warning("no child process can be started (%s): %s is tried in this one", error.strerror, runtime)
        return None
    if child.returncode == _NOT_STARTED and not child.stdout and not child.stderr:
        log.warning("a child process does not become a Python: %s is tried in this one", runtime)
        return None
    if child.returncode < 0:
        return f"the runtime crashed ({signal.Signals(-child.returncode).name})"
    lines = child.stderr.decode(errors="replace").strip().splitlines()
    try:
        off = float(child.stdout)
    except ValueError:
        return (lines or ["no reason given"])[-1]
    return None if off <= variant.tolerance else _off(off, variant)


def _off(off: float, variant: Variant) -> str:
    return f"{off:.3g} off the golden pairs, {variant.tolerance:.3g} allowed"


def _fingerprint(bundle: Bundle) -> str:
    """Hash of what decides how a form of the model runs: the manifest hashes every member of the bundle."""
    parts = [
        msgspec.json.encode(bundle.manifest).decode(),
        __version__,
        platform.python_version(),
        np.__version__,
        *(_installed(module.partition(".")[0]) for module in RUNTIMES.values()),
        platform.machine(),
        *_processor(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _installed(module: str) -> str:
    """Version of an installed package, by the folder beside it: importlib.metadata takes longer than the model."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return ""
    folder = Path(spec.submodule_search_locations[0])
    return " ".join(sorted(found.name for found in folder.parent.glob(f"{module}-*.dist-info")))


def _processor() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.partition("\t")[0].strip() in _PROCESSOR})


def _recall(file: Path, here: str) -> Choice | None:
    try:
        choice = msgspec.json.decode(file.read_bytes(), type=Choice)
    except (OSError, msgspec.MsgspecError):
        return None
    return choice if choice.here == here else None


def _keep(file: Path, choice: Choice) -> None:
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.encode(choice))
        partial.replace(file)
    except OSError as error:
        log.info("the choice of a runtime cannot be kept (%s); it is made again at the next start", error)
