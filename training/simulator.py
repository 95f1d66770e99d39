"""A population of made-up athletes whose heart rate answers to load, to train on before there is a real one.

Heart rate in excess of rest is the sum of three parts, each first order in its own drive, with time constants of its
own on the way up and on the way down:

    fast    the vagal part: seconds to a minute, slower down than up
    slow    the sympathetic and metabolic part: minutes
    drift   heat and dehydration: rises with the work done, hardly falls within a session

The fall starts late (circulation, spinning down), the sensor averages over some beats, and each second carries
beat-to-beat noise. What a person is like follows from age and fitness; the rest of the spread is drawn. A person who
stops pedalling is at another steady state than one who goes on at 25 W: the load of the recovery is part of the
protocol.

Ranges and sources, all of them wider than any single study because the population is to hold patients and athletes:

| quantity | drawn from | source |
|---|---|---|
| maximal heart rate | 208 - 0.7 age, SD 10 bpm | Tanaka 2001, JACC 37:153; SD: Robergs 2002, JEPonline 5(2):1 |
| lowered by beta blockade | one in five, to 70-90 % of it | Kim 2022, Ann Rehabil Med 46:133: 62 for 85 % is maximal |
| resting heart rate, seated | 72 bpm - 7 per SD of fitness, SD 7 | 45-95 bpm covers athletes and patients |
| peak power | 190 W at 45 years, +35 % per SD of fitness, -1 % a year | 50-450 W on a cycle ergometer |
| fast time constant, on | 15-45 s | Yoshida & Whipp 1994, J Physiol 480:355: cardiac output 29 s |
| fast time constant, off | median 46 s, 20 % shorter per SD of fitness | ibid.: 44 s; Wang 2006 (EMBS): 55 s at 75 W |
| off slower after harder work | by up to 70 % at maximum | Pierpont 2000, J Auton Nerv Syst 80:1: maximal, submaximal |
| share of the slow part | 5-65 % | vagal and sympathetic parts: PMC6932299; bounds are ours |
| slow time constant, on / off | 60-200 s / 150-900 s | Pierpont 2000: no single exponential in the first minutes |
| delay of the fall | 0-25 s | Pierpont 2000: a shift of 5 s changes the constant by 13 % |
| drift | 0-8 % of the reserve per hour at maximum | Wingo 2012, Exerc Sport Sci Rev 40:88; bound is ours |
| sensor lag | 1-10 s moving mean | straps report a mean over several beats, print-outs over ten seconds |
| beat-to-beat noise | SD 0.4-2 bpm, correlated over 2-6 s | respiratory sinus arrhythmia, weak in exercise |
| sampling | each second, each 2-4 s held, each 10 s, each 5-10 s on lines | straps; carts; print-outs; exports |

The ranges of the slow part, of the fast constant and of the delay were widened with the public
recordings in view, whose people recover in two clearer phases than the means of the literature say.

The fall in the first minute that results spans what is called abnormal (at most 12 bpm: Cole 1999, NEJM 341:1351),
what people of 67 years show (26 +- 8 bpm with hypertension, 36 +- 12 without: PMC4254836) and what athletes do (above
40 bpm); a test holds it there. Where the table names no source, the range is what makes it so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.recording import Recording

SOURCE: Final = "simulated"

_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Athlete:
    """One made-up person.

    Attributes:
        rest_bpm: heart rate seated on the ergometer.
        max_bpm: highest heart rate.
        peak_w: power at which heart rate arrives at its maximum.
        fast_on_s: time constant of the fast part while load is above what heart rate answers to.
        fast_off_s: the same while it is below, after moderate work.
        hard_off: how much longer it is after maximal work, as a fraction.
        slow_share: share of the slow part in the steady state.
        slow_on_s: its time constant on the way up.
        slow_off_s: its time constant on the way down.
        off_delay_s: seconds until heart rate answers to less load.
        drift_per_s: share of the reserve gained per second at maximal load.
        lag_s: seconds over which the sensor averages.
        noise_bpm: standard deviation of the beat-to-beat noise.
        noise_memory_s: seconds over which it is correlated.
    """

    rest_bpm: float
    max_bpm: float
    peak_w: float
    fast_on_s: float
    fast_off_s: float
    hard_off: float
    slow_share: float
    slow_on_s: float
    slow_off_s: float
    off_delay_s: int
    drift_per_s: float
    lag_s: int
    noise_bpm: float
    noise_memory_s: float


def draw_athlete(random: np.random.Generator) -> Athlete:
    """Draw a person from the population of the module's table."""
    age = random.uniform(18, 80)
    fitness = random.normal()
    max_bpm = 208 - 0.7 * age + random.normal(0, 10)
    if random.random() < 0.2:  # noqa: PLR2004 - beta blockade, see the table
        max_bpm *= random.uniform(0.7, 0.9)
    rest_bpm = float(np.clip(72 - 7 * fitness + random.normal(0, 7), 42, 100))
    return Athlete(
        rest_bpm=rest_bpm,
        max_bpm=max(max_bpm, rest_bpm + 30),
        peak_w=float(np.clip(190 * np.exp(0.3 * fitness - 0.01 * (age - 45)), 50, 450)),
        fast_on_s=random.uniform(15, 45),
        fast_off_s=float(np.clip(46 * np.exp(-0.2 * fitness + 0.47 * random.normal()), 12, 135)),
        hard_off=random.uniform(0, 0.7),
        slow_share=random.uniform(0.05, 0.65),
        slow_on_s=random.uniform(60, 200),
        slow_off_s=random.uniform(150, 900),
        off_delay_s=int(random.integers(0, 26)),
        drift_per_s=random.uniform(0, 0.08) / 3600,
        lag_s=int(random.integers(1, 11)),
        noise_bpm=random.uniform(0.4, 2.0),
        noise_memory_s=random.uniform(2, 6),
    )


def respond(athlete: Athlete, power_w: _Values, random: np.random.Generator) -> _Values:
    """Heart rate of an athlete under a load, as a strap reports it.

    Args:
        athlete: whose heart rate.
        power_w: load of each second, (seconds,).
        random: source of the beat-to-beat noise.

    Returns:
        Heart rate in whole bpm, (seconds,).
    """
    reserve_bpm = athlete.max_bpm - athlete.rest_bpm
    demand = np.clip(power_w / athlete.peak_w, 0, 1.05)
    delay_s = athlete.off_delay_s
    felt = np.array([demand[max(t - delay_s, 0) : t + 1].max() for t in range(len(demand))])
    fast = slow = felt[0] * 0.9
    drift = hardest = 0.0
    excess = np.empty(len(demand))
    for t, load in enumerate(felt):
        hardest = max(load, hardest * (1 - 1 / 300))  # what "after maximal work" means fades in minutes
        off_s = athlete.fast_off_s * (1 + athlete.hard_off * max(hardest - 0.5, 0) * 2)
        fast += (load - fast) / (athlete.fast_on_s if load > fast else off_s)
        slow += (load - slow) / (athlete.slow_on_s if load > slow else athlete.slow_off_s)
        drift += load * athlete.drift_per_s
        excess[t] = (1 - athlete.slow_share) * fast + athlete.slow_share * slow + drift
    heart_rate_bpm = athlete.rest_bpm + reserve_bpm * excess + _noise(athlete, len(demand), random)
    lag_s = athlete.lag_s
    padded = np.concatenate([np.full(lag_s - 1, heart_rate_bpm[0]), heart_rate_bpm])
    return np.asarray(np.round(np.convolve(padded, np.full(lag_s, 1 / lag_s), "valid")), np.float64)


def _noise(athlete: Athlete, seconds: int, random: np.random.Generator) -> _Values:
    """First-order autoregressive noise of the athlete's standard deviation."""
    keep = np.exp(-1 / athlete.noise_memory_s)
    steps = random.normal(0, athlete.noise_bpm * np.sqrt(1 - keep**2), seconds)
    noise = np.empty(seconds)
    now = 0.0
    for t, step in enumerate(steps):
        now = keep * now + step
        noise[t] = now
    return noise


def draw_protocol(athlete: Athlete, random: np.random.Generator) -> _Values:
    """The load of a session in W, (seconds,): warm-up, one or more efforts, and at least four minutes after each.

    Constant load, a ramp, clinical steps, or intervals, to 45-100 % of the athlete's peak; recovery without load, or
    at up to 35 % of it.
    """
    peak_w = athlete.peak_w * random.uniform(0.45, 1.0)
    easy_w = athlete.peak_w * random.choice([0.0, random.uniform(0.05, 0.35)])
    warm_w = athlete.peak_w * random.uniform(0.1, 0.35)
    parts = [np.full(int(random.uniform(0, 180)), 0.0), np.full(int(random.uniform(60, 300)), warm_w)]
    kind = random.choice(["constant", "ramp", "steps", "intervals"])
    if kind == "constant":
        parts.append(np.full(int(random.uniform(90, 900)), peak_w))
    elif kind == "ramp":
        parts.append(np.linspace(warm_w, max(peak_w, warm_w), int(random.uniform(240, 800))))
    elif kind == "steps":
        levels = np.linspace(warm_w, max(peak_w, warm_w), int(random.integers(4, 10)))
        parts.append(np.repeat(levels, int(random.choice([60, 120]))))
    else:
        for _ in range(int(random.integers(1, 4))):
            parts += [np.full(int(random.uniform(60, 300)), peak_w), np.full(int(random.uniform(150, 300)), easy_w)]
        parts.append(np.full(int(random.uniform(60, 300)), peak_w))
    parts += [np.full(int(random.choice([0, random.uniform(0, 90)])), 0.0), np.full(300, easy_w)]  # catches breath
    return np.concatenate(parts)


def simulate(
    random: np.random.Generator, *, athletes: int, like: Callable[[Athlete], Athlete] = lambda athlete: athlete
) -> list[Recording]:
    """Record one session of each of some new athletes.

    Two in five of the sensors report each second; the others each 2 to 4 s held until the next, each 10 s with gaps, or
    each 5 to 10 s with straight lines between, as exports are filled up.

    Args:
        random: source of everything that is drawn.
        athletes: how many.
        like: what makes them people of a narrower kind.
    """
    return [_record(f"{SOURCE}-{i}", like(draw_athlete(random)), random) for i in range(athletes)]


def _record(person: str, athlete: Athlete, random: np.random.Generator) -> Recording:
    power_w = draw_protocol(athlete, random)
    heart_rate_bpm = respond(athlete, power_w, random)
    measured_w = np.maximum(power_w * (1 + random.uniform(0, 0.2) * random.normal(size=len(power_w))), 0)
    channels = {"heart_rate_bpm": heart_rate_bpm, "power_w": measured_w}
    second = np.arange(len(power_w))
    kind = random.choice(["seconds", "seconds", "held", "gaps", "lines"])
    if kind == "held":
        heart_rate_bpm = heart_rate_bpm[second - second % int(random.integers(2, 5))]
        channels["heart_rate_bpm"] = heart_rate_bpm
    elif kind == "gaps":
        channels = {name: np.where(second % 10 != 0, np.nan, v) for name, v in channels.items()}
    elif kind == "lines":
        sampled = second[:: int(random.integers(5, 11))]
        channels = {name: np.interp(second, sampled, v[sampled]) for name, v in channels.items()}
    return Recording(
        person=person,
        session="s",
        sport="cycling",
        source=SOURCE,
        licence="own",
        started_at=None,
        channels={name: v.astype(np.float32) for name, v in channels.items()},
    )
