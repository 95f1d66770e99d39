"""Heartline's shipped forms beside other ways to run the same models, in the same run on the same machine."""
