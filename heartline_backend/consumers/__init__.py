"""How messages come in: one small interface, and a way to keep it for each kind of broker."""
