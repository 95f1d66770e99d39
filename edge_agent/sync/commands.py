"""Commands to the device, and its answers: JSON from anyone who may publish to its topic, and so not to be trusted.

Nothing here knows a broker or a clock: bytes in, a command or a typed refusal out.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from edge_agent.config import AthleteName, CommandName
from edge_agent.errors import HeartlineError
from edge_agent.store.identifiers import unix_ms_of

SCHEMA = 1

# A command is some 150 bytes; anything much longer is none.
MAX_COMMAND_BYTES = 4096

# Of what a decoder says of bytes that it cannot read; it quotes names in them.
_MAX_REASON_CHARACTERS = 200

CommandId = Annotated[
    uuid.UUID,
    msgspec.Meta(description="UUID of version 7; one that comes again is the same command, and is not obeyed twice"),
]
OneAthlete = Annotated[AthleteName, msgspec.Meta(description="as the device calls them on the wire")]
AnAthlete = Annotated[
    AthleteName | None,
    msgspec.Meta(description="as the device calls them on the wire; null for the one of its section [athlete]"),
]
TargetBpm = Annotated[
    Annotated[float, msgspec.Meta(ge=25, le=250)] | None,
    msgspec.Meta(description="in bpm; null for the one that holds without any"),
]


class Refusal(StrEnum):
    """Why a command is not obeyed."""

    TOO_LARGE = "too_large"
    """It has more than 4096 bytes."""
    MALFORMED = "malformed"
    """It is no command as the schema has it."""
    RETAINED = "retained"
    """The broker had kept it: it was meant for another moment."""
    NOT_SWITCHED_ON = "not_switched_on"
    """The device's configuration does not have it among its `commands`."""
    OUT_OF_DATE = "out_of_date"
    """Its id was made too long ago, or in the future: it may be a replay."""
    UNKNOWN_ATHLETE = "unknown_athlete"
    """The device knows nobody who is called so."""
    NO_SESSION = "no_session"
    """It needs a session, and there is none."""
    ALREADY_RECORDING = "already_recording"
    """There is a session."""
    NOT_NOW = "not_now"
    """The device's disk cannot be written, so that nothing could be kept of it."""


class RefusedCommandError(HeartlineError):
    """A command that is not obeyed.

    Attributes:
        refusal: why.
        reason: the same in a sentence, with the remedy.
    """

    def __init__(self, refusal: Refusal, reason: str) -> None:
        self.refusal = refusal
        self.reason = reason
        super().__init__(reason)


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command"):
    """What every command has; `schema` is the version of this layout."""

    schema: Literal[1]
    command_id: CommandId

    def __post_init__(self) -> None:
        if unix_ms_of(self.command_id) is None:
            msg = "`command_id` has to be a UUID of version 7"
            raise ValueError(msg)

    @property
    def name(self) -> CommandName:
        """Which command it is."""
        return CommandName(str(self.__struct_config__.tag))


class Start(_Command, frozen=True, tag=CommandName.START.value):
    """Record again after a stop: a session begins with the next heart rate."""

    athlete: AnAthlete = None


class Stop(_Command, frozen=True, tag=CommandName.STOP.value):
    """End the session; none begins before a start, or before there was no heart rate for five minutes."""

    athlete: AnAthlete = None


class Lap(_Command, frozen=True, tag=CommandName.LAP.value):
    """Mark the second that is recorded now."""

    athlete: AnAthlete = None


class SetTarget(_Command, frozen=True, tag=CommandName.SET_TARGET.value):
    """Set the heart rate to come down to after an effort; it holds until it is set anew."""

    heart_rate_bpm: TargetBpm
    athlete: AnAthlete = None


class SyncNow(_Command, frozen=True, tag=CommandName.SYNC_NOW.value):
    """Send at once what waits, also what the broker has refused within the hour."""


class Forget(_Command, frozen=True, tag=CommandName.FORGET.value):
    """Delete all of an athlete: sessions, what was learned, what waits for the broker; a tombstone is queued."""

    athlete: OneAthlete


Command = Start | Stop | Lap | SetTarget | SyncNow | Forget

_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class Answer(msgspec.Struct, frozen=True):
    """What became of a command.

    Attributes:
        schema: version of this layout.
        command_id: of the command; null where it has none that can be read.
        done: whether it was obeyed.
        refusal: why it was not.
        reason: the same in a sentence, with the remedy.
        session_id: UUID of the session that it concerned, where there was one.
    """

    schema: int
    command_id: uuid.UUID | None
    done: bool
    refusal: Refusal | None = None
    reason: str | None = None
    session_id: uuid.UUID | None = None


def parse_command(payload: bytes) -> Command:
    """Read a command.

    Raises:
        RefusedCommandError: it is none.
    """
    if len(payload) > MAX_COMMAND_BYTES:
        msg = f"a command has {MAX_COMMAND_BYTES} bytes at most, this has {len(payload)}"
        raise RefusedCommandError(Refusal.TOO_LARGE, msg)
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = f"{str(error)[:_MAX_REASON_CHARACTERS]}; see `edge-agent schema command`"
        raise RefusedCommandError(Refusal.MALFORMED, reason) from error


def refused(command_id: uuid.UUID | None, error: RefusedCommandError) -> Answer:
    """The answer to a command that is not obeyed."""
    return Answer(SCHEMA, command_id, done=False, refusal=error.refusal, reason=error.reason)
