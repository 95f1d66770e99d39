"""paho's client, mended for a broker that is not to be trusted.

paho 2 takes U+FEFF for damage and ends the connection, though it is a character like any other there (MQTT 5, section
1.5.4) and brokers pass it on. A message that has one would come again at each connection and end that as well: whoever
may publish to a topic could silence all who subscribe to it.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException, properties
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import MalformedPacket  # type: ignore[attr-defined] # from 2.2 on it is imported there

log = logging.getLogger(__name__)


class PahoClient(mqtt.Client):
    """paho's client, which may not die of what a broker sends without a word.

    Attributes:
        on_broken: called when it did; the connection is of no use then.
    """

    on_broken: Callable[[], None]

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:  # noqa: FBT001, FBT002 - as the base class has it
        """What the client's thread does."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except (MQTTException, LookupError, ValueError, TypeError, struct.error) as error:
            log.debug("broker: it sent what cannot be read: %r", error)
            self.on_broken()
            return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def hear_no_more(self) -> None:
        """Let go of the callbacks, which hold this client: its sockets are closed now, not when Python tidies up."""
        self.on_connect = self.on_publish = self.on_subscribe = self.on_message = self.on_disconnect = None
        del self.on_broken


def mend_paho() -> None:
    """Have paho, in this process, take any text in a message's properties whose length is right."""
    properties.readUTF = _read_text


def _read_text(buffer: bytes, longest: int) -> tuple[str, int]:
    """A text with its length in two bytes before it, and how many bytes it took."""
    length = int.from_bytes(buffer[:2])
    if longest < 2 or length > longest - 2:  # noqa: PLR2004 - the length's own bytes
        msg = "a text is longer than what is left of the packet"
        raise MalformedPacket(msg)
    return bytes(buffer[2 : 2 + length]).decode("utf-8", "replace"), length + 2
