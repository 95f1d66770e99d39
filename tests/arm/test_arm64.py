"""The built wheel on the two Debian releases that Raspberry Pi OS follows."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arm.emulation import Device, Release, install, require_host, unpacked_root
from tests.built_wheel import build_wheel

pytestmark = pytest.mark.arm

RELEASES = [
    Release("bookworm", python="3.11", manylinux="2_36", runtime="tflite-runtime"),
    Release("trixie", python="3.13", manylinux="2_40", runtime="ai-edge-litert"),
]

RUN_S = 240


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_host()
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.suite)
def device(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Device:
    release: Release = request.param
    site = tmp_path_factory.mktemp("site")
    install(wheel, release, site)
    files = tmp_path_factory.mktemp("files")
    shutil.copy(Path(__file__).with_name("golden.py"), files)
    _write_run(files / "run.csv")
    return Device(release, unpacked_root(release.suite), site, files)


def test_every_form_of_the_shipped_models_answers_its_golden_pairs(device: Device) -> None:
    done = device.python("/mnt/golden.py")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    print(json.dumps(report))  # noqa: T201 - the figures belong into the log of the run
    assert report["machine"] == "aarch64"
    assert report["python"].startswith(f"{device.release.python}.")
    assert report["package"].startswith("/opt/heartline/")
    assert report["runtimes"] == [device.release.runtime]
    assert report["numpy"].startswith("1.") or device.release.runtime != "tflite-runtime"
    assert report["commands"] == ["edge-agent", "edge-convert", "edge-train", "heartline-backend"]
    assert not report["tensorflow"]
    assert report["forms"]
    assert report["steps"] == {"workout": 160, "recovery": 160, "activity": 16}
    for form in report["forms"]:
        assert form["error"] <= form["tolerance"], form


def test_a_packet_is_decoded(device: Device) -> None:
    done = device.edge_agent("decode", "2a37", "143C0004")
    assert done.returncode == 0, done.stderr
    decoded = json.loads(done.stdout)
    assert (decoded["heart_rate_bpm"], decoded["sensor_contact"], decoded["rr_intervals_ms"]) == (
        60,
        False,
        [1000.0],
    )


def test_a_recording_is_forecast_as_on_the_host(device: Device) -> None:
    on_device = device.edge_agent("replay", "/mnt/run.csv", "--json")
    assert on_device.returncode == 0, on_device.stderr
    on_host = subprocess.run(
        [sys.executable, "-m", "edge_agent.cli", "replay", device.files / "run.csv", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = list(zip(_forecasts(on_device.stdout), _forecasts(on_host.stdout), strict=True))
    assert len(pairs) == RUN_S
    compared = 0
    for ours, theirs in pairs:
        assert ours.keys() == theirs.keys() == {"10", "30", "60"}
        for horizon_s, quantiles in ours.items():
            assert (quantiles is None) == (theirs[horizon_s] is None)
            if quantiles is not None:
                # The float form is the preferred one everywhere; what is left is a rounding to 0.01 on either side.
                assert quantiles == pytest.approx(theirs[horizon_s], abs=0.021)
                compared += 1
    assert compared > RUN_S


def _forecasts(lines: str) -> list[dict[str, dict[str, float] | None]]:
    return [json.loads(line)["forecast"] for line in lines.splitlines()]


def _write_run(path: Path) -> None:
    """An easy run with a gap in the heart rate."""
    rows = ["t_s,heart_rate_bpm,speed_mps"]
    for t_s in range(RUN_S):
        heart_rate_bpm = round(150 - 60 * math.exp(-t_s / 50))
        rows.append(f"{t_s},{'' if 100 <= t_s < 110 else heart_rate_bpm},{min(3.0, t_s / 10):.2f}")
    path.write_text("\n".join(rows) + "\n")
