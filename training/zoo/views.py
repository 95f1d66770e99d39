"""The forms in which a window is shown to an architecture; all of them are made of the same samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEQUENCE = "sequence"
TEN_BY_TEN = "10 steps x 10 features"
SPECTROGRAM = "28 x 28 spectrogram"

STEPS = FEATURES = 10
_SIDE = 28
_POINTS = 2 * (_SIDE - 1)  # of a Fourier transform with as many bins from 0 to half the rate as the picture is high


def ten_steps(sequence: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut windows into `STEPS` stretches of nearly equal length.

    Args:
        sequence: (windows, steps, channels).

    Returns:
        The stretches in order, each (windows, some steps, channels).
    """
    return np.array_split(sequence, STEPS, axis=1)


def spectrogram(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Magnitude of the short-time Fourier transform, as a square picture.

    The mean of a window is taken out before. A frame is half the window, at most `_POINTS` samples, with a Hann window,
    padded with zeros; frames are spread evenly over the window.

    Args:
        signal: (windows, samples).

    Returns:
        log(1 + magnitude), (windows, 28 frames, 28 bins, 1).
    """
    samples = signal.shape[1]
    length = min(samples // 2, _POINTS)
    starts = np.linspace(0, samples - length, _SIDE).round().astype(int)
    centred = signal - signal.mean(axis=1, keepdims=True)
    frames = centred[:, starts[:, None] + np.arange(length)] * np.hanning(length).astype(np.float32)
    magnitude = np.abs(np.fft.rfft(frames, _POINTS, axis=-1))
    return np.asarray(np.log1p(magnitude)[..., None], np.float32)
