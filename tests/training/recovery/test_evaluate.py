from __future__ import annotations

import numpy as np
import pytest

from training.recovery.baselines import changes_bpm
from training.recovery.dataset import Recovered
from training.recovery.evaluate import error_by_second, people, ratio_interval, score, share_inside


def test_a_forecast_that_is_off_by_one_has_an_error_of_one(recovered: list[Recovered]) -> None:
    right = changes_bpm(recovered)
    scored = score("ours", recovered, [right + 1, right - 3])
    assert scored.mae_bpm == pytest.approx([2.0, 2.0])
    assert scored.sd_bpm == pytest.approx([np.sqrt(2)] * 2)
    assert list(scored.by_person_bpm) == people(recovered) == ["p0", "p1", "p2", "p3"]
    assert all(mae == pytest.approx([2.0, 2.0]) for mae in scored.by_person_bpm.values())
    assert score("one", recovered, [right]).sd_bpm == []


@pytest.mark.parametrize("whole_people", [True, False])
def test_the_interval_of_a_constant_ratio_is_that_ratio(recovered: list[Recovered], whole_people: bool) -> None:  # noqa: FBT001
    right = changes_bpm(recovered)
    intervals = ratio_interval(
        recovered, [right + 1], [right + 2], whole_people=whole_people, random=np.random.default_rng(0)
    )
    np.testing.assert_allclose(intervals, 0.5)


def test_the_share_inside_counts_outcomes_between_the_outer_quantiles(recovered: list[Recovered]) -> None:
    quantiles = np.zeros((len(recovered), 120, 2, 3), np.float32)
    right = changes_bpm(recovered)
    quantiles[:, 29, :, 0], quantiles[:, 29, :, 2] = right - 1, right + 1
    quantiles[: len(recovered) // 2, 29, 1] += 5
    inside = share_inside(recovered, [quantiles])
    assert inside == pytest.approx([1.0, 1 - (len(recovered) // 2) / len(recovered)])


def test_the_error_by_second_ends_with_its_horizon(recovered: list[Recovered]) -> None:
    error_bpm = error_by_second(recovered, [np.zeros((len(recovered), 120, 2, 3), np.float32)])
    assert np.isnan(error_bpm[59:, 0]).all()
    assert np.isnan(error_bpm[:5]).all()
    expected = np.nanmean([np.abs(r.change_bpm[40]) for r in recovered], axis=0)
    np.testing.assert_allclose(error_bpm[40], expected, rtol=1e-5)
