"""The written rule by which a bundle takes its forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from converters.verify import Comparison
from edge_agent.inference.bundle import Interface, StreamingCell

# A round's median moves by a tenth on a busy machine, so two forms apart by less than this are not told apart.
_AS_FAST = 1.3
_SCORE_LOSS = 0.01  # of its value, for every measure

# Heart rate comes in whole beats, and the median forecast at 10 s is 1 bpm off in the mean: a tenth of that is nothing
# anybody sees, and twice it, for a second, can be.
_MEAN_BPM, _LARGEST_BPM = 0.1, 2.0
_AGREEMENT = 0.99

# What a task's model may weigh. A window is answered every five seconds: there, memory counts before microseconds.
BUDGETS_BYTES = {"activity": 60_000}

FALLBACK = "float32"

RULE = (
    f"A form *holds* on a runtime if no measure of the test set is more than {_SCORE_LOSS:.0%} worse than the float "
    f"model's and its answers stay close to the float model's: for a forecast {_MEAN_BPM} bpm in the mean and "
    f"{_LARGEST_BPM:.0f} bpm at most, for a class the same one in {_AGREEMENT:.0%} of the windows. Where a task has a "
    f"budget of bytes ({', '.join(f'{task} {most / 1000:.0f} kB' for task, most in BUDGETS_BYTES.items())}) and a form "
    "that holds is within it, none that is above it is looked at. On each runtime, "
    f"the forms left that hold and take at most {_AS_FAST} times as long as the fastest of them count as equally fast; "
    f"of these the one with the smallest mean deviation wins. `{FALLBACK}`, where it holds, is kept as the form to "
    "fall back on."
)


@dataclass(frozen=True, slots=True)
class Winner:
    """The form that a runtime is given.

    Attributes:
        comparison: of the form on the runtime.
        why: in one sentence.
    """

    comparison: Comparison
    why: str


def failing(comparison: Comparison, interface: Interface, float_scores: Sequence[float]) -> str | None:
    """Why a form does not hold, in words; None where it does.

    Args:
        comparison: of the form.
        interface: of the model.
        float_scores: of the float model on the test set: errors of forecasts, or shares that a classifier gets right.
    """
    forecasts = isinstance(interface, StreamingCell)
    for score, best in zip(comparison.scores, float_scores, strict=True):
        loss = (score - best) / best if forecasts else (best - score) / best
        if not loss <= _SCORE_LOSS:
            return f"scores {score:.3f} where the float model scores {best:.3f}"
    for found in (comparison.golden, comparison.test):
        if found is None:
            continue
        if forecasts and not found.mean <= _MEAN_BPM:
            return f"{found.mean:.3f} bpm off in the mean, {_MEAN_BPM} allowed"
        if forecasts and not found.largest <= _LARGEST_BPM:
            return f"{found.largest:.2g} bpm off at most, {_LARGEST_BPM:.0f} allowed"
    if not forecasts and not comparison.deviation.agreement >= _AGREEMENT:
        return f"the same class as the float model in {comparison.deviation.agreement:.1%}, {_AGREEMENT:.0%} asked"
    return None


def winners(held: Sequence[Comparison], budget_bytes: float = math.inf) -> list[Winner]:
    """The winner on each runtime.

    Args:
        held: the forms that hold, on each of their runtimes.
        budget_bytes: what the model may weigh.
    """
    chosen = []
    for runtime in dict.fromkeys(c.runtime for c in held):
        holding = [c for c in held if c.runtime == runtime]
        here = [c for c in holding if c.model_bytes <= budget_bytes] or holding
        fastest = min(here, key=lambda c: c.us)
        as_fast = [c for c in here if c.us <= _AS_FAST * fastest.us]
        best = min(as_fast, key=lambda c: (c.deviation.mean, c.model_bytes))
        within = "" if len(here) == len(holding) else f" within {budget_bytes / 1000:.0f} kB"
        if best is fastest:
            why = f"the fastest of {len(here)} that hold{within} ({best.us:.1f} µs)"
            if len(as_fast) > 1:
                why += f", and the most exact of the {len(as_fast)} that are as fast"
        else:
            why = (
                f"as fast ({best.us:.1f} µs) as the fastest{within}, {fastest.recipe} ({fastest.us:.1f} µs), and the "
                f"most exact of the {len(as_fast)} that are"
            )
        chosen.append(Winner(best, f"{why}; it deviates by {best.deviation.mean:.2g} in the mean"))
    return chosen
