"""What every test may use."""

from __future__ import annotations

import contextlib
import os

# As the commands do, and before numpy: BLAS threads wait for each other by spinning, which on a busy machine takes ten
# times as long as one thread does.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before tensorflow: tflite-runtime fails in a process that has loaded tensorflow's copy of it first.
with contextlib.suppress(ImportError):
    import tflite_runtime.interpreter  # noqa: F401

from pathlib import Path

import pytest
from hypothesis import settings

# A slow machine fails no test.
settings.register_profile("heartline", deadline=None)
settings.load_profile("heartline")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real recordings; tests that want it are skipped without, but never in CI."""
    root = Path(os.environ.get("HEARTLINE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        reason = f"no recordings in {root}; name a folder of them with HEARTLINE_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return root
