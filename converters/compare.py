"""Every form of a model on every runtime, beside the float model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.environments import Environment
from converters.errors import ConversionError
from converters.flatbuffer import operators
from converters.forms import Forms, make_forms
from converters.measure import Measurement, measure
from converters.recipes import RECIPES, Recipe
from converters.verify import Array, Comparison, TestSet, deviation

Environments = Mapping[str, Environment | str]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Every form of a model on every runtime.

    Attributes:
        made: what was compared.
        refused: recipe and runtime to the reason there is nothing to compare, one sentence each.
        forms: of the model, with the answers of the float model: to the made-up inputs, then to the test set.
        inputs: the made-up ones.
        test_set: what was scored on, None where there was nothing.
        float_scores: of the float model on it.
    """

    made: list[Comparison]
    refused: dict[tuple[str, str], str]
    forms: Forms
    inputs: Array
    test_set: TestSet | None
    float_scores: list[float]


def compare(
    model: Path,
    inputs: Array,
    environments: Environments,
    *,
    state_size: int | None = None,
    test_set: TestSet | None = None,
    recipes: Sequence[Recipe] = RECIPES,
    on_comparison: Callable[[Comparison], None] = lambda _: None,
) -> Comparisons:
    """Convert a Keras model by every recipe and compare each form with it on every runtime.

    Args:
        model: `.keras` file with a batch of one.
        inputs: what every form is compared on and integer recipes are calibrated with, float32 (inputs, *input shape).
        environments: where each runtime is run, or why it cannot be.
        state_size: values of carried state, None for a model without.
        test_set: recordings to score on.
        recipes: to try.
        on_comparison: called with each comparison as it is made.

    Raises:
        ConversionError: the Keras model cannot be read or run.
    """
    sequences = [inputs, *(test_set.sequences if test_set else ())]
    forms = make_forms(model, recipes, calibration=inputs, sequences=sequences)
    made: list[Comparison] = []
    refused: dict[tuple[str, str], str] = {}
    for recipe in recipes:
        for runtime, environment in environments.items():
            if reason := forms.refused.get(recipe.name):
                refused[recipe.name, runtime] = reason
            elif isinstance(environment, str):
                refused[recipe.name, runtime] = environment
            else:
                try:
                    measured = measure(forms.models[recipe.name], environment, sequences, state_size=state_size)
                except ConversionError as error:
                    refused[recipe.name, runtime] = str(error)
                else:
                    made.append(_compared(forms, recipe.name, environment, measured, test_set))
                    on_comparison(made[-1])
    return Comparisons(made, refused, forms, inputs, test_set, test_set.score(forms.answers[1:]) if test_set else [])


def _compared(
    forms: Forms,
    recipe: str,
    environment: Environment,
    measured: Measurement,
    test_set: TestSet | None,
) -> Comparison:
    model, answers = forms.models[recipe], measured.answers
    counted: dict[str, int] = {}
    for (name, _), count in sorted(operators(model).items()):
        counted[name] = counted.get(name, 0) + count
    return Comparison(
        recipe=recipe,
        runtime=environment.runtime,
        versions=environment.versions,
        model_bytes=len(model),
        operators=counted,
        golden=deviation(answers[:1], forms.answers[:1]),
        test=deviation(answers[1:], forms.answers[1:]) if test_set else None,
        scores=tuple(test_set.score(answers[1:])) if test_set else (),
        us=measured.us,
        us_low=measured.us_low,
        us_high=measured.us_high,
        peak_mb=measured.peak_mb,
    )
