"""A virtual strap, radio and broker, so that the agent can be tried without any."""
