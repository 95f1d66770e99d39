"""A coverage-guided fuzz run over the profiles: `make fuzz-profiles`, or `python -m tests.fuzz --help`."""
