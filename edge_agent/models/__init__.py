"""The bundles that ship with the agent."""
