"""Two thousand simulated devices against real brokers and databases."""
