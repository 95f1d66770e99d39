"""The `edge-agent` command: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent import __version__
from edge_agent.cli import main


def test_decode_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "2a37", "143C0004"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "heart_rate_bpm": 60,
        "sensor_contact": False,
        "rr_intervals_ms": [1000.0],
        "zero_rr_count": 0,
    }


def test_decode_takes_bytes_apart_or_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "0x2A37", "18", "3C", "F4", "01", "00", "04"]) == 0
    assert json.loads(capsys.readouterr().out)["energy_expended_kj"] == 500


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["2a37", "10"], r"malformed 0x2A37 packet [10]"),
        (["2a37", "1g"], "is not hex"),
        (["2aff", "00"], "known are: 0x2A37 (Heart Rate Measurement)"),
    ],
)
def test_decode_says_what_is_wrong_and_ends_with_2(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_run_says_what_is_wrong_with_its_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert __version__ in capsys.readouterr().out
