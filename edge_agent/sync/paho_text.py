"""Mends how paho 2 reads the texts in a message's properties.

paho takes U+FEFF for damage and ends the connection, though it is a character like any other there (MQTT 5, section
1.5.4) and brokers pass it on. A message that has one would come again at each connection and end that as well: whoever
may publish to a topic could silence all who subscribe to it.
"""

from __future__ import annotations

from paho.mqtt import properties
from paho.mqtt.properties import MalformedPacket  # type: ignore[attr-defined] # from 2.2 on it is imported there


def mend_paho() -> None:
    """Have paho, in this process, take any text whose length is right."""
    properties.readUTF = _read_text


def _read_text(buffer: bytes, longest: int) -> tuple[str, int]:
    """A text with its length in two bytes before it, and how many bytes it took."""
    length = int.from_bytes(buffer[:2])
    if longest < 2 or length > longest - 2:  # noqa: PLR2004 - the length's own bytes
        msg = "a text is longer than what is left of the packet"
        raise MalformedPacket(msg)
    return bytes(buffer[2 : 2 + length]).decode("utf-8", "replace"), length + 2
