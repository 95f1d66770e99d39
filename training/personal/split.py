"""One person's sessions in the order of time: the past trains, the present decides, the future is scored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from training.dataset import Session
from training.errors import TrainingError
from training.scores import origins
from training.splits import Split

MIN_SESSIONS = 6  # one to validate, one to score, and some to learn from
_VALIDATES = 0.15
_SCORED = 0.2


def in_time_order(sessions: Sequence[Session]) -> tuple[list[Session], list[Session]]:
    """Sort sessions by the time they started, or by name where no file says when.

    Whoever is named as recorded is taken for one person: exports have folders for years, sports or devices.

    Returns:
        The sessions, and those left out because they overlap one before them: one activity exported twice would be
        trained on and scored.

    Raises:
        TrainingError: some of the sessions have a time and others have none.
    """
    timed = [(start, s) for s in sessions if (start := s.recording.started_at) is not None]
    if not timed:
        return sorted(sessions, key=lambda s: s.recording.session), []
    if len(timed) < len(sessions):
        first = next(s.recording for s in sessions if s.recording.started_at is None)
        msg = (
            f"{len(sessions) - len(timed)} of {len(sessions)} sessions do not say when they started (one is "
            f"{first.session}, layout {first.source}), so the past cannot be told from the future; give those apart "
            "from the others"
        )
        raise TrainingError(msg)
    kept: list[Session] = []
    overlapping: list[Session] = []
    end = datetime.min.replace(tzinfo=UTC)
    for start, session in sorted(timed, key=lambda item: (item[0], -len(item[1].x))):
        if start < end:
            overlapping.append(session)
        else:
            kept.append(session)
            end = start + timedelta(seconds=session.recording.duration_s)
    return kept, overlapping


def by_time(ordered: Sequence[Session]) -> Split:
    """The last fifth is scored, the sessions before it validate, all earlier ones train.

    Raises:
        TrainingError: there are fewer than `MIN_SESSIONS`, or nothing in the last ones can be scored.
    """
    if len(ordered) < MIN_SESSIONS:
        msg = (
            f"{len(ordered)} sessions are too few to learn from the earlier and to check on the later ones; "
            f"give at least {MIN_SESSIONS} recordings with heart rate"
        )
        raise TrainingError(msg)
    scored_from = len(ordered) - max(1, round(_SCORED * len(ordered)))
    validated_from = scored_from - max(1, round(_VALIDATES * len(ordered)))
    split = Split(
        "last sessions", [*ordered[:validated_from]], [*ordered[validated_from:scored_from]], [*ordered[scored_from:]]
    )
    for name, part in (("to validate", split.validation), ("last", split.scored)):
        if not all(origins(part)):
            msg = (
                f"the {len(part)} sessions {name} have no three minutes of heart rate without a gap, so nothing in "
                "them can be scored; give longer recordings"
            )
            raise TrainingError(msg)
    return split
