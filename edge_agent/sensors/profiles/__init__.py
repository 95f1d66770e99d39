"""Bluetooth GATT profiles, sans-IO: bytes in, frozen value objects out.

One module for each service. `registry` finds them by UUID; `readings` says what they measure in the same words whatever
the sensor; `cursor`, `uuids` and `revolutions` are what they share.
"""
