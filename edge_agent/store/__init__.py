"""The durable record and the queue of what has yet to be sent."""
