"""Raspberry Pi class devices without a Raspberry Pi: Debian arm64 under QEMU with the wheel installed in it.

The root is unpacked, never configured, and kept in `.arm/`. Packages are chosen by uv, which evaluates environment
markers for the device's Python and machine; pip would evaluate them for the host. This shows that the packages
resolve, load and compute on the device's architecture, not how fast: emulated time says nothing about a Pi.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.debian import mirror

HERE = Path(__file__).parent
ROOTS = HERE.parent.parent / ".arm"
HOST_TOOLS = ("mmdebstrap", "qemu-aarch64-static", "unshare")


@dataclass(frozen=True, slots=True)
class Release:
    """A Debian release as the device runs it.

    Attributes:
        suite: its code name.
        python: its Python.
        manylinux: the newest level of wheels that its C library loads and uv knows.
        runtime: the TFLite runtime that the wheel has to choose there.
    """

    suite: str
    python: str
    manylinux: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Device:
    """An emulated device with the wheel installed.

    Attributes:
        release: what it runs.
        root: its file system.
        site: its installed packages.
        files: folder that the device sees at `/mnt`.
    """

    release: Release
    root: Path
    site: Path
    files: Path

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python3 ARGUMENTS` on the device."""
        command: list[str | Path] = [HERE / "device.sh", self.root, self.site, self.files, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def edge_agent(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command on the device."""
        return self.python("/opt/heartline/bin/edge-agent", *arguments)


def require_host() -> None:
    """Fail, never skip, where no device can be emulated.

    Raises:
        RuntimeError: rights or programs are missing; the message names what to run.
    """
    missing = [tool for tool in HOST_TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        msg = (
            "emulating a device needs root (mount namespaces, device nodes) and "
            f"{', '.join(HOST_TOOLS)} (missing: {', '.join(missing) or 'none'}); run: sudo make test-arm"
        )
        raise RuntimeError(msg)


def unpacked_root(suite: str) -> Path:
    """The device's file system, made once from this machine's Debian mirror."""
    root = ROOTS / suite
    if not root.exists():
        ROOTS.mkdir(exist_ok=True)
        partial = ROOTS / f"{suite}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        # base-files holds the links (/lib, /bin) that the ELF loader is found by; numpy loads libstdc++.
        packages = "--include=base-files,python3,libstdc++6"
        command = ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", packages, suite]
        subprocess.run([*command, partial, *mirror()], check=True)
        partial.rename(root)
    return root


def install(wheel: Path, release: Release, site: Path) -> None:
    """Install the wheel and what it asks for on this device, from wheels alone."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-config", "--link-mode=copy"]
    target = [f"--python-version={release.python}", f"--python-platform=aarch64-manylinux_{release.manylinux}"]
    subprocess.run([*command, *target, "--only-binary=:all:", "--target", site, wheel], check=True)
