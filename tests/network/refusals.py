"""What a broker refuses, for a day, until somebody mends it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import trustme

from edge_agent.config import MqttConfig
from edge_agent.store.journal import Journal
from tests.mosquitto import free_port, mosquitto, program
from tests.network.backend import backend
from tests.network.case import Case, Row, noted
from tests.network.simulated_time import simulated_loop
from tests.sync.gate import gate
from tests.sync.test_outbox import queue, syncing

# A day, and a quarter of an hour, so that it is mended in the middle of whatever is repeated hourly.
_DAY_S = 86_400.0 + 900.0
_DAY = timedelta(days=1)
_ANYBODY = "allow_anonymous true\n"
_DEVICE = MqttConfig("127.0.0.1")
_LOGIN = ("backend", "counts")
_ATHLETES = ("ada", "bo", "cy")
_LONG_NAMED = ("a" * 2000, "bo", "cy")
_LIMIT_BYTES = 2000  # between the summary of the long name and those of the others


@dataclass(frozen=True, slots=True)
class Setup:
    """A refusal.

    Attributes:
        wrong: settings of the broker that refuses.
        right: of the one that does not.
        device: configuration of the device, but for the port.
        athletes: of whom there is a summary to send.
    """

    wrong: str
    right: str = _ANYBODY
    device: MqttConfig = _DEVICE
    athletes: tuple[str, ...] = _ATHLETES


async def refused(prepare: Callable[[Path], Setup], folder: Path, *, duration_s: float = _DAY_S) -> Row:
    """Let a device try for so long, then mend the broker."""
    setup, ports, loop = prepare(folder), (free_port(), free_port()), simulated_loop()
    right, wrong = folder / "right", folder / "wrong"
    right.mkdir()
    wrong.mkdir()
    with (
        mosquitto(right, settings=f"{setup.right}listener {ports[0]} 127.0.0.1\n") as right_port,
        ExitStack() as until_mended,
        ExitStack() as until_counted,
        Journal(folder / "store") as journal,
        noted() as said,
    ):
        wrong_broker = mosquitto(wrong, settings=f"{setup.wrong}listener {ports[1]} 127.0.0.1\n")
        wrong_port = until_mended.enter_context(wrong_broker)
        counted = until_counted.enter_context(backend(*ports, login=_LOGIN))
        ids = [session for athlete in setup.athletes for session in queue(journal, 1, athlete)]
        async with gate() as door:
            door.leads_to = wrong_port
            loop.quiet_when(lambda: door.empty)
            config = msgspec.structs.replace(setup.device, port=door.port)
            async with syncing(journal, config) as sync:
                await asyncio.sleep(duration_s)
                attempts, said_in_vain = door.entered, dict(said)
                door.leads_to = right_port
                until_mended.close()
                mended_s = loop.time()
                await sync.drained()
                recovered_s = loop.time() - mended_s
        count = await counted.count(ids)
    return Row(said_in_vain, attempts, recovered_s, len(ids), count.lost, count.twice)


def _login(folder: Path, user: str) -> Setup:
    """The broker knows another name or another password."""

    def settings(name: str, password: str) -> str:
        file = folder / f"passwords-{name}-{password}"
        for create, known in ((("-c",), (name, password)), ((), _LOGIN)):
            subprocess.run([program("mosquitto_passwd"), *create, "-b", file, *known], check=True)
        return f"allow_anonymous false\npassword_file {file}\n"

    file = folder / "password"
    file.write_text("right")
    file.chmod(0o600)
    device = MqttConfig("127.0.0.1", username="pi", password_file=file)
    return Setup(settings(user, "other"), settings("pi", "right"), device)


def _certificate(
    folder: Path, *names: str, other_authority: bool = False, begins: timedelta = -_DAY, ends: timedelta = _DAY
) -> Setup:
    """The broker's certificate is not in order."""
    now, authority = datetime.now(UTC), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))

    def settings(kind: str, certificate: trustme.LeafCert) -> str:
        file = folder / f"{kind}.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(file))
        return f"{_ANYBODY}certfile {file}\nkeyfile {file}\n"

    signed_by = trustme.CA() if other_authority else authority
    wrong = signed_by.issue_cert(*(names or ("localhost",)), not_before=now + begins, not_after=now + ends)
    device = MqttConfig("localhost", tls=True, ca_file=folder / "ca.pem")
    return Setup(settings("wrong", wrong), settings("right", authority.issue_cert("localhost")), device)


def _topic(folder: Path) -> Setup:
    """The device may say that it is online, and nothing else."""
    rights = folder / "acl"
    rights.write_text("topic read #\ntopic write heartline/+/status\n")
    return Setup(f"{_ANYBODY}acl_file {rights}\n")


def _limit(_: Path, *, key: str) -> Setup:
    """The broker does not take the longest summary."""
    device = MqttConfig("127.0.0.1", athlete_names=True)
    return Setup(f"{_ANYBODY}{key} {_LIMIT_BYTES}\n", device=device, athletes=_LONG_NAMED)


REFUSALS: dict[str, Callable[[Path], Setup]] = {
    "wrong password": partial(_login, user="pi"),
    "unknown username": partial(_login, user="somebody"),
    "certificate of an authority that is not known here": partial(_certificate, other_authority=True),
    "certificate expired": partial(_certificate, begins=-2 * _DAY, ends=-_DAY),
    "certificate not valid yet, as for a device without the time": partial(_certificate, begins=_DAY, ends=2 * _DAY),
    "certificate of another name": lambda folder: _certificate(folder, "elsewhere.example"),
    "topic denied by the broker's access list": _topic,
    "payload over the broker's limit, which it announces": partial(_limit, key="max_packet_size"),
    "payload over the broker's limit, of which it says nothing": partial(_limit, key="message_size_limit"),
}

CASES = [Case(f"{fault}, for 24 hours", partial(refused, prepare)) for fault, prepare in REFUSALS.items()]
