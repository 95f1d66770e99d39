from __future__ import annotations

import numpy as np

from edge_agent.signals.acceleration import CHANNELS, WINDOW_SAMPLES
from training.activity.golden import golden_windows


def test_golden_windows_move_from_hardly_to_hard_at_both_placements() -> None:
    x = golden_windows(400)
    assert x.shape == (400, WINDOW_SAMPLES, len(CHANNELS))
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    strength = np.sinh(x[:, :, CHANNELS.index("vertical_mps2")]).std(axis=1)
    assert strength.min() < 0.1
    assert strength.max() > 8
    assert x[:, :, CHANNELS.index("on_chest")].mean() == 0.5
    np.testing.assert_array_equal(x[:50], golden_windows(400)[:50])
