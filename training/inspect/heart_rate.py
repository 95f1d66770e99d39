"""From recorded files to what the workout and the recovery model are trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.grid import PLAUSIBLE
from edge_agent.recordings.recording import Recording
from training import splits
from training.dataset import HISTORY_S, HORIZONS_S, PUBLISHED_TEST, Dataset, Session, load
from training.errors import TrainingError
from training.inspect import heart_rate_plots as plots
from training.inspect.account import Account, Listing, Oddity, Picture, Step, named
from training.inspect.odd import oddities_of, repeated
from training.recovery.dataset import ORIGIN_S, all_recoveries
from training.splits import by_person, by_session
from training.tables import percent

KIND = "heart rate"


def inspect(folder: Path) -> Account:
    """Take the steps of training on a folder's recordings, and count.

    Raises:
        TrainingError: no recording could be read.
    """
    dataset = load(folder)
    sessions = dataset.sessions + dataset.published_test
    recordings = [s.recording for s in sessions]
    uses = _uses(dataset)
    unread = [Oddity(named(folder, e.path), f"{e.reason}; {e.remedy}", unread=True) for e in dataset.errors]
    odd = [Oddity(_name(s.recording), what) for s in sessions for what in oddities_of(s)]
    odd += [Oddity(_name(r), what) for r, what in repeated(recordings)]
    seconds = sum(r.duration_s for r in recordings)
    return Account(
        kind=KIND,
        facts=(
            ("recordings", f"{len(recordings):,}"),
            ("people", f"{len({(r.source, r.person) for r in recordings}):,}"),
            ("hours", f"{seconds / 3600:,.1f}"),
            ("seconds with heart rate", f"{sum(_present(r) for r in recordings) / seconds:.1%}"),
            ("not readable", f"{len(unread):,}"),
            ("odd", f"{len({o.where for o in odd}):,}"),
        ),
        steps=_steps(dataset, recordings, sessions),
        oddities=[*unread, *odd],
        pictures=_pictures(sessions, uses),
        listing=_listing(sessions, uses),
    )


def _name(recording: Recording) -> str:
    return f"{recording.person} {recording.session}"


def _present(recording: Recording) -> int:
    return int((~np.isnan(recording.channels["heart_rate_bpm"])).sum())


def _uses(dataset: Dataset) -> list[str]:
    """What each session is used for, those of the published test last."""
    try:
        split = by_session(dataset.sessions)
    except TrainingError:
        uses = ["too few to split"] * len(dataset.sessions)
    else:
        of = {s.key: use for use in ("train", "validation", "scored") for s in getattr(split, use)}
        uses = [{"scored": "held out"}.get(of[s.key], of[s.key]) for s in dataset.sessions]
    return uses + [PUBLISHED_TEST] * len(dataset.published_test)


def _steps(dataset: Dataset, recordings: Sequence[Recording], sessions: Sequence[Session]) -> list[Step]:
    return [
        Step(
            "read",
            "Every file of a known layout becomes a recording; one that is damaged is named, and the others go on.",
            "recordings",
            len(recordings) + len(dataset.errors),
            len(recordings),
            [("could not be read, listed below", len(dataset.errors))],
            "edge_agent.recordings.read",
        ),
        *_cleaning(recordings),
        _filter(sessions),
        _recoveries(recordings),
        _split(dataset),
        *_people(dataset),
        _balance(sessions),
    ]


def _cleaning(recordings: Sequence[Recording]) -> list[Step]:
    channels = [(name, cleaning) for r in recordings for name, cleaning in r.cleaning.items()]
    read = sum(c.read for _, c in channels)
    implausible: Counter[str] = Counter()
    for name, cleaning in channels:
        implausible[name] += cleaning.implausible
    clean = read - implausible.total()
    merged, held = (sum(getattr(c, what) for _, c in channels) for what in ("merged", "held"))
    return [
        Step(
            "clean",
            "A value that no sensor on a person measures counts as missing; it is never replaced by another one.",
            "samples",
            read,
            clean,
            [
                (f"{name} outside of {PLAUSIBLE[name][0]:g} to {PLAUSIBLE[name][1]:g}", count)
                for name, count in implausible.items()
            ],
            "edge_agent.recordings.grid",
        ),
        Step(
            "resample",
            "Samples go to the nearest second of a 1 Hz grid. In files that write only changes, or breath by breath, "
            "a value stands until the next, for some seconds; a longer hole stays a gap.",
            "values",
            clean,
            clean - merged + held,
            [("gave way to a later one in the same second", merged), ("seconds in which the last one stands", held)],
            "edge_agent.recordings.grid",
        ),
    ]


def _filter(sessions: Sequence[Session]) -> Step:
    """Why seconds are no origins, each second by the first reason that holds."""
    reasons: Counter[str] = Counter()
    scored = 0
    for session in sessions:
        seconds = len(session.scored)
        here = session.scored.all(axis=1)
        missing = np.isnan(session.anchor_bpm)
        no_past = np.isnan(_past(session)).any(axis=1)
        reason = np.select(
            [here, missing, np.arange(seconds) < HISTORY_S, no_past],
            [
                "",
                "without heart rate",
                f"in the first {HISTORY_S} s of a recording",
                f"a gap in the {HISTORY_S} s before",
            ],
            f"a gap, or the end, in the {max(HORIZONS_S)} s after",
        )
        reasons.update(reason[reason != ""].tolist())
        scored += int(here.sum())
    return Step(
        "filter",
        f"A second is an origin where {HISTORY_S} s of heart rate lie behind it and all its outcomes are known.",
        "seconds",
        scored + reasons.total(),
        scored,
        sorted(reasons.items(), key=lambda item: -item[1]),
        "training.dataset",
    )


def _past(session: Session) -> NDArray[np.float32]:
    """Heart rate of the `HISTORY_S` seconds before each second and of itself, NaN before the start."""
    padded = np.concatenate([np.full(HISTORY_S, np.nan, np.float32), session.anchor_bpm])
    return np.lib.stride_tricks.sliding_window_view(padded, HISTORY_S + 1)


def _recoveries(recordings: Sequence[Recording]) -> Step:
    found = all_recoveries(recordings)
    early = sum(not r.known[ORIGIN_S - 1] for r in found)
    whole = [r for r in found if r.known[ORIGIN_S - 1] and not np.isnan(r.outcome_bpm).any()]
    people = Counter(r.recording.person for r in whole)
    return Step(
        "recoveries",
        "The minutes after a stop that the device's own detector finds; those count whose heart rate is known half a "
        "minute, one and two minutes after it.",
        "recoveries",
        len(found),
        len(whole),
        [
            (f"not announced within {ORIGIN_S} s of the stop", early),
            ("recording or rest ends before two minutes", len(found) - early - len(whole)),
            *((f"of {person}", count) for person, count in sorted(people.items())),
        ],
        "training.recovery.dataset",
    )


def _split(dataset: Dataset) -> Step:
    sessions = len(dataset.sessions) + len(dataset.published_test)
    uses = Counter(_uses(dataset))
    return Step(
        "split",
        "Whole recordings, never windows of one: every tenth is held out and another tenth validates. A folder "
        f"{PUBLISHED_TEST} is read only to report.",
        "recordings",
        sessions,
        sessions - uses[PUBLISHED_TEST],
        list(uses.items()),
        "training.splits",
    )


def _people(dataset: Dataset) -> list[Step]:
    folds = list(by_person(dataset.sessions)) if len(dataset.sessions) >= splits.MIN_SESSIONS else []
    if not folds:
        return []
    people = {s.recording.person for s in dataset.sessions}
    out = {s.recording.person for fold in folds for s in fold.scored}
    return [
        Step(
            "leave out",
            "People are left out of training in turn, to see what the model is worth on somebody new.",
            "people",
            len(people),
            len(out),
            [
                (
                    f"recordings of {', '.join(sorted({s.recording.person for s in fold.scored}))} left out",
                    len(fold.scored),
                )
                for fold in folds
            ],
            "training.splits",
        )
    ]


def _balance(sessions: Sequence[Session]) -> Step:
    origins: Counter[str] = Counter()
    for session in sessions:
        origins[f"{session.recording.person}, {session.recording.sport}"] += int(session.scored.all(axis=1).sum())
    return Step(
        "balance",
        "Nothing is weighed or drawn to balance people: who recorded more counts for more in training. Scores are by "
        "data set, and intervals are drawn over people.",
        "origins",
        origins.total(),
        origins.total(),
        origins.most_common(),
        "training.workout.fit",
    )


def _pictures(sessions: Sequence[Session], uses: Sequence[str]) -> list[Picture]:
    recordings = [s.recording for s in sessions]
    return [
        Picture(
            "heart-rate-balance",
            "Who is in it, and what for",
            "Hours of each person by use; and by what heart rate is doing, which is what a forecaster learns from.",
            partial(plots.balance, sessions, uses),
        ),
        Picture(
            "heart-rate-distributions",
            "Distributions",
            "Every second of every recording, by source. A peak at 0 or at a bound is a sensor and not a person.",
            partial(plots.distributions, recordings),
        ),
        Picture(
            "heart-rate-gaps",
            "Gaps",
            "Runs of seconds without heart rate; and what share of each recording has one, recordings side by side.",
            partial(plots.gaps, recordings),
        ),
        Picture(
            "heart-rate-traces",
            "Example traces",
            "First and last recording of up to six people, nobody chose the prettiest; where the line breaks, heart "
            "rate is missing.",
            partial(plots.traces, recordings),
        ),
    ]


def _listing(sessions: Sequence[Session], uses: Sequence[str]) -> Listing:
    rows = []
    for session, use in zip(sessions, uses, strict=True):
        r = session.recording
        others = ", ".join(name.rsplit("_", 1)[0].replace("_", " ") for name in r.channels if name != "heart_rate_bpm")
        rows.append(
            [
                r.source,
                r.person,
                r.session,
                r.sport,
                f"{r.duration_s / 60:.0f}",
                percent(_present(r) / r.duration_s),
                others or "-",
                f"{int(session.scored.all(axis=1).sum()):,}",
                use,
            ]
        )
    head = ["source", "person", "recording", "sport", "min", "with heart rate", "also", "origins", "use"]
    return Listing(head, rows)
