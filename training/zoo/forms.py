"""What an architecture becomes on a device: every recipe, on every runtime.

The only module of `training` that knows `converters`: a comparison is about both.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from converters.environments import Environment, here, own
from converters.errors import ConversionError
from converters.forms import make_forms
from converters.measure import measure
from converters.recipes import RECIPES
from edge_agent.inference.choice import cache_folder
from training.zoo.architectures import Architecture
from training.zoo.problem import Problem
from training.zoo.protocol import Trainer
from training.zoo.results import Form, Timing

# Windows that show integer recipes the range of every activation, and windows that answers are timed on.
_CALIBRATION = 500
_TIMED = 200


def convert(architecture: Architecture, trainer: Trainer, problem: Problem) -> list[Form]:
    """The forms of an architecture with the weights of its last training, in the order of the recipes."""
    fold = problem.folds[-1]
    x = problem.inputs[architecture.view]
    model = architecture.build(x.shape[1:], problem.measure.head(), batch=1)
    model.set_weights(trainer.model.get_weights())
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        model.save(file)
        made = make_forms(file, RECIPES, calibration=_spread(x, fold.train, _CALIBRATION))
    timed = _spread(x, fold.scored, _TIMED)
    forms = []
    for recipe in RECIPES:
        if (converted := made.models.get(recipe.name)) is None:
            forms.append(Form(recipe.name, None, {}, {"any": made.refused[recipe.name]}))
        else:
            took, refused = _measured(converted, timed)
            forms.append(Form(recipe.name, len(converted), took, refused))
    return forms


def _spread(x: NDArray[np.float32], windows: NDArray[np.int64], most: int) -> NDArray[np.float32]:
    return np.asarray(x[windows[np.linspace(0, len(windows) - 1, min(len(windows), most)).astype(int)]], np.float32)


@cache
def _runtimes() -> dict[str, Environment | str]:
    cache = cache_folder(os.environ)
    return here() if cache is None else own(cache / "runtimes")


def _measured(model: bytes, timed: NDArray[np.float32]) -> tuple[dict[str, Timing], dict[str, str]]:
    """Times, or the reason why there are none, by runtime."""
    took, refused = {}, {}
    for runtime, environment in _runtimes().items():
        if isinstance(environment, str):
            refused[runtime] = environment
            continue
        try:
            measured = measure(model, environment, [timed])
        except ConversionError as error:
            refused[runtime] = str(error)
        else:
            took[runtime] = Timing(measured.us, measured.us_low, measured.us_high)
    return took, refused
