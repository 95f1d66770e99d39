"""Live values at a real broker: each second once, nothing of them kept, and one word when there is no heart rate."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import jsonschema
import msgspec

from edge_agent.config import MqttConfig, Share
from edge_agent.inference.forecast import Quantiles
from edge_agent.inference.recovery import Recovery
from edge_agent.store.summary import Second
from edge_agent.sync.connection import Connection
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.live import Live
from edge_agent.sync.live_values import LiveValues
from edge_agent.sync.schemas import schema_of
from edge_agent.sync.topics import Topics
from tests.mosquitto import mosquitto, program
from tests.sync.test_inbox import SetClock

SESSION = uuid.UUID(int=7)
TOPICS = Topics("heartline", "device-1")
FORECAST_10 = Quantiles(118.0, 121.5, 125.0)
FORECAST = {10: FORECAST_10, 60: None}
RECOVERY = Recovery(60, FORECAST_10, FORECAST_10, seconds_to_target=12.5, not_reached=False)


async def test_each_second_is_told_and_silence_once(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as port:
        connection = Connection(MqttConfig("127.0.0.1", port), TOPICS, Random(1))  # noqa: S311
        disclosure = Disclosure(Share.LIVE, b"key")
        live = LiveValues(connection, TOPICS, disclosure, SetClock(datetime(2026, 3, 1, 7, 30, tzinfo=UTC)))

        def show(session_id: uuid.UUID | None, second: Second | None, activity: str | None = None) -> None:
            live.show("ada", session_id, second, activity=activity, recovery=RECOVERY if activity else None)

        show(SESSION, Second(0, 110.0, (), FORECAST))  # to nobody
        topic = f"heartline/device-1/athlete/{disclosure.athlete('ada')}/live"
        options = ("-p", str(port), "-t", "heartline/+/athlete/+/live", "-F", "%t %q %r %p", "-W", "2")
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(connection.run())
            await connection.connected()
            process = await asyncio.create_subprocess_exec(
                program("mosquitto_sub"), *options, stdout=asyncio.subprocess.PIPE
            )
            await asyncio.sleep(0.5)
            show(SESSION, Second(1, 120.0, (), FORECAST, speed_mps=3.0), "running")
            for t_s in (2, 3, 4):
                show(SESSION, Second(t_s, None, (), {}, speed_mps=3.0), "running")
            show(None, None)
            show(SESSION, Second(5, 121.0, (), FORECAST))
            show(None, None)
            lines = (await process.communicate())[0].decode().splitlines()
            running.cancel()
    told = []
    for line in lines:
        where, quality, retained, payload = line.split(" ", 3)
        assert (where, quality, retained) == (topic, "0", "0")
        jsonschema.validate(json.loads(payload), schema_of("live"))
        told.append(msgspec.json.decode(payload, type=Live))
    assert [(now.t_s, now.heart_rate_bpm, now.speed_mps, now.activity) for now in told] == [
        (1, 120.0, 3.0, "running"),
        (2, None, None, None),
        (5, 121.0, None, None),
        (None, None, None, None),
    ]
    assert [now.session_id for now in told] == [SESSION, SESSION, SESSION, None]
    assert told[0].forecast == FORECAST
    assert [now.recovery for now in told] == [RECOVERY, None, None, None]
