"""The wheel as it would be released."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def build_wheel(directory: Path) -> Path:
    """Build the wheel of this checkout into an empty directory."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", directory, REPOSITORY],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,) = directory.glob("*.whl")
    return wheel
