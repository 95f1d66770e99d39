"""Brings the outbox to the broker."""
