"""The settings of each streaming detector: what may be set, within which bounds, calibrated defaults and River's own.

The calibrated defaults raise at most one false alarm in 100,000 stationary values; docs/streams.md has the table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Value = float | int | bool | str
Settings = Mapping[str, Value]
Domain = Literal["real", "unit", "bit"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its calibrated default, River's, and its bounds (numbers) or words (``words`` not empty)."""

    default: Value
    river: Value
    low: float = 0.0
    high: float = math.inf
    words: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> Value:
        """The value, or ``ValueError`` with the mend."""
        if self.words:
            if value not in self.words:
                raise ValueError(f"'{name}' is {value!r}; write one of {', '.join(self.words)}")
            return str(value)
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ValueError(f"'{name}' is {value!r}; write true or false")
            return value
        whole = isinstance(self.default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError(f"'{name}' is {value!r}; write a {'whole number' if whole else 'number'}")
        if not self.low <= value <= self.high or math.isinf(value):
            bounds = f"of at least {self.low:g}" if math.isinf(self.high) else f"from {self.low:g} to {self.high:g}"
            raise ValueError(f"'{name}' is {value!r}; write a number {bounds}")
        return value if whole else float(value)


def _probability(default: float, river: float) -> Setting:
    return Setting(default, river, 1e-300, 1.0)


def _count(default: int, river: int, low: int = 1, high: int = 1_000_000) -> Setting:
    return Setting(default, river, low, high)


def _block(default: int) -> Setting:
    return _count(default, 1, high=100_000)


def _warm_up(default: int) -> Setting:
    return _count(default, 0, low=0, high=10_000)


SETTINGS: dict[str, dict[str, Setting]] = {
    "adwin": {
        "block": _block(100),
        "warm_up": _warm_up(30),
        "delta": _probability(0.002, 0.002),
        "clock": _count(1, 32),
        "max_buckets": _count(5, 5, low=2, high=100),
        "min_window_length": _count(5, 5),
        "grace_period": _count(10, 10),
    },
    "page_hinkley": {
        "block": _block(20),
        "warm_up": _warm_up(100),
        "min_instances": _count(30, 30),
        "delta": Setting(0.25, 0.005),
        "threshold": Setting(30.0, 50.0),
        "alpha": Setting(1.0, 1 - 0.0001, 0.0, 1.0),
        "mode": Setting("both", "both", words=("both", "up", "down")),
    },
    "kswin": {
        "block": _block(1),
        "alpha": _probability(1e-6, 0.005),
        "window_size": _count(300, 100, low=4, high=10_000),
        "stat_size": _count(100, 30, low=2, high=5_000),
        "seed": _count(1, 1, low=0, high=2**32 - 1),
    },
    "ddm": {
        "warm_start": _count(1_000, 30),
        "warning_threshold": Setting(2.0, 2.0),
        "drift_threshold": Setting(4.0, 3.0),
    },
    "eddm": {
        "warm_start": _count(1_000, 30),
        "alpha": _probability(0.95, 0.95),
        "beta": _probability(0.8, 0.9),
    },
    "hddm_a": {
        "drift_confidence": _probability(0.001, 0.001),
        "warning_confidence": _probability(0.005, 0.005),
        "two_sided_test": Setting(False, False),
    },
    "hddm_w": {
        "drift_confidence": _probability(0.0001, 0.001),
        "warning_confidence": _probability(0.005, 0.005),
        "lambda_val": Setting(0.001, 0.05, 1e-6, 1.0),
        "two_sided_test": Setting(False, False),
    },
}

DETECTORS = tuple(SETTINGS)

DOMAIN: dict[str, Domain] = {
    "adwin": "real",
    "page_hinkley": "real",
    "kswin": "real",
    "ddm": "bit",
    "eddm": "bit",
    "hddm_a": "unit",
    "hddm_w": "unit",
}
"""What a detector's values may be: any number, one from 0 to 1, or 0 and 1 alone."""


def river_settings(detector: str) -> dict[str, Value]:
    """River's own defaults; the two settings that River has not (``block``, ``warm_up``) are off.

    >>> river_settings("adwin")["delta"], river_settings("page_hinkley")["threshold"]
    (0.002, 50.0)
    """
    return {name: setting.river for name, setting in _known(detector).items()}


def check_settings(detector: str, settings: Settings | None = None) -> dict[str, Value]:
    """All settings of a detector: those given, the rest by their calibrated defaults.

    Raises ``ValueError`` that names the detector or setting that is unknown or out of bounds, and the mend.

    >>> check_settings("ddm", {"drift_threshold": 5})
    {'warm_start': 1000, 'warning_threshold': 2.0, 'drift_threshold': 5.0}
    >>> check_settings("ddm", {"treshold": 5})
    Traceback (most recent call last):
    ValueError: 'treshold' is no setting of ddm; the nearest known is 'drift_threshold'
    """
    known = _known(detector)
    for name in settings or {}:
        if name not in known:
            raise ValueError(f"'{name}' is no setting of {detector}; {_nearest(name, tuple(known))}")
    given = {name: known[name].check(name, value) for name, value in (settings or {}).items()}
    found = {name: given.get(name, setting.default) for name, setting in known.items()}
    _check_together(detector, found)
    return found


def _known(detector: str) -> dict[str, Setting]:
    if detector not in SETTINGS:
        raise ValueError(f"'{detector}' is no detector; {_nearest(detector, DETECTORS)}")
    return SETTINGS[detector]


def _check_together(detector: str, found: Settings) -> None:
    """What holds between two settings."""
    if found.get("warm_up") == 1:
        raise ValueError("'warm_up' is 1; write 0 for none, or at least 2, for a deviation needs two values")
    if detector == "kswin" and 2 * float(found["stat_size"]) > float(found["window_size"]):
        raise ValueError("'stat_size' is over half of 'window_size', and both sides of a comparison need as many")
    if detector == "kswin" and math.log(float(found["alpha"])) < _least_log_p(int(found["stat_size"])):
        raise ValueError("'alpha' is below any p-value that samples of 'stat_size' can have; raise either of them")
    if detector == "eddm" and float(found["beta"]) > float(found["alpha"]):
        raise ValueError("'beta' is over 'alpha'; a change is further from the best than a warning")


def _least_log_p(n: int) -> float:
    """The logarithm of the least p-value of a two-sample Kolmogorov-Smirnov test of n against n: 2 / (2n over n)."""
    return math.log(2.0) - math.lgamma(2 * n + 1) + 2 * math.lgamma(n + 1)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"the nearest known is '{close[0]}'" if close else f"known are {', '.join(known)}"
