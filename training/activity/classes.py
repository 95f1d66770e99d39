"""What is recognised, and which activity of which data set counts as what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edge_agent.recordings import acceleration, dsads, wisdm

CLASSES: Final = ("still", "walk", "run", "stairs", "stepper_or_elliptical", "cycle", "row", "jump", "ball_sport")

# Daily and Sports Activities. Its 7 and 8, standing and moving about in a lift, are left out: a ride in a lift is no
# activity of the body, and its few steps are no walk.
_DSADS: Final = {
    "a01": "still",  # sitting
    "a02": "still",  # standing
    "a03": "still",  # lying on the back
    "a04": "still",  # lying on the right side
    "a05": "stairs",  # ascending
    "a06": "stairs",  # descending
    "a09": "walk",  # in a car park
    "a10": "walk",  # on a treadmill, 4 km/h, flat
    "a11": "walk",  # on a treadmill, 4 km/h, 15 degrees
    "a12": "run",  # on a treadmill, 8 km/h
    "a13": "stepper_or_elliptical",  # stepper
    "a14": "stepper_or_elliptical",  # cross trainer
    "a15": "cycle",  # exercise bike, horizontal
    "a16": "cycle",  # exercise bike, upright
    "a17": "row",
    "a18": "jump",
    "a19": "ball_sport",  # basketball
}

# WISDM. Its ten others (typing, eating, folding clothes, ...) are what hands do while nothing of the nine is done.
_WISDM: Final = {
    "A": "walk",
    "B": "run",  # jogging
    "C": "stairs",
    "D": "still",  # sitting
    "E": "still",  # standing
    "M": "ball_sport",  # kicking a football
    "O": "ball_sport",  # catching a tennis ball
    "P": "ball_sport",  # dribbling a basketball
}

_MAPPING: Final[Mapping[str, Mapping[str, str]]] = {
    dsads.SOURCE: _DSADS,
    wisdm.SOURCE: _WISDM,
    acceleration.SOURCE: {name: name for name in CLASSES},
}


def class_of(source: str, activity: str) -> int | None:
    """Index in `CLASSES` of a data set's activity; None where it counts as none of them."""
    name = _MAPPING[source].get(activity)
    return None if name is None else CLASSES.index(name)
