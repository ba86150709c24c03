"""A figure with what it stands on, and the durations of a cohort of incidents as such figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from incidents.incident import Incident


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. Durations are in seconds, shares from 0 to 1.

    ``n``: the incidents behind it, ``records``: their ids; ``excluded``: reason to the number left out; ``value`` is
    None only with a ``reason_if_null``. ``numerator`` and ``denominator`` belong to a mean or a share, to no quantile.
    """

    value: float | None
    n: int
    numerator: float | None = None
    denominator: float | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    reason_if_null: str | None = None
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Durations:
    """The durations of a named cohort, in seconds."""

    cohort: str
    n: int
    mean: Figure
    median: Figure
    p90: Figure
    max: Figure


@dataclass(frozen=True, slots=True)
class Cohort:
    """The incidents that a figure is about, and the number of those left out of it by reason."""

    name: str
    members: tuple[Incident, ...]
    excluded: Mapping[str, int]

    def without(self, missing: Sequence[str]) -> Cohort:
        """Less one member for each reason in ``missing`` that is not empty; one reason a member, in their order."""
        excluded = dict(self.excluded)
        for reason in filter(None, missing):
            excluded[reason] = excluded.get(reason, 0) + 1
        kept = tuple(i for i, reason in zip(self.members, missing, strict=True) if not reason)
        return Cohort(self.name, kept, excluded)


def durations(cohort: Cohort, time: Callable[[Incident], timedelta | None], missing: str) -> Durations:
    """The cohort's durations by ``time``; members that have none are left out, for the reason ``missing``."""
    rest = cohort.without(["" if time(i) is not None else missing for i in cohort.members])
    seconds = sorted(t.total_seconds() for i in rest.members if (t := time(i)) is not None)
    n, total = len(seconds), math.fsum(seconds)
    return Durations(
        cohort=cohort.name,
        n=n,
        mean=_figure(rest, total / n if n else None, total, n),
        median=_figure(rest, quantile(seconds, 0.5)),
        p90=_figure(rest, quantile(seconds, 0.9)),
        max=_figure(rest, seconds[-1] if seconds else None),
    )


def share(cohort: Cohort, met: Callable[[Incident], bool]) -> Figure:
    """The share of the cohort's members for which ``met`` holds."""
    n, good = len(cohort.members), sum(met(i) for i in cohort.members)
    return _figure(cohort, good / n if n else None, good, n)


def quantile(ordered: Sequence[float], q: float) -> float | None:
    """Quantile of sorted values, linear between order statistics; None of no values.

    Source: Hyndman and Fan (1996), type 7, the default of R and NumPy.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([], 0.5)
    (2.5, None)
    """
    if not ordered:
        return None
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _figure(
    cohort: Cohort, value: float | None, numerator: float | None = None, denominator: float | None = None
) -> Figure:
    reason = None if value is not None else "all_excluded" if cohort.excluded else "no_incidents"
    ids = tuple(i.id for i in cohort.members)
    return Figure(value, len(ids), numerator, denominator, cohort.excluded, reason, ids)
