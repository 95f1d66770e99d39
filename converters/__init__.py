"""Turns trained models into verified TFLite bundles; needs the `train` extra."""
