"""A protected attribute as it is measured."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.point import Measurement
from detectors.scope import Scope

Named = tuple[str, Scope, Measurement]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One protected attribute: its groups in the order of the axis, and how they are to be told.

    ``minimum`` is the size below which no rate is told: none of a group with fewer predictions, nor one with fewer
    rows in its own denominator, so that 2 positives among 500 people make no true positive rate. Where either class
    is too small to tell, no rate of the other is told: accuracy, precision and the other class's rate together give it
    away.
    """

    name: str
    groups: tuple[str, ...]
    minimum: int = 1
    reference: str | None = None
