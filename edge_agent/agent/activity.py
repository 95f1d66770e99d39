"""What an athlete does right now, from the acceleration that a sensor streams."""

from __future__ import annotations

import logging

from edge_agent.config import Placement
from edge_agent.inference.activity import ActivityRecogniser, CurrentActivity
from edge_agent.inference.models import ActivityModel
from edge_agent.sensors.links.health import LIVE_S
from edge_agent.sensors.profiles.readings import Acceleration
from edge_agent.signals.acceleration import MAX_RATE_HZ, MIN_RATE_HZ, samples_of

log = logging.getLogger(__name__)

# A hole this long is a packet or a link that was lost: no window may reach across it.
_HOLE_S = 0.5


class LiveActivity:
    """Of one athlete: follows one sensor at a time, and begins anew when the stream has a hole."""

    def __init__(self, model: ActivityModel) -> None:
        self._model = model
        self._sensor: str | None = None
        self._recogniser: ActivityRecogniser | None = None
        self._doing: CurrentActivity | None = None
        self._sample_s = 0.0  # when the last sample was taken
        self._packet_s = 0.0  # when its packet came

    def take(self, samples: Acceleration, *, sensor: str, placement: Placement, at_s: float) -> list[CurrentActivity]:
        """Take the samples of a packet.

        Args:
            samples: of the packet.
            sensor: label of the one that sent it.
            placement: where it is worn.
            at_s: when it came, on the agent's clock.

        Returns:
            An answer to each window that they complete.
        """
        if len(samples.at_s) < 2:  # noqa: PLR2004 - one sample has no rate
            return []
        if sensor != self._sensor or samples.at_s[0] - self._sample_s > _HOLE_S:
            self._sensor = sensor
            self._begin(samples, placement)
        self._sample_s, self._packet_s = samples.at_s[-1], at_s
        if self._recogniser is None:
            return []
        answers = [recognition.doing for recognition in self._recogniser.push(samples_of(samples))]
        self._doing = answers[-1] if answers else self._doing
        return answers

    def latest(self, now_s: float) -> CurrentActivity | None:
        """The last answer; None while there is none, or no packet has come for 6 s."""
        return self._doing if now_s - self._packet_s <= LIVE_S else None

    def _begin(self, samples: Acceleration, placement: Placement) -> None:
        self._doing = self._recogniser = None
        rate_hz = (len(samples.at_s) - 1) / (samples.at_s[-1] - samples.at_s[0])
        if MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            self._recogniser = self._model.begin(placement=placement, rate_hz=rate_hz, start_s=samples.at_s[0])
        else:
            log.warning(
                "%s: no activity: it samples at %.0f Hz, the model takes %.0f to %.0f Hz",
                *(self._sensor, rate_hz, MIN_RATE_HZ, MAX_RATE_HZ),
            )
