"""The feature contract of the activity model: acceleration at any rate to windows that no turn of the sensor changes.

A sensor of any make and rate is brought to 25 Hz and to one bandwidth, so that the model cannot tell makes apart by
what their filters leave. A window is then seen from within the world instead of the sensor: the mean over five seconds
is gravity, which gives the vertical; within the horizontal plane the axis of most movement comes first. What is left
open, the two signs of the horizontal axes, is set by the skewness of the movement. None of it depends on how the sensor
is turned, nor on which of two wrists wears it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_agent.sensors.profiles.readings import Acceleration

CONTRACT = "activity-1"

RATE_HZ = 25
WINDOW_S = 5
WINDOW_SAMPLES = RATE_HZ * WINDOW_S

# Sensors slower than this miss what the model looks at, faster ones are of no more use and only cost time.
MIN_RATE_HZ, MAX_RATE_HZ = 20.0, 200.0

CHANNELS = (
    "vertical_mps2",
    "horizontal_1_mps2",
    "horizontal_2_mps2",
    "horizontal_mps2",
    "magnitude_mps2",
    "on_chest",
    "vertical_log_power",
    "horizontal_log_power",
    "magnitude_log_power",
)
# The last three run along frequency instead of time: entry i is at i / 16 Hz, up to 7.75 Hz.
TIME_CHANNELS = 6

_GRAVITY_MPS2 = 9.81

# Waves of the spectrum's frequencies within a Hann window, (2, samples, frequencies): only 125 of them are asked for,
# closer than a Fourier transform of the window would give them.
_ANGLES = 2 * np.pi / (16 * RATE_HZ) * np.outer(np.arange(WINDOW_SAMPLES), np.arange(WINDOW_SAMPLES))
_WAVES = np.array([np.cos(_ANGLES), np.sin(_ANGLES)], np.float32) * np.float32(WINDOW_SAMPLES**-0.5)
_WAVES *= np.hanning(WINDOW_SAMPLES).astype(np.float32)[:, None]
_SILENCE = 1e-3  # added to power, m²/s⁴: below the noise of any sensor
_EPSILON = 1e-6  # m/s²: free fall has no vertical
_ROUNDING = 1e-6  # of a sample: 125 samples at 25 Hz are 125 outputs, whatever floating point makes of the rate
_BLOCK = 4096  # samples at a time

# -6 dB at 9 Hz, and nothing left from 10 Hz on, the Nyquist frequency of the slowest sensor.
_CUTOFF_HZ = 9.0
_HALF_WIDTH_S = 0.6  # of the Hann-windowed sinc: its transition is 3.1 / 1.2 s = 2.6 Hz wide


def _kernel(offset_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Impulse response of the low-pass at some offsets, not normalised."""
    inside = np.abs(offset_s) < _HALF_WIDTH_S
    return np.where(inside, np.sinc(2 * _CUTOFF_HZ * offset_s) * (1 + np.cos(math.pi * offset_s / _HALF_WIDTH_S)), 0.0)


class Resampler:
    """Brings a constant rate to 25 Hz as the samples come, through a low-pass that suits every rate taken.

    Output `k` stands for the time `k / 25` s after the first sample. It is out once the samples for the next 0.6 s are
    in. At the two ends the filter makes do with the samples that there are; gravity is never scaled.
    """

    def __init__(self, rate_hz: float) -> None:
        """Begin with nothing.

        Args:
            rate_hz: of the samples to come, `MIN_RATE_HZ` to `MAX_RATE_HZ`.
        """
        self._rate_hz = rate_hz
        self._half = math.ceil(_HALF_WIDTH_S * rate_hz)
        self._held = np.empty((0, 3), np.float32)  # samples that an output to come may need
        self._first = 0  # index of the first of them
        self._next = 0  # index of the next output

    def push(self, acceleration_mps2: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in samples, float32 (samples, 3), and give the outputs that they complete, float32 (outputs, 3)."""
        self._held = np.concatenate([self._held, acceleration_mps2])
        return self._filter(self._first + len(self._held) - 1 - self._half)

    def finish(self) -> NDArray[np.float32]:
        """The outputs up to the end of the last sample, float32 (outputs, 3)."""
        return self._filter(self._first + len(self._held) - _ROUNDING)

    def _filter(self, before: float) -> NDArray[np.float32]:
        """Outputs at positions before this one, counted in samples."""
        step = self._rate_hz / RATE_HZ
        outputs = np.arange(self._next, max(math.ceil(before / step), self._next))
        position = outputs * step
        index = np.floor(position).astype(np.int64)[:, None] + np.arange(-self._half, self._half + 2)
        weight = _kernel((index - position[:, None]) / self._rate_hz)
        held = index - self._first
        there = (held >= 0) & (held < len(self._held))
        weight = np.where(there, weight, 0.0)
        weight /= weight.sum(axis=1, keepdims=True)
        filtered: NDArray[np.float64] = np.einsum("ok,okc->oc", weight, self._held[np.where(there, held, 0)])
        self._next += len(outputs)
        done = min(max(int(self._next * step) - self._half - self._first, 0), len(self._held))
        self._held = self._held[done:]
        self._first += done
        return filtered.astype(np.float32)


def resample(acceleration_mps2: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """A whole recording at 25 Hz, as the device hears it.

    Args:
        acceleration_mps2: float32 (samples, 3).
        rate_hz: its rate, `MIN_RATE_HZ` to `MAX_RATE_HZ`.

    Returns:
        float32 (samples, 3), of the same length in time.
    """
    resampler = Resampler(rate_hz)
    blocks = [
        resampler.push(acceleration_mps2[start : start + _BLOCK]) for start in range(0, len(acceleration_mps2), _BLOCK)
    ]
    return np.concatenate([*blocks, resampler.finish()])


def samples_of(packet: Acceleration) -> NDArray[np.float32]:
    """The samples of a sensor's packet, m/s², float32 (samples, 3)."""
    return np.array(packet.xyz_mps2, np.float32)


def view(acceleration_mps2: NDArray[np.float32], placement: NDArray[np.str_]) -> NDArray[np.float32]:
    """Windows as the model sees them, from within the world.

    Args:
        acceleration_mps2: at 25 Hz, in the axes of the sensor, float32 (windows, samples, 3).
        placement: where each sensor is worn, `chest` or `wrist`, (windows,).

    Returns:
        float32 (windows, samples, channels), in the order of `CHANNELS`: m/s² without gravity, compressed by the
        inverse hyperbolic sine, which leaves a breath of 0.1 m/s² visible beside the impact of a jump of 50; where the
        sensor is worn; and spectra, whose powers are compressed by the logarithm.
    """
    gravity = acceleration_mps2.mean(axis=1)
    strength = np.linalg.norm(gravity, axis=1)
    up = gravity / np.maximum(strength, _EPSILON)[:, None]
    along = np.einsum("wtc,wc->wt", acceleration_mps2, up)
    level = acceleration_mps2 - along[:, :, None] * up[:, None]
    _, axes = np.linalg.eigh(np.einsum("wtc,wtd->wcd", level, level))  # by rising movement; the first is the vertical
    first, second = (_signed(np.einsum("wtc,wc->wt", level, axes[:, :, axis])) for axis in (2, 1))
    horizontal = np.sqrt(first**2 + second**2)
    magnitude = np.sqrt(along**2 + horizontal**2)
    vertical = along - strength[:, None]
    moved = np.arcsinh(np.array([vertical, first, second, horizontal, magnitude - _GRAVITY_MPS2], np.float32))
    worn = np.broadcast_to((placement == "chest")[:, None], along.shape)
    powers = [
        _power(vertical),
        _power(first) + _power(second),
        _power(magnitude - magnitude.mean(axis=1, keepdims=True)),
    ]
    spectra = np.log(np.array(powers) + _SILENCE) / 4 + 0.5  # about -1.2 to 3, as the others
    return np.asarray(np.stack([*moved, worn, *spectra], axis=2), np.float32)


def _power(movement: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of movement by frequency, both (windows, samples)."""
    cosine, sine = _WAVES
    return np.asarray((movement @ cosine) ** 2 + (movement @ sine) ** 2)


def _signed(movement: NDArray[np.float32]) -> NDArray[np.float32]:
    """Movement along axes whose directions are turned to where it is jerked, (windows, samples)."""
    skewness = np.einsum("wt,wt,wt->w", movement, movement, movement)
    return np.where(skewness[:, None] < 0, -movement, movement)
