from __future__ import annotations

from typing import Any

import pytest
from keras import Input, Model, layers

from edge_agent.signals.features import FEATURE_NAMES
from training.errors import TrainingError
from training.workout.model import build_cell
from training.zoo.architectures import ZOO, Head
from training.zoo.macs import macs


def model(shape: tuple[int, ...], *chain: Any) -> Model:  # noqa: ANN401
    x = y = Input(shape)
    for layer in chain:
        y = layer(y)
    return Model(x, y)


@pytest.mark.parametrize(
    ("counted", "by_hand"),
    [
        (model((10,), layers.Dense(5)), 10 * 5),
        (model((7, 10), layers.Dense(5)), 7 * 10 * 5),
        (model((20, 3), layers.Conv1D(8, 5, padding="valid")), 16 * 5 * 3 * 8),
        (model((20, 3), layers.Conv1D(8, 5, padding="same", strides=2)), 10 * 5 * 3 * 8),
        (model((20, 3), layers.Conv1D(8, 3, padding="causal", dilation_rate=4)), 20 * 3 * 3 * 8),
        (model((20, 3), layers.DepthwiseConv1D(5, padding="same")), 20 * 5 * 3),
        (model((20, 3), layers.SeparableConv1D(8, 5, padding="same")), 20 * (5 * 3 + 3 * 8)),
        (model((28, 28, 1), layers.Conv2D(32, 3)), 26 * 26 * 9 * 32),
        (model((10, 6), layers.LSTM(4)), 10 * 4 * (6 + 4) * 4),
        (model((10, 6), layers.GRU(4)), 10 * 3 * (6 + 4) * 4),
        (model((10, 6), layers.SimpleRNN(4)), 10 * (6 + 4) * 4),
        (model((10, 6), layers.LSTM(4, return_sequences=True), layers.Dense(2)), 10 * 160 + 10 * 4 * 2),
        (model((20, 3), layers.MaxPooling1D(2), layers.Flatten(), layers.Dropout(0.1)), 0),
        (model((20, 3), layers.Conv1D(8, 1), layers.BatchNormalization()), 20 * 3 * 8),
    ],
)
def test_every_kind_of_layer_is_counted_as_by_hand(counted: Model, by_hand: int) -> None:
    assert macs(counted) == by_hand


def test_a_cell_is_counted_once() -> None:
    hidden = 8
    features = len(FEATURE_NAMES)
    head = (hidden + features) * 9
    assert macs(build_cell(features, hidden)) == 4 * (features + hidden) * hidden + head


def test_a_model_inside_a_model_counts_too() -> None:
    assert macs(model((10,), model((10,), layers.Dense(5)), layers.Dense(2))) == 10 * 5 + 5 * 2


def test_the_textbook_networks_are_counted_as_by_hand() -> None:
    assert macs(ZOO["lstm-100"].build((10, 10), Head(1, "linear"))) == 10 * 4 * 110 * 100 + 100
    by_hand = 26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 1600 * 64 + 64
    assert macs(ZOO["conv2d-28"].build((28, 28, 1), Head(1, "linear"))) == by_hand


def test_a_layer_without_a_rule_is_an_error_that_names_it() -> None:
    with pytest.raises(TrainingError, match="Bidirectional"):
        macs(model((4, 4), layers.Bidirectional(layers.LSTM(2))))
