"""What the demo raises."""

from __future__ import annotations

from edge_agent.errors import HeartlineError


class DemoError(HeartlineError):
    """Something that the demo shows did not happen; the message names the cause and the remedy."""
