"""What goes wrong on the way to the broker: in one sentence with the remedy, and whether trying soon again helps."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from paho.mqtt.reasoncodes import ReasonCode


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no connection.

    Attributes:
        text: what is wrong, and the remedy.
        lasting: whether it stays wrong until somebody changes something.
    """

    text: str
    lasting: bool = False


NO_ANSWER = Trouble(
    "it gives no answer; check that `port` is that of an MQTT broker, that both sides agree on "
    "`tls`, and whether it asks for this device's certificate"
)

UNACKNOWLEDGED = Trouble("it takes a message and does not acknowledge it; see the broker's log")

NO_MQTT = Trouble("it sends what is not MQTT; check that `port` is that of an MQTT broker")

# OpenSSL's X509_V_ERR_* numbers (verify(1)), as `SSLCertVerificationError.verify_code` has them.
_NOT_YET_VALID = 9
_CERTIFICATE = {
    _NOT_YET_VALID: "its certificate is not valid yet; check the clock of this device",
    10: "its certificate has expired; renew it",
    18: "its certificate is signed by itself; name it, or its authority, in `ca_file`",
    19: "its certificate's authority is not known here; name the authority in `ca_file`",
    20: "its certificate's authority is not known here; name the authority in `ca_file`",
    21: "its certificate's authority is not known here; name the authority in `ca_file`",
    62: "its certificate is for another name; set `host` to the name in it, or `check_server_name = false`",
    64: "its certificate is for another address; set `host` to the name in it, or `check_server_name = false`",
}

# Names of MQTT 5 reason codes (section 2.4) as paho has them; it translates those of MQTT 3.1.1.
_REFUSALS = {
    "Bad user name or password": "it refuses the username or the password",
    "Not authorized": "it refuses this device; check username, password and the broker's access list",
    "Banned": "it has banned this device; see the broker's log",
    "Client identifier not valid": "it refuses the name of this device; see the broker's log",
}


def of_error(error: OSError) -> Trouble:
    """Why no connection could be made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _CERTIFICATE.get(error.verify_code, f"its certificate is refused here ({error.verify_message})")
        # A device that boots without a clock gets the time within seconds of the network.
        return Trouble(text, lasting=error.verify_code != _NOT_YET_VALID)
    if isinstance(error, ssl.SSLError):
        text = f"no encrypted connection ({error.reason or 'no reason given'}); check `port` and `tls`"
        return Trouble(text, lasting=True)
    if isinstance(error, socket.gaierror):
        return Trouble(f"its name cannot be resolved ({error.strerror}); check `host`, and the network")
    if isinstance(error, TimeoutError):
        return Trouble("it does not answer; check `host`, and the network")
    if isinstance(error, ConnectionResetError):
        return NO_ANSWER
    return Trouble(f"it cannot be reached ({error.strerror or error}); check `host` and `port`")


def of_refusal(reason: ReasonCode) -> Trouble:
    """Why the broker refused the connection."""
    known = _REFUSALS.get(reason.getName())
    return Trouble(known or f"it refuses the connection ({reason}); see the broker's log", lasting=known is not None)


def of_end(reason: ReasonCode) -> Trouble:
    """Why a connection that stood has ended."""
    because = "" if reason.getName() == "Unspecified error" else f" ({reason})"
    return Trouble(f"the connection was lost{because}")
