"""Bluetooth GATT profiles, sans-IO: bytes in, frozen value objects out."""
