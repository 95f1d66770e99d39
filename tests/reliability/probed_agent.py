"""The agent with a probe: how long a frame takes inside it, written to `--probe FILE` when it ends.

python -m tests.reliability.probed_agent --probe FILE [--hci TRANSPORT] --config FILE

With `--hci` it is that of the demo, on bumble's host; else that of `edge-agent run`, on BlueZ.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from edge_agent import cli
from edge_agent.agent.session import LiveSession
from edge_agent.demo import agent_process
from edge_agent.signals.alignment import HeartRate
from edge_agent.store.summary import Second


class Probe:
    """Times of every second, in s.

    Attributes:
        from_arrival: from the arrival of its last frame to its forecast on the disk; half a second of it is the wait
            for the second's end, which puts jitter of up to that much in its place.
        from_due: from the second's end to its forecast on the disk: what the agent needs, and what it waits for others.
    """

    def __init__(self) -> None:
        self.from_arrival: list[float] = []
        self.from_due: list[float] = []
        self._arrived: dict[int, float] = {}

    def install(self) -> None:
        """Look at every session."""
        add, advance = LiveSession.add, LiveSession.advance

        def probed_add(session: LiveSession, heart_rate: HeartRate, at_s: float) -> None:
            self._arrived[id(session)] = at_s
            add(session, heart_rate, at_s)

        def probed_advance(session: LiveSession) -> list[Second]:
            due_s, arrived_s = session.due_s, self._arrived.get(id(session), 0.0)
            seconds = advance(session)
            now_s = time.monotonic()
            if session.due_s > due_s > arrived_s >= due_s - 1:  # the second is over, and a frame came in it
                self.from_due.append(now_s - due_s)
                self.from_arrival.append(now_s - arrived_s)
            return seconds

        LiveSession.add = probed_add  # type: ignore[method-assign,assignment]
        LiveSession.advance = probed_advance  # type: ignore[method-assign,assignment]


def main() -> int:
    """Run until stopped by a signal."""
    file = Path(sys.argv[sys.argv.index("--probe") + 1])
    arguments = [argument for argument in sys.argv[1:] if argument not in {"--probe", str(file)}]
    probe = Probe()
    probe.install()
    status = agent_process.main(arguments) if "--hci" in arguments else cli.main(["run", *arguments])
    file.write_text(json.dumps({"from_arrival": probe.from_arrival, "from_due": probe.from_due}))
    return status


if __name__ == "__main__":
    sys.exit(main())
