from __future__ import annotations

import dataclasses

import pytest

from training.personal.verdict import PERSISTENCE, SHIPPED, TUNED, Outcome, markdown, sentence


def outcome(*, shipped: float, tuned: float, better: int) -> Outcome:
    """Errors as multiples of persistence's."""
    persistence = [1.5, 4.0, 6.0]
    return Outcome(
        trained=14,
        validated=3,
        scored=4,
        better=better,
        origins=[900, 800, 700],
        mae_bpm={
            PERSISTENCE: persistence,
            SHIPPED: [shipped * mae for mae in persistence],
            TUNED: [tuned * mae for mae in persistence],
        },
    )


@pytest.mark.parametrize(
    ("shipped", "tuned", "better", "said"),
    [
        (0.9, 0.81, 4, "It helped: on the last 4 sessions its error is 10.0% lower than the shipped model's"),
        (0.9, 0.99, 0, "It did not help: on the last 4 sessions its error is 10.0% higher"),
        (0.9, 0.897, 4, "within chance. Keep the shipped model."),
        (0.9, 0.81, 2, "a few sessions alone make the difference. Keep the shipped model."),
        (1.3, 1.04, 4, "the last value is still the better forecast. Keep the shipped model."),
    ],
)
def test_the_verdict_says_what_was_measured(shipped: float, tuned: float, better: int, said: str) -> None:
    verdict = sentence(outcome(shipped=shipped, tuned=tuned, better=better))
    assert said in verdict
    assert verdict.startswith("It helped: ") != verdict.endswith("Keep the shipped model.")
    assert f"lower in {better} of 4" in verdict


def test_all_three_stand_in_one_table() -> None:
    text = markdown(outcome(shipped=0.9, tuned=0.8, better=4))
    assert "| persistence | 1.50 | 4.00 | 6.00 |\n| shipped model | 1.35 |" in text
    assert "| fine-tuned model | 1.20 | 3.20 | 4.80 |" in text
    assert "900/800/700 origins at 10 s/30 s/60 s" in text


def test_what_the_shipped_model_has_seen_is_said() -> None:
    unknown = outcome(shipped=0.9, tuned=0.8, better=4)
    assert "was trained on" not in markdown(unknown)
    known = dataclasses.replace(unknown, known_before=["pypermod"])
    assert "The shipped model was trained on pypermod: " in markdown(known)
