"""Runs verified model bundles, one second at a time."""
