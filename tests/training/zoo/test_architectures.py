from __future__ import annotations

import numpy as np
import pytest

from training.zoo.architectures import ZOO, Architecture, Head
from training.zoo.views import SEQUENCE, SPECTROGRAM, TEN_BY_TEN

SHAPES = {SEQUENCE: (60, 10), TEN_BY_TEN: (10, 10), SPECTROGRAM: (28, 28, 1)}
CHANGES, CLASSES = Head(3, "linear"), Head(9, "softmax")


def test_the_registry_names_what_a_reader_asks_for() -> None:
    assert list(ZOO) == ["lstm", "gru", "rnn", "mlp", "cnn", "cnn-lstm-gru", "tcn", "lstm-100", "conv2d-28"]


@pytest.mark.parametrize("architecture", ZOO.values(), ids=list(ZOO))
def test_an_architecture_answers_every_task(architecture: Architecture) -> None:
    windows = np.random.default_rng(0).normal(size=(4, *SHAPES[architecture.view])).astype(np.float32)
    changes = architecture.build(windows.shape[1:], CHANGES)(windows).numpy()
    assert changes.shape == (4, 3)
    assert np.isfinite(changes).all()
    classes = architecture.build(windows.shape[1:], CLASSES)(windows).numpy()
    assert classes.shape == (4, 9)
    assert (classes >= 0).all()
    assert (classes <= 1).all()


def test_the_textbook_lstm_has_its_exact_size() -> None:
    model = ZOO["lstm-100"].build((10, 10), Head(1, "linear"))
    # 4 gates of (10 inputs + 100 states + bias) x 100, and a dense layer of 100 weights and a bias.
    assert model.count_params() == 4 * (10 + 100 + 1) * 100 + 101
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "LSTM", "Dropout", "Dense"]
    assert model.layers[2].rate == 0.2
    assert model.output_shape == (None, 1)


def test_the_textbook_convolution_has_its_exact_size() -> None:
    model = ZOO["conv2d-28"].build((28, 28, 1), Head(1, "softmax"))
    convolutions = (9 * 1 + 1) * 32 + (9 * 32 + 1) * 64
    assert model.count_params() == convolutions + (5 * 5 * 64 + 1) * 64 + 65
    assert [layer.filters for layer in model.layers if type(layer).__name__ == "Conv2D"] == [32, 64]
    assert model.layers[-1].activation.__name__ == "sigmoid"


def test_a_sigmoid_reaches_changes_of_both_signs() -> None:
    model = ZOO["conv2d-28"].build((28, 28, 1), CHANGES)
    windows = np.random.default_rng(0).normal(0, 100, (64, 28, 28, 1)).astype(np.float32)
    changes = model(windows).numpy()
    assert changes.min() < -1
    assert changes.max() > 1


def test_for_a_device_the_batch_is_fixed() -> None:
    assert ZOO["tcn"].build((60, 10), CHANGES, batch=1).input_shape == (1, 60, 10)


def test_the_tcn_sees_as_far_back_as_it_says() -> None:
    model = ZOO["tcn"].build((100, 10), CHANGES)
    windows = np.zeros((3, 100, 10), np.float32)
    windows[1, : 100 - 63] = 1.0
    windows[2, 100 - 63] = 1.0
    answers = model(windows).numpy()
    np.testing.assert_array_equal(answers[1], answers[0])
    assert not np.array_equal(answers[2], answers[0])
