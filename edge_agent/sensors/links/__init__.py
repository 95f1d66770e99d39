"""Links to sensors; the only room that knows bleak."""
