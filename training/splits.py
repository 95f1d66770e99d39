"""Who is trained on, who decides when to stop, and who is only scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.dataset import Session
from training.errors import TrainingError

MIN_SESSIONS = 10
_EVERY = 10  # one session in ten validates, another one in ten is held out
_VALIDATES = 4
_HELD_OUT = 9
_MAX_FOLDS = 5  # people are left out one by one up to this many, in groups beyond: every fold is a training run


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Sessions by the use that is made of them; no session is in two of the lists.

    Attributes:
        name: what the scored sessions are called in a report.
        train: the weights are fitted to these.
        validation: these choose the epoch and the seed.
        scored: these are scored once, at the end.
    """

    name: str
    train: list[Session]
    validation: list[Session]
    scored: list[Session]


def by_session(sessions: Sequence[Session]) -> Split:
    """Hold out every tenth session, and validate on another tenth, over the whole range of dates and people.

    Raises:
        TrainingError: there are fewer than `MIN_SESSIONS`.
    """
    if len(sessions) < MIN_SESSIONS:
        msg = (
            f"{len(sessions)} sessions are too few to train, validate and hold out apart; "
            f"give at least {MIN_SESSIONS} recordings"
        )
        raise TrainingError(msg)
    parts: dict[int, list[Session]] = {_VALIDATES: [], _HELD_OUT: []}
    train: list[Session] = []
    for i, session in enumerate(sessions):
        parts.get(i % _EVERY, train).append(session)
    return Split("held-out sessions", train, parts[_VALIDATES], parts[_HELD_OUT])


def by_person(sessions: Sequence[Session]) -> Iterator[Split]:
    """Leave people out, those of a source in turn.

    The people left out are in no other list of the split. Everybody else, of the other sources too, trains and
    validates as in `by_session`; where too few sessions would be left for that, there is no split.
    """
    for source in sorted({s.recording.source for s in sessions}):
        people = sorted({s.recording.person for s in sessions if s.recording.source == source})
        folds = min(len(people), _MAX_FOLDS)
        for fold in range(folds):
            out = set(people[fold::folds])
            rest = [s for s in sessions if s.recording.person not in out]
            if len(rest) < MIN_SESSIONS:
                continue
            inner = by_session(rest)
            scored = [s for s in sessions if s.recording.person in out]
            yield Split(f"{source}, unseen people", inner.train + inner.scored, inner.validation, scored)
