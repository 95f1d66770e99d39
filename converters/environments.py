"""The environments that converted models are run in: each runtime with the Python and numpy a device has beside it.

`tflite-runtime` ends at Python 3.11 and cannot load beside numpy 2, so no single environment shows what both runtimes
do on a device. Each gets one of its own, with pinned versions, made once by uv and kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from converters.errors import ConversionError
from converters.recipes import LITERT, TFLITE_RUNTIME

_TIMEOUT_S = 900.0
_MSGSPEC = "msgspec==0.22.0"


@dataclass(frozen=True, slots=True)
class Pins:
    """What an environment holds.

    Attributes:
        python: version for uv to find or to fetch; None for the one that runs this.
        packages: with their versions.
    """

    python: str | None
    packages: tuple[str, ...]


PINS = {
    TFLITE_RUNTIME: Pins("3.11", ("tflite-runtime==2.14.0", "numpy==1.26.4", _MSGSPEC)),
    LITERT: Pins(None, ("ai-edge-litert==2.3.0", "numpy==2.4.6", _MSGSPEC)),
}


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a runtime is run.

    Attributes:
        runtime: its distribution.
        python: the interpreter, with the runtime and what `edge_agent.inference` needs.
        versions: of what matters there, in words.
        path: for the interpreter to find Heartline in; None where it is installed there.
    """

    runtime: str
    python: Path
    versions: str
    path: Path | None = None


def here() -> dict[str, Environment | str]:
    """The runtimes of this very environment, or why one is not here: quick, but on one numpy for both."""
    found: dict[str, Environment | str] = {}
    for runtime in PINS:
        if find_spec(runtime.replace("-", "_")) is None:
            found[runtime] = "not installed here, so not verified; leave out --here"
        else:
            found[runtime] = Environment(runtime, Path(sys.executable), _versions_here(runtime))
    return found


def _versions_here(runtime: str) -> str:
    parts = []
    for package in (runtime, "numpy"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"{package} of unknown version")
    return ", ".join([*parts, f"Python {sys.version_info.major}.{sys.version_info.minor}"])


def own(folder: Path) -> dict[str, Environment | str]:
    """Each runtime in its own environment, made where there is none yet; or why it cannot be made."""
    found: dict[str, Environment | str] = {}
    for runtime in PINS:
        try:
            found[runtime] = make(runtime, folder)
        except ConversionError as error:
            found[runtime] = str(error)
    return found


def make(runtime: str, folder: Path) -> Environment:
    """Make a runtime's environment, or find it made.

    Args:
        runtime: distribution of the runtime.
        folder: that keeps the environments.

    Raises:
        ConversionError: uv is missing or fails.
    """
    pins = PINS[runtime]
    python = pins.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    home = Path(__file__).parent.parent
    key = hashlib.sha256("\n".join((python, *pins.packages, str(home))).encode()).hexdigest()[:12]
    place = folder / f"{runtime}-{key}"
    if not (place / "ready").exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        _uv("venv", "--python", pins.python or sys.executable, str(place))
        _uv("pip", "install", "--compile-bytecode", "--python", str(place / "bin" / "python"), *pins.packages)
        # Heartline alone of what is installed here: the rest of it must not stand before what is pinned there.
        (place / "path").mkdir()
        for package in ("edge_agent", "converters"):
            (place / "path" / package).symlink_to(home / package)
        (place / "ready").touch()
    named = ", ".join(pin.replace("==", " ") for pin in pins.packages[:2])
    return Environment(runtime, place / "bin" / "python", f"{named}, Python {python}", place / "path")


def _uv(*arguments: str) -> None:
    if find_spec("uv") is None:
        msg = "uv makes the environments of the runtimes and is not installed; run: pip install 'heartline[train]'"
        raise ConversionError(msg)
    try:
        child = subprocess.run(  # noqa: S603 - arguments are ours
            [sys.executable, "-m", "uv", *arguments, "--quiet", "--no-config"],
            env={k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"uv {arguments[0]} took longer than {_TIMEOUT_S:.0f} s; try again with a working network, or with --here"
        raise ConversionError(msg) from error
    if child.returncode:
        reason = " ".join(child.stderr.split())[:300]
        msg = f"the runtime's environment cannot be made ({reason}); try again with a working network, or with --here"
        raise ConversionError(msg)
