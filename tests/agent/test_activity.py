"""What an athlete does, live: a strap that streams acceleration through the whole agent, in virtual time."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from bumble.link import LocalLink

from edge_agent.agent.activity import LiveActivity
from edge_agent.config import Placement
from edge_agent.demo.strap import VirtualStrap
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.models import ActivityModel
from edge_agent.sensors.profiles.polar_acceleration import Sample
from edge_agent.sensors.profiles.polar_control import Command
from edge_agent.sensors.profiles.readings import Acceleration
from tests.reliability.rig import Rig, Wearer, adapter, agent, until
from tests.reliability.virtual_time import run_virtual
from tests.sensors.profiles.virtual_services import PolarService

RATE_HZ = 25
PER_FRAME = 36  # as a strap that has 230 bytes of room


def running(samples: int) -> list[Sample]:
    """A chest that goes up and down 2.7 times a second, in mg, with the spikes of feet that land."""
    phases = [2 * math.pi * 2.7 * n / RATE_HZ for n in range(samples)]
    return [
        (
            round(150 * math.sin(a / 2)),
            round(1000 + 1100 * math.sin(a) + 300 * math.sin(2 * a)),
            round(200 * math.cos(a)),
        )
        for a in phases
    ]


def recognised(samples: list[Sample]) -> list[CurrentActivity]:
    """What the model that ships says of it, without an agent or a radio."""
    recogniser = ActivityModel().begin(placement="chest", rate_hz=RATE_HZ)
    return [found.doing for found in recogniser.push(np.array(samples, np.float32) * np.float32(9.80665e-3))]


@dataclass
class Worn:
    """A strap that somebody wears, and the agent."""

    strap: VirtualStrap
    polar: PolarService | None
    rig: Rig

    def activity(self) -> CurrentActivity | None:
        """What the status file says; None without a signal."""
        return self.rig.status().activities["athlete"]

    async def told(self) -> CurrentActivity:
        """The first activity."""
        await until(lambda: self.activity() is not None, timeout_s=60)
        found = self.activity()
        assert found is not None
        return found


@asynccontextmanager
async def worn(
    tmp_path: Path,
    *,
    polar: bool = True,
    on: bool = True,
    factor: float | None = None,
    answers: list[bytes] | None = None,
) -> AsyncIterator[Worn]:
    link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
    strap = VirtualStrap(link)
    service = PolarService(strap.device) if polar else None
    await strap.power_on()
    section = f'[strap]\naddress = "{strap.address}"\n' + 'acceleration = "chest"\n' * on
    tasks = [asyncio.create_task(Wearer(strap).wear())]
    if service is not None:
        service.factor, service.answers = factor, answers
        tasks.append(asyncio.create_task(service.play(running(100 * 60), rate_hz=RATE_HZ, per_frame=PER_FRAME)))
    async with adapter(link) as host, agent(tmp_path, section, host) as rig:
        await strap.wait_for_subscriber()
        await asyncio.sleep(6)  # until there is a status
        yield Worn(strap, service, rig)
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize("factor", [None, 1.0], ids=["raw, as a strap", "compressed, as an armband"])
def test_an_activity_is_told_from_a_strap_that_streams_and_its_heart_rate_is_recorded_beside_it(
    tmp_path: Path, factor: float | None
) -> None:
    async def story() -> None:
        async with worn(tmp_path, factor=factor) as wearer:
            assert wearer.activity() is None
            told = await wearer.told()
            assert wearer.rig.status().sources["athlete"]["acceleration_mps2"] == "heart_rate 1"
            # Where in the motion the strap's stream begins is not ours to say, so any of its windows may be the first.
            assert (told.label, told.unknown) in {(d.label, d.unknown) for d in recognised(running(40 * RATE_HZ))}
            assert told.cadence_per_min == pytest.approx(60 * 2.7, abs=2)
            await asyncio.sleep(10)
        seconds = wearer.rig.seconds()
        assert sum(second["heart_rate_bpm"] is None for second in seconds) <= 1
        assert len(seconds) > 15
        assert told in wearer.rig.activities()

    run_virtual(story())


def test_without_a_link_there_is_no_signal_after_6_s_and_with_the_next_link_it_is_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def story() -> None:
        async with worn(tmp_path) as wearer:
            assert wearer.polar is not None
            await wearer.told()
            await wearer.strap.go_out_of_range()
            gone_s = await until(lambda: wearer.activity() is None, timeout_s=30)
            assert gone_s <= 6 + 5  # the status is looked at every 5 s
            asked = len(wearer.polar.commands)
            await wearer.strap.come_back()
            await wearer.told()
            # The strap thinks that it streams to us still, so its start is refused once.
            again = [Command(command[0]) for command in wearer.polar.commands[asked:]]
            assert again == [Command.GET_SETTINGS, Command.START, Command.STOP, Command.START]

    run_virtual(story())
    assert caplog.text.count("heart_rate 1: acceleration is streamed") == 2


def test_a_strap_without_acceleration_is_one_sentence_for_all_its_links(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with worn(tmp_path, polar=False) as wearer:
            wearer.strap.lose_link()
            await asyncio.sleep(20)
            assert wearer.activity() is None
            assert wearer.rig.status().sensors[0].reconnects == 1
        assert len([second for second in wearer.rig.seconds() if second["heart_rate_bpm"]]) > 15

    run_virtual(story())
    sentence = "heart_rate 1: no acceleration: the sensor has none that can be streamed; heart rate goes on"
    assert caplog.text.count(sentence) == 1


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([bytes([0xF0, 1, 2, 3])], "the sensor refuses it (not supported)"),
        ([bytes([0xF0, 1, 2, 13])], "the sensor refuses it (in charger)"),
        ([b"\xf0\x01\x02\x00\x00\x63\x01"], "malformed"),
        ([], "the sensor did not answer within 10 s"),
    ],
    ids=["no such stream", "in its charger", "an unknown setting", "silence"],
)
def test_a_sensor_that_does_not_start_is_one_sentence_and_heart_rate_goes_on(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    answers: list[bytes],
    reason: str,
) -> None:
    async def story() -> None:
        async with worn(tmp_path, answers=answers) as wearer:
            await until(lambda: "no acceleration" in caplog.text, timeout_s=30)
            await asyncio.sleep(10)
            assert wearer.activity() is None
        assert all(second["heart_rate_bpm"] for second in wearer.rig.seconds()[:-1])

    run_virtual(story())
    sentences = [record.message for record in caplog.records if "no acceleration" in record.message]
    assert len(sentences) == 1
    assert reason in sentences[0]


def test_a_malformed_frame_is_dropped_and_the_activity_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with worn(tmp_path) as wearer:
            assert wearer.polar is not None
            for number in count():
                await wearer.polar.notify(bytes([2, *bytes(8), 0x7F]))
                await asyncio.sleep(1)
                if wearer.activity() is not None:
                    break
                assert number < 60
            assert wearer.rig.status().sensors[0].malformed_packets > 0

    run_virtual(story())
    assert caplog.text.count("dropped, and so are further ones") == 1


def test_a_stream_that_the_sensor_ends_is_said_and_has_no_signal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with worn(tmp_path) as wearer:
            assert wearer.polar is not None
            await wearer.told()
            await wearer.polar.indicate(bytes([1, 2]))
            await until(lambda: wearer.activity() is None, timeout_s=30)

    run_virtual(story())
    assert "the sensor has stopped its acceleration; it is asked again with the next link" in caplog.text


def test_without_a_word_of_it_nothing_is_asked_of_the_sensor_and_no_model_is_opened(tmp_path: Path) -> None:
    async def story() -> None:
        async with worn(tmp_path, on=False) as wearer:
            await asyncio.sleep(10)
            assert wearer.polar is not None
            assert wearer.polar.commands == []
            assert wearer.rig.status().activities == {}

    run_virtual(story())
    assert (tmp_path / "record" / "runtime-workout.json").exists()
    assert not (tmp_path / "record" / "runtime-activity.json").exists()


def live(samples: int, *, from_s: float) -> Acceleration:
    """A packet of a quiet chest."""
    at_s = tuple(from_s + n / RATE_HZ for n in range(samples))
    return Acceleration(at_s, ((0.0, 9.8, 0.1),) * samples)


def test_an_answer_is_live_for_6_s_and_never_reaches_across_a_hole_or_to_another_sensor() -> None:
    activity = LiveActivity(ActivityModel())

    def take(samples: Acceleration, sensor: str = "heart_rate 1") -> list[CurrentActivity]:
        return activity.take(samples, sensor=sensor, placement=Placement.CHEST, at_s=samples.at_s[-1])

    (answer,) = take(live(150, from_s=100.0))
    assert answer.label == "still"
    assert activity.latest(111.9) == answer
    assert activity.latest(112.0) is None

    assert take(live(50, from_s=106.0)) == []
    assert activity.latest(108.0) == answer
    assert take(live(100, from_s=109.0)) == []
    assert activity.latest(113.0) is None
    assert len(take(live(100, from_s=113.0))) == 1
    assert activity.latest(117.0) is not None
    take(live(50, from_s=117.0), "heart_rate 2")
    assert activity.latest(119.0) is None


def test_a_rate_that_the_model_does_not_take_is_said_and_has_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    activity = LiveActivity(ActivityModel())
    for n in range(10):
        samples = Acceleration((10.0 + n, 10.5 + n), ((0.0, 9.8, 0.1),) * 2)
        activity.take(samples, sensor="heart_rate 1", placement=Placement.WRIST, at_s=11.0 + n)
    activity.take(live(1, from_s=20.0), sensor="heart_rate 1", placement=Placement.WRIST, at_s=20.0)
    assert activity.latest(20.0) is None
    assert "heart_rate 1: no activity: it samples at 2 Hz, the model takes 20 to 200 Hz" in caplog.text


def test_samples_as_large_as_a_packet_can_claim_have_an_answer_in_numbers() -> None:
    activity = LiveActivity(ActivityModel())
    largest_mps2 = 0x7FFF * 1000 * 1000 * 9.80665e-3  # counts of 1 g, times the largest factor
    at_s = tuple(10 + n / RATE_HZ for n in range(150))
    wild = Acceleration(at_s, ((largest_mps2, -largest_mps2, 0.0), (-largest_mps2, 0.0, largest_mps2)) * 75)
    activity.take(wild, sensor="heart_rate 1", placement=Placement.CHEST, at_s=16.0)
    answer = activity.latest(16.0)
    assert answer is not None
    assert 0 <= answer.probability <= 1
