"""Who is trained on and who is scored: people are left out, never windows."""

from __future__ import annotations

from collections.abc import Sequence

from training.activity.dataset import Session
from training.errors import TrainingError

# Up to so many people of a data set are left out one by one, more in five groups: every fold is a training run.
_ONE_BY_ONE = 10
_GROUPS = 5


def folds(sessions: Sequence[Session]) -> list[frozenset[str]]:
    """Groups of people that are left out together; everybody is in one of them.

    One model learns from all data sets, so a fold leaves out people of each: one fold in turn of every data set, until
    none has people left. Nobody's windows train the model that scores them.

    Raises:
        TrainingError: there are fewer than two people.
    """
    by_source: dict[str, set[str]] = {}
    for session in sessions:
        by_source.setdefault(session.source, set()).add(session.group)
    parts = [_parts(sorted(people)) for people in by_source.values()]
    found = [
        frozenset().union(*(source[i] for source in parts if i < len(source))) for i in range(max(map(len, parts)))
    ]
    if len(found) < 2:  # noqa: PLR2004 - one to train on, one to score
        msg = "one person alone cannot be trained on and scored; give recordings of several people"
        raise TrainingError(msg)
    return found


def _parts(people: list[str]) -> list[set[str]]:
    count = len(people) if len(people) <= _ONE_BY_ONE else _GROUPS
    return [set(people[i::count]) for i in range(count)]
