"""Builds Heartline's models from recordings; needs the `train` extra."""
