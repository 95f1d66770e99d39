"""What can be said of a sensor: its link and its data are two things, each with a clock of its own."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from edge_agent.config import Role


class LinkState(StrEnum):
    """Where the radio link to a sensor is."""

    SEARCHING = "searching"
    """Listened for; it connects when it is heard."""

    WAITING = "waiting"
    """An attempt failed; the next one is not due yet."""

    CONNECTING = "connecting"
    """Being connected, discovered and subscribed to."""

    CONNECTED = "connected"
    """Subscribed; it may send, whether or not it does."""

    NEEDS_USER = "needs_user"
    """Nothing is tried any more until its user has done what the log says."""


class Cause(StrEnum):
    """Why a link ended or did not come about."""

    LINK_LOST = "link lost"
    """It had been up: out of range, switched off, or somebody else's turn."""

    HUNG_UP = "hung up"
    """It ended within its first seconds, mostly by the sensor's will."""

    NO_ANSWER = "no answer"
    """The sensor advertised and did not answer."""

    BUSY = "adapter busy"
    """The adapter was busy with something else, or out of connections."""

    FAILED = "failed"
    """Connecting, discovery or subscription failed."""

    SILENT = "silent"
    """The link was up and a sensor that sends every second sent nothing."""

    WRONG_SENSOR = "wrong sensor"
    """It does not have what its role needs."""

    NOT_BONDED = "not bonded"
    """It wants an encrypted link, and is claimed without a bond."""

    BOND_LOST = "bond lost"
    """The sensor or this device no longer has the key of their bond."""

    RANDOM_ADDRESS = "random address"
    """It changes its address and is claimed without a bond: it cannot be told from its neighbour's."""


ADVICE = {
    Cause.WRONG_SENSOR: "it does not measure what its role needs; see `edge-agent scan` for what it offers",
    Cause.NOT_BONDED: "it wants a bond; run `edge-agent pair --bond`",
    Cause.BOND_LOST: "the bond was lost on one side; pair again with `edge-agent pair --bond` (on the sensor, delete "
    "the old pairing first if it has a menu for it)",
    Cause.RANDOM_ADDRESS: "it changes its address, so only a bond tells it from another; run `edge-agent pair --bond`, "
    "or switch its heart-rate broadcast mode on",
}
"""What its user has to do; a cause with an advice is not tried again by itself."""


class SignalState(StrEnum):
    """Where the data of a sensor is."""

    LIVE = "live"
    """The last value is younger than 6 s."""

    NO_SIGNAL = "no_signal"
    """It is older: there is no value, neither the last one nor 0."""

    NO_CONTACT = "no_contact"
    """The sensor sends and says that it does not touch skin."""

    STALLED = "stalled"
    """It sends, and the value has been the same for longer than a heart does it."""


class Alert(StrEnum):
    """What is wrong beside the value."""

    RR_MISSING = "rr_missing"
    """A heart-rate sensor that sent beat-to-beat intervals sends none any more."""

    BATTERY_LOW = "battery_low"
    """The battery is nearly empty."""


class AdapterFault(StrEnum):
    """Why Bluetooth cannot be used at all."""

    NO_KERNEL = "no_kernel"
    NO_DBUS = "no_dbus"
    NO_BLUEZ = "no_bluez"
    DENIED = "denied"
    NO_ADAPTER = "no_adapter"
    BLOCKED = "blocked"
    POWERED_OFF = "powered_off"
    STUCK = "stuck"


REMEDIES = {
    AdapterFault.NO_KERNEL: "the kernel has no Bluetooth; run `sudo modprobe bluetooth`, or boot your distribution's "
    "own kernel",
    AdapterFault.NO_DBUS: "D-Bus is not reachable; run `sudo systemctl start dbus` (in a container, mount "
    "/run/dbus/system_bus_socket)",
    AdapterFault.NO_BLUEZ: "bluetoothd does not run; run `sudo systemctl start bluetooth` (`sudo apt install bluez` if "
    "there is none)",
    AdapterFault.DENIED: "this user may not use Bluetooth; run `sudo usermod -aG bluetooth $USER` and log in again",
    AdapterFault.NO_ADAPTER: "there is no Bluetooth adapter; plug one in, or, on a Pi, remove `dtoverlay=disable-bt` "
    "from config.txt and reboot",
    AdapterFault.BLOCKED: "Bluetooth is blocked; run `sudo rfkill unblock bluetooth`",
    AdapterFault.POWERED_OFF: "the Bluetooth adapter is switched off; run `bluetoothctl power on`",
    AdapterFault.STUCK: "the Bluetooth adapter hears nobody at all, and neither a new scan nor switching it off and on "
    "helped; if any Bluetooth device is near, replug the adapter, or switch this device off and on",
}
"""One sentence each: what is wrong, and what its user does about it."""


class SensorStatus(msgspec.Struct, frozen=True):
    """A claimed sensor, as it is now.

    Attributes:
        label: role and number, e.g. `heart_rate 1`: what the log calls it.
        role: what it is.
        athlete: whose it is, None for the configured one.
        link: where its link is.
        cause: why it is not up; None when it is or never was.
        signal: where its data is.
        alerts: what else is wrong.
        battery_percent: None when not known.
        firmware: revision, None when not known.
        model: None when not known.
        frame_age_s: since its last good frame, None when there was none.
        frames: good frames since the agent's start.
        malformed_packets: dropped ones.
        reconnects: links after the first one.
    """

    label: str
    role: Role
    athlete: str | None
    link: LinkState
    cause: Cause | None
    signal: SignalState
    alerts: tuple[Alert, ...] = ()
    battery_percent: int | None = None
    firmware: str | None = None
    model: str | None = None
    frame_age_s: float | None = None
    frames: int = 0
    malformed_packets: int = 0
    reconnects: int = 0
