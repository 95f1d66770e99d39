"""The agent of the demo, in a process of its own: `edge-agent run` on a virtual Bluetooth adapter.

    python -m edge_agent.demo.agent_process --hci tcp-client:127.0.0.1:PORT --config FILE [--speed N]

What differs from `edge-agent run` is below bleak, and the speed of the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bumble.device import Device
from bumble.hci import Address
from bumble.keys import JsonKeyStore
from bumble.transport import open_transport

from edge_agent.agent.agent import run_until_signalled
from edge_agent.agent.clock import SystemClock
from edge_agent.config import AgentConfig, load_config
from edge_agent.demo.bleak_bumble import install
from edge_agent.demo.bumble_host import BumbleHost
from edge_agent.errors import HeartlineError, LinkError

BAD_INPUT = 2


@asynccontextmanager
async def hci_device(
    transport: str, *, address: Address = Address.ANY_RANDOM, keys: Path | None = None
) -> AsyncIterator[tuple[Device, asyncio.Future[None]]]:
    """A powered-on bumble device on a controller, e.g. one of `edge_agent.demo.radio`.

    Args:
        transport: bumble transport specification.
        address: its own; without one, bumble makes a static random one.
        keys: file of its bonds; without one, they are lost with the device.

    Yields:
        The device, and what is done when its controller is gone.

    Raises:
        LinkError: there is no controller.
    """
    try:
        hci = await open_transport(transport)
    except OSError as error:
        msg = f"{transport}: no Bluetooth controller there ({error}); start the virtual radio first"
        raise LinkError(msg) from error
    async with hci:
        device = Device.with_hci("Heartline", address, hci.source, hci.sink)
        if keys is not None:
            device.keystore = JsonKeyStore(str(address), str(keys))
        await device.power_on()
        yield device, hci.source.terminated


async def _run(config: AgentConfig, *, transport: str, speed: float) -> None:
    async with hci_device(transport) as (device, gone):
        # No radio, no demo: end in good order, rather than search for a strap for ever.
        gone.add_done_callback(_stop)
        with install(device):
            await run_until_signalled(config, clock=SystemClock(speed), host=BumbleHost(device))
        if gone.done():
            msg = f"{transport}: the Bluetooth controller went away; was the demo stopped?"
            raise LinkError(msg)
        gone.remove_done_callback(_stop)


def _stop(_gone: asyncio.Future[None]) -> None:
    signal.raise_signal(signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped by a signal.

    Returns:
        0, or 2 when the configuration or the controller cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m edge_agent.demo.agent_process", description=__doc__)
    parser.add_argument("--hci", required=True, metavar="TRANSPORT", help="bumble transport of the controller")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration of the agent")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="how fast time passes")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("bumble").setLevel(logging.ERROR)  # it reports each packet that comes after a broken link
    try:
        asyncio.run(_run(load_config(args.config), transport=args.hci, speed=args.speed))
    except HeartlineError as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - the message is meant for its reader
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
