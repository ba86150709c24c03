"""The disparities by name: any rate or mean by group, as a difference or a ratio, between whom.

``<rate>_difference`` and ``<rate>_ratio`` compare the groups with each other, or with the reference group of an
attribute that declares one; ``_to_reference`` and ``_to_overall`` behind it say so outright. The disparate impact of
the four-fifths rule (29 CFR 1607.4(D)) is the ``demographic_parity_ratio``, and resolves to it; the rule's limit is
``FOUR_FIFTHS``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from detectors.disparities import Against, Kind
from detectors.fairness.rates import RATES

FOUR_FIFTHS = 0.8

MEANS: dict[str, tuple[Kind, ...]] = {
    "calibration_gap": ("difference",),
    "mae": ("difference", "ratio"),
    "bias": ("difference",),
}
"""Means by group, and how they may be compared: what can be below zero has no ratio."""


COMPARED: dict[str, tuple[Kind, ...]] = dict.fromkeys(RATES, ("difference", "ratio")) | MEANS
"""Every rate and mean by group, and how they may be compared."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A disparity: of several ``rates`` it is the worst. ``against`` is ``None`` where the attribute decides."""

    kind: Kind
    rates: tuple[str, ...]
    against: Against | None = None


NAMED: dict[str, Comparison] = {
    "demographic_parity_difference": Comparison("difference", ("selection_rate",)),
    "demographic_parity_ratio": Comparison("ratio", ("selection_rate",)),
    "equal_opportunity_difference": Comparison("difference", ("true_positive_rate",)),
    "equalized_odds_difference": Comparison("difference", ("true_positive_rate", "false_positive_rate")),
    "equalized_odds_ratio": Comparison("ratio", ("true_positive_rate", "false_positive_rate")),
    "predictive_parity_difference": Comparison("difference", ("positive_predictive_value",)),
    "accuracy_difference": Comparison("difference", ("accuracy",)),
    "false_discovery_rate_difference": Comparison("difference", ("false_discovery_rate",)),
    "false_omission_rate_difference": Comparison("difference", ("false_omission_rate",)),
}
"""The disparities of a classifier's rates that are always measured."""

_ALIASES = {
    "disparate_impact": Comparison("ratio", ("selection_rate",)),
    "calibration_difference": Comparison("difference", ("calibration_gap",)),
}
_SUFFIXES: dict[str, Against] = {"_to_reference": "reference", "_to_overall": "overall"}


def resolve(metric: str) -> Comparison:
    """What a disparity compares. A name that is none raises ``ValueError`` with the nearest that is.

    >>> resolve("equalized_odds_ratio").rates
    ('true_positive_rate', 'false_positive_rate')
    >>> resolve("false_omission_rate_ratio_to_overall")
    Comparison(kind='ratio', rates=('false_omission_rate',), against='overall')
    >>> resolve("selection_rat_difference")
    Traceback (most recent call last):
    ValueError: 'selection_rat_difference' is no disparity; did you mean 'selection_rate_difference'?
    """
    for suffix, against in _SUFFIXES.items():
        if metric.endswith(suffix):
            return replace(_compared(metric.removesuffix(suffix), metric), against=against)
    return _compared(metric, metric)


def is_disparity(metric: str) -> bool:
    """Whether ``resolve`` knows the name.

    >>> is_disparity("mae_ratio_to_reference"), is_disparity("bias_ratio")
    (True, False)
    """
    base = next((metric.removesuffix(s) for s in _SUFFIXES if metric.endswith(s)), metric)
    return base in _KNOWN


def _generic() -> dict[str, Comparison]:
    return {f"{name}_{kind}": Comparison(kind, (name,)) for name, allowed in COMPARED.items() for kind in allowed}


_KNOWN = _generic() | _ALIASES | NAMED


def _compared(base: str, metric: str) -> Comparison:
    if base not in _KNOWN:
        near = difflib.get_close_matches(base, _KNOWN, 1, 0.0)[0]
        raise ValueError(f"'{metric}' is no disparity; did you mean '{near}{metric.removeprefix(base)}'?")
    return _KNOWN[base]
