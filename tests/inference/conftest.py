"""The bundle that ships with the agent."""

from __future__ import annotations

import pytest

from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.runtime import Cell


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return read_bundle(SHIPPED_BUNDLE)


@pytest.fixture(scope="session")
def cell(bundle: Bundle) -> Cell:
    return open_cell(bundle)
