"""The shipped recovery bundle on people of other kinds."""

from __future__ import annotations

import pytest

from edge_agent.errors import BundleError
from edge_agent.inference.forecast import SHIPPED_BUNDLE as WORKOUT
from edge_agent.inference.recovery import SHIPPED_BUNDLE as RECOVERY
from edge_agent.recordings.recording import Recording
from training.errors import TrainingError
from training.recovery import populations
from training.recovery.populations import evaluate


def test_every_kind_of_people_is_scored_beside_its_best_baseline(
    recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(populations, "_STUDY", 4)
    monkeypatch.setattr(populations, "_STUDIES", 1)
    environment, table = evaluate(RECOVERY, recordings[:20])
    assert environment.startswith("recovery.zip ")
    heading, _, *rows = table.splitlines()
    assert heading.count("|") == 9
    names = [row.split("|")[1].strip() for row in rows]
    assert names[:2] == ["made, as recorded", "made, heart rate alone"]
    assert "simulated: slow, one phase, each 10 s" in names
    for row in rows:
        _, _, scored, ours, _, best, _, ratio, *_ = row.split("|")
        assert int(scored) >= 4
        assert float(ratio) == pytest.approx(float(ours) / float(best.split()[0]), abs=0.02)


def test_one_person_is_no_study(recordings: list[Recording]) -> None:
    alone = [r for r in recordings if r.person == "p0"]
    with pytest.raises(TrainingError, match="give recordings of several"):
        list(evaluate(RECOVERY, alone))


def test_a_bundle_for_another_task_is_refused(recordings: list[Recording]) -> None:
    with pytest.raises(BundleError, match="a bundle for workout; name one for recovery"):
        list(evaluate(WORKOUT, recordings))
