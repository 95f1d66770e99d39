"""Each runtime is run with the Python and the numpy that a device has beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from converters import environments
from converters.cli import main
from converters.environments import Environment, make, own
from converters.errors import ConversionError
from converters.recipes import LITERT, TFLITE_RUNTIME
from edge_agent.inference.forecast import SHIPPED_BUNDLE

SAYS = "import sys, numpy; print(numpy.__version__, '%d.%d' % sys.version_info[:2])"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment | str]:
    return own(tmp_path_factory.mktemp("runtimes"))


def test_the_old_runtime_has_the_old_numpy_and_the_new_one_the_new(made: dict[str, Environment | str]) -> None:
    numpy = {}
    for runtime, environment in made.items():
        assert isinstance(environment, Environment), environment
        said = subprocess.run([environment.python, "-c", SAYS], capture_output=True, text=True, check=True)
        numpy[runtime], python = said.stdout.split()
        assert f"numpy {numpy[runtime]}, Python {python}" in environment.versions
    assert numpy[TFLITE_RUNTIME].startswith("1.26.")
    assert numpy[LITERT].startswith("2.")


def test_an_environment_is_made_once(made: dict[str, Environment | str], monkeypatch: pytest.MonkeyPatch) -> None:
    environment = made[LITERT]
    assert isinstance(environment, Environment)
    monkeypatch.setattr(environments, "_uv", lambda *_: pytest.fail("uv was started"))
    assert make(LITERT, environment.python.parents[2]) == environment


def test_the_shipped_bundle_is_verified_in_them(
    made: dict[str, Environment | str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = made[LITERT]
    assert isinstance(environment, Environment)
    (tmp_path / "heartline").mkdir()
    (tmp_path / "heartline" / "runtimes").symlink_to(environment.python.parents[2])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    assert main(["verify", str(SHIPPED_BUNDLE)]) == 0
    said = capsys.readouterr().out
    assert "float32 on tflite-runtime (tflite-runtime 2.14.0, numpy 1.26.4, Python 3.11)" in said
    assert "float32 on ai-edge-litert (ai-edge-litert 2.3.0, numpy 2." in said


def test_what_cannot_be_installed_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = environments.Pins(None, ("no-such-package-of-heartline==1.0",))
    monkeypatch.setitem(environments.PINS, LITERT, pins)
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(ConversionError, match=r"cannot be made \(.*\); try again with a working network") as caught:
        make(LITERT, tmp_path)
    assert "\n" not in str(caught.value)
