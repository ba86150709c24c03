"""What the catalogue says of one metric, and the words that several entries share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher is worse", "lower is worse"]
Family = Literal["drift", "quality", "performance", "estimation", "fairness"]

HIGHER: Direction = "higher is worse"
LOWER: Direction = "lower is worse"

BINARY = "binary_classification"
MULTICLASS = "multiclass_classification"
REGRESSION = "regression"
RANKING = "ranking"
CLASSIFICATION = (BINARY, MULTICLASS)
ANY_TASK = (BINARY, MULTICLASS, REGRESSION, RANKING)

REFERENCE = ("predictions", "reference")
PREDICTIONS = ("predictions",)
OUTCOMES = ("outcomes",)
SCORES = ("outcomes", "scores")

WILSON = "Wilson"
STUDENT = "Student"


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric: what it is called, measured in, made from and rests on.

    ``direction`` is ``None`` where neither way is worse in itself, ``interval`` where it has none. ``needs`` names the
    data it is made from: ``predictions``, ``reference``, ``outcomes`` (labels or actual values), ``scores`` and
    ``protected_attributes``; ``tasks`` the models that have it. A ``kept`` metric is stored for every window; any other
    is measured where a monitor watches it and where a report asks.
    """

    name: str
    family: Family
    unit: str
    direction: Direction | None
    needs: tuple[str, ...]
    interval: str | None
    source: str
    description: str
    tasks: tuple[str, ...] = ANY_TASK
    kept: bool = True
