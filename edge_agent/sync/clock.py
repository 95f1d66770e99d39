"""What is to be known of the time where messages are dated and aged."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time; the agent's clock is one."""

    def now(self) -> datetime:
        """Wall time, with a time zone; may jump."""

    def time_trusted(self) -> bool:
        """Whether it has been set from outside since boot."""
