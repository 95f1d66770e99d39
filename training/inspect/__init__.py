"""What stands in front of the models, laid open: each step with what it did to a folder of recordings."""
