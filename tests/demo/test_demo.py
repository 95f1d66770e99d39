"""The demo as its user sees it. How busy this machine is decides no test: the demo is shown again, more slowly."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from edge_agent.demo.demo import Options, run_demo
from edge_agent.demo.errors import DemoError
from edge_agent.store.summary import Summary
from tests.demo.test_broker import BROKERS, program
from tests.mosquitto import mosquitto

SPEED = 20.0
SLOWLY = 4.0


def options(
    *,
    speed: float = SPEED,
    recording: Path | None = None,
    duration_s: int | None = 75,
    mqtt: tuple[str, int] | None = None,
    mosquitto: str | None = None,
) -> Options:
    return Options(speed=speed, recording=recording, duration_s=duration_s, mqtt=mqtt, mosquitto=mosquitto)


def printed_summary(lines: list[str]) -> Summary:
    _, found, rest = "\n".join(lines).partition("The summary, as read back from")
    assert found
    shown, end, _ = rest.partition("\n}")
    return msgspec.json.decode(shown[shown.index("{") :] + end, type=Summary)


def process_of_agent(lines: list[str]) -> int:
    return next(int(found[1]) for line in lines if (found := re.search(r"agent: +process (\d+)", line)))


def demo_process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge_agent.cli", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def shown(kind: str, speed: float) -> list[str]:
    lines: list[str] = []
    run_demo(options(speed=speed, mosquitto=program(kind)), say=lines.append)
    return lines


@pytest.mark.parametrize("kind", BROKERS)
def test_shows_the_whole_way_from_a_simulated_strap_to_the_summary_at_the_broker(kind: str) -> None:
    try:
        lines = shown(kind, SPEED)
        lost = printed_summary(lines).recorded_s < 70
    except DemoError:
        lost = True
    if lost:
        lines = shown(kind, SLOWLY)

    assert any(kind in line and "127.0.0.1" in line for line in lines)
    live = [line for line in lines if re.match(r" +\d+:\d\d  .* bpm", line)]
    assert len(live) == 2  # after 30 and 60 of the 75 seconds
    assert all(re.search(r"\d+ \(\d+ to \d+\)$", line) for line in live)
    summary = printed_summary(lines)
    assert not summary.interrupted
    assert summary.recorded_s >= 70
    assert summary.forecast[10].scored > summary.forecast[30].scored > summary.forecast[60].scored > 0
    for horizon_s, score in summary.forecast.items():
        assert any(re.match(rf" *in {horizon_s} s +{score.scored} +{score.mae_bpm:.2f} bpm", line) for line in lines)
    assert lines[-1].endswith("0 summaries wait in its outbox.")
    assert not is_running(process_of_agent(lines))


def test_plays_a_recording_to_a_broker_that_was_named(tmp_path: Path) -> None:
    recording = tmp_path / "someone" / "run.csv"
    recording.parent.mkdir()
    rows = [f"{t_s},{100 + t_s},600;590" for t_s in range(40)]
    rows[20:30] = [f"{t_s},," for t_s in range(20, 30)]  # the strap is off
    recording.write_text("t_s,heart_rate_bpm,rr_ms\n" + "\n".join(rows) + "\n")
    (tmp_path / "broker").mkdir()

    with mosquitto(tmp_path / "broker") as port:
        for speed in (SPEED, SLOWLY):
            demo = demo_process("--speed", str(speed), "--recording", str(recording), "--mqtt", f"localhost:{port}")
            output, errors = demo.communicate(timeout=60)
            lines = output.splitlines()
            if demo.returncode == 0 and printed_summary(lines).recorded_s >= 27:
                break
    assert (demo.returncode, errors) == (0, "")
    summary = printed_summary(lines)
    assert summary.recorded_s == pytest.approx(30, abs=3)
    assert summary.heart_rate_min_bpm == 100
    assert summary.heart_rate_max_bpm == 139
    assert summary.rr_interval_count == pytest.approx(60, abs=4)
    assert "someone/run.csv" in "\n".join(lines)


def test_an_unreachable_broker_ends_it_with_status_1_and_its_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        demo = demo_process("--mqtt", address)
        output, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert errors.startswith(f"edge-agent demo: the broker at {address} cannot be reached")
    assert "summary" not in output


def test_a_speed_beyond_the_machine_is_called_so() -> None:
    with pytest.raises(DemoError, match=r"loses the beat.*try --speed"):
        run_demo(options(speed=20_000, duration_s=1200, mosquitto=program("mosquitto")), say=lambda _: None)


def test_a_recording_without_heart_rate_in_its_beginning_is_refused(tmp_path: Path) -> None:
    recording = tmp_path / "bike.csv"
    recording.write_text("t_s,heart_rate_bpm,power_w\n0,,200\n60,100,210\n")
    with pytest.raises(DemoError, match=r"bike\.csv: no heart rate in what would be played"):
        run_demo(options(recording=recording, duration_s=30), say=lambda _: None)


def test_several_recordings_are_not_one(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("t_s,heart_rate_bpm\n0,60\n")
    with pytest.raises(DemoError, match="holds 2 recordings"):
        run_demo(options(recording=tmp_path), say=lambda _: None)


def lines_until_half_a_minute(demo: subprocess.Popen[str]) -> list[str]:
    assert demo.stdout is not None
    lines: list[str] = []
    while not (lines and re.match(" +0:30 ", lines[-1])):
        lines.append(demo.stdout.readline())
        assert lines[-1], f"ended: {demo.communicate()}"
    return lines


def test_a_signal_ends_everything_it_started() -> None:
    demo = demo_process("--minutes", "10", "--speed", "10")
    lines = lines_until_half_a_minute(demo)
    agent = process_of_agent(lines)
    port = next(int(found[1]) for line in lines if (found := re.search(r"broker: .*127\.0\.0\.1:(\d+)", line)))
    assert is_running(agent)

    demo.send_signal(signal.SIGTERM)
    _, errors = demo.communicate(timeout=20)
    assert (demo.returncode, errors) == (1, "edge-agent demo: stopped by a signal\n")
    assert not is_running(agent)
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


def test_the_agent_of_a_killed_demo_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as port:
        demo = demo_process("--minutes", "10", "--speed", "10", "--mqtt", f"127.0.0.1:{port}", TMPDIR=str(tmp_path))
        agent = process_of_agent(lines_until_half_a_minute(demo))
        demo.kill()
        demo.communicate()
        deadline_s = time.monotonic() + 20
        while is_running(agent):
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
