"""Recorded sessions and the readers of their layouts."""
