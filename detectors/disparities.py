"""Disparities: how far apart groups lie in a rate or a mean, with intervals that stay honest over many groups.

The largest of many differences is above zero by chance: with nine equal groups, a plain 95 % interval of largest minus
smallest excludes zero in more than half of all samples. So the two limits of a disparity are found in two ways:

- The limit on the side of equality is the largest of the limits of all comparisons, each at the level that holds for
  all of them at once: the studentised range for pairs, Sidak's for comparisons with one group or with all.
- The limit on the far side is the largest of the plain 97.5 % limits. The true disparity is that of one pair, whichever
  it be, and the largest limit lies beyond that pair's own: so no level needs correcting. This is the union-intersection
  of Roy (1953) for the one and the intersection-union of Berger (1982, Technometrics 24(4)) for the other.

Pairs have Newcombe's interval, ratios that of Donner and Zou. Both are made of the groups' own limits: Wilson's, and in
the tails, on the side of equality, ``cautious_at``'s where these are wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from detectors.intervals import (
    Interval,
    Limits,
    cautious_at,
    difference_lower,
    mean_at,
    normal_quantile,
    ratio_lower,
    wilson_at,
)
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.simultaneous import all_pairs, many_to_one
from detectors.summaries.summary import Floats, Ints

Kind = Literal["difference", "ratio"]
Against = Literal["groups", "reference", "overall"]
Bools = npt.NDArray[np.bool_]


class Estimates(Protocol):
    """Estimates by rate and group, shape (rates, groups), that can give their limits at any number of standard errors,
    and ones that still hold ``far`` out in the tails, where many comparisons have to hold at once."""

    @property
    def value(self) -> Floats: ...

    def at(self, z: float | Floats) -> Limits: ...

    def far(self, z: float | Floats) -> Limits: ...

    def take(self, rates: Ints) -> Estimates: ...


@dataclass(frozen=True, slots=True, eq=False)
class Proportions:
    """``k`` of ``n``; both may be effective counts."""

    k: Floats
    n: Floats

    @property
    def value(self) -> Floats:
        out: Floats = self.k / np.where(self.n > 0, self.n, 1.0)
        return out

    def at(self, z: float | Floats) -> Limits:
        return wilson_at(self.k, self.n, z)

    def far(self, z: float | Floats) -> Limits:
        return cautious_at(self.k, self.n, z)

    def take(self, rates: Ints) -> Proportions:
        return Proportions(self.k[rates], self.n[rates])


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means with their standard errors and degrees of freedom."""

    value: Floats
    error: Floats
    freedom: Floats

    def at(self, z: float | Floats) -> Limits:
        return mean_at(self.value, self.error, self.freedom, z)

    def far(self, z: float | Floats) -> Limits:
        return self.at(z)

    def take(self, rates: Ints) -> Means:
        return Means(self.value[rates], self.error[rates], self.freedom[rates])


class Spans(NamedTuple):
    """Disparities with their limits, each of shape (rates,)."""

    value: Floats
    lower: Floats
    upper: Floats


def between(kind: Kind, near: Limits, far: Limits, known: Bools, reference: int | None = None) -> Spans:
    """The disparities of several rates at once, over the groups ``known`` in each: shape (rates, groups), two or more.

    A difference is largest minus smallest, a ratio smallest over largest, as Fairlearn's ``between_groups``. With a
    ``reference`` (an index), each other group is compared with that one only: the difference is the
    largest distance from it on either side, the ratio the smallest of ``rate / reference`` and its inverse.
    The groups' limits are ``near`` at the plain level and ``far`` at that which ``critical`` gives for all at once.
    """
    pairs = known[:, :, None] & known[:, None, :] & _pairs(known.shape[1], reference)
    lower = difference_lower if kind == "difference" else ratio_lower
    a, b = _rows(near), _columns(near)
    return _fold(kind, _values(kind, a, b), lower(a, b), lower(_rows(far), _columns(far)), pairs)


def from_overall(
    kind: Kind, near: tuple[Limits, Limits], far: tuple[Limits, Limits], share: Floats, known: Bools
) -> Spans:
    """The same from the rate of all rows, of which the group is ``share``, its own rows among them.

    A group and the whole are not independent, but the group and the rest are, and both comparisons follow from
    that one, the shares taken as given: group - overall is (1 - share) (group - rest), and overall / group is
    share + (1 - share) rest / group. ``near`` and ``far`` hold the limits of the group and of its rest; all arrays
    have shape (rates, groups).
    """
    share = share[:, :, None]
    lower = difference_lower if kind == "difference" else ratio_lower
    limits = []
    for group, rest in (far, near):
        a, b = _both(group, rest), _both(rest, group)
        limits.append(_whole(kind, lower(a, b), share))
    values = _whole(kind, _values(kind, a, b), share)
    return _fold(kind, values, limits[1], limits[0], np.repeat(known[:, :, None], 2, axis=2))


def region(kind: Kind, near: Limits, far: Limits, known: Bools, reference: int | None) -> tuple[Floats, Floats]:
    """Bounds of disparities of rates of which no more is known than that they lie within their limits.

    Shapes as in ``between``; the groups' limits are ``near`` for the far bound and ``far`` for the one nearer to
    equality. Every combination of rates within their limits is possible, so that nothing is recovered from variances.
    """
    pairs = known[:, :, None] & known[:, None, :] & _pairs(known.shape[1], reference)

    def lower(limits: Limits) -> Floats:
        low, high = limits.lower[:, :, None], limits.upper[:, None, :]
        out: Floats = low - high if kind == "difference" else low / np.where(high > 0, high, 1.0)
        return out

    span = _fold(kind, lower(far), lower(near), lower(far), pairs)
    return span.lower, span.upper


def critical(against: Against, known: Bools, families: Ints, confidence: float = CONFIDENCE) -> Floats:
    """How many standard errors make the ``far`` limits of each rate, by the number of groups that have it.

    ``families`` says of each rate, shape (rates,), how many are judged together with it. The result is (rates, 1).
    """
    counts = known.sum(axis=1).tolist()
    if against == "reference":
        counts = [m - 1 for m in counts]
    z = all_pairs if against == "groups" else many_to_one
    return np.array([z(m, f, confidence) for m, f in zip(counts, families.tolist(), strict=True)])[:, None]


def disparity(
    kind: Kind, k: Ints, n: Ints, reference: int | None = None, families: int = 1, deff: float = 1.0,
    confidence: float = CONFIDENCE,
) -> Measurement:  # fmt: skip
    """The disparity of rates ``k / n`` of two or more groups, both of shape (groups,), all ``n`` at least 1.

    ``deff`` is the design effect by which rows that belong together shrink every ``n`` (``detectors.clusters``); the
    rest is as in ``between``. ``n`` of the result is that of the smallest group. A ratio of rates that are all 0 is
    unknown.

    >>> selected, shown = np.array([30, 45, 44]), np.array([100, 100, 100])
    >>> found = disparity("difference", selected, shown)
    >>> round(found.value, 2), [round(x, 3) for x in found.interval], found.n
    (0.15, [0.0, 0.277], 100)
    >>> round(disparity("ratio", selected, shown).value, 3)
    0.667
    """
    smallest = int(n.min())
    if kind == "ratio" and not k.any():
        return Measurement.unknown(Reason.ZERO_DENOMINATOR, smallest)
    rows, known = Proportions(k[None, :] / deff, n[None, :] / deff), np.ones((1, n.size), bool)
    z = critical("groups" if reference is None else "reference", known, np.array([families]), confidence)
    found = between(kind, rows.at(normal_quantile(confidence)), rows.far(z), known, reference)
    upper = min(float(found.upper[0]), 1.0)
    return Measurement(float(found.value[0]), smallest, (float(found.lower[0]), upper))


def worst(kind: Kind, parts: list[Measurement]) -> Measurement:
    """The worst of disparities that were measured together, as in equalized odds: unknown where one of them is.

    Where outcomes are selective, the bounds of an unknown part count as its interval.

    >>> worst("ratio", [Measurement(0.9, 20, (0.7, 1.0)), Measurement(0.6, 10, (0.4, 0.8))])
    Measurement(value=0.6, n=10, interval=(0.4, 0.8), p_value=None, reason=None)
    """
    if len(parts) == 1:
        return parts[0]
    smallest, pick = min(p.n for p in parts), max if kind == "difference" else min
    intervals = [p.interval for p in parts if p.interval is not None]
    interval: Interval | None = None
    if len(intervals) == len(parts):
        interval = pick(low for low, _ in intervals), pick(high for _, high in intervals)
    for part in parts:
        if part.value is None:
            return Measurement(None, smallest, interval, reason=part.reason)
    return Measurement(pick(p.value for p in parts if p.value is not None), smallest, interval)


def _fold(kind: Kind, values: Floats, near: Floats, far: Floats, compared: Bools) -> Spans:
    """From all comparisons, each both ways, to the widest: the arrays have shape (rates, ...).

    ``near`` and ``far`` are lower limits. Since each comparison is there both ways, the upper limit of the one is the
    lower limit of the other, negated or inverted.
    """
    axes = tuple(range(1, values.ndim))

    def largest(x: Floats) -> Floats:
        out: Floats = x.max(axis=axes, where=compared, initial=-np.inf)
        return out

    def least(x: Floats) -> Floats:
        out: Floats = x.min(axis=axes, where=compared, initial=np.inf)
        return out

    if kind == "difference":
        return Spans(largest(values), np.maximum(largest(far), 0.0), -least(near))
    above = np.maximum(largest(far), 1.0)       # an inverse of 1 or less says that equality is not excluded
    return Spans(least(values), least(near), 1 / above)


def _values(kind: Kind, a: Limits, b: Limits) -> Floats:
    """Both ways round, the one of two rates that is 0 has a ratio of 0 to the other, and two of 0 are equal."""
    if kind == "difference":
        return a.value - b.value
    some = b.value > 0
    out: Floats = np.where(some, a.value, 1.0) / np.where(some, b.value, 1.0)
    return out


def _whole(kind: Kind, x: Floats, share: Floats) -> Floats:
    """From group against rest to group against all, for the two ways of ``_both``."""
    if kind == "difference":
        return (1 - share) * x
    own = share[:, :, 0]
    group, overall = x[:, :, 0], x[:, :, 1]
    return np.stack([group / np.where(group > 0, own * group + 1 - own, 1.0), own + (1 - own) * overall], axis=2)


def _rows(limits: Limits) -> Limits:
    return Limits(*(x[:, :, None] for x in limits))


def _columns(limits: Limits) -> Limits:
    return Limits(*(x[:, None, :] for x in limits))


def _both(a: Limits, b: Limits) -> Limits:
    return Limits(*(np.stack(pair, axis=2) for pair in zip(a, b, strict=True)))


@lru_cache(maxsize=256)
def _pairs(groups: int, reference: int | None) -> Bools:
    """Which ordered pairs are compared, shape (groups, groups), always both ways."""
    if reference is None:
        return ~np.eye(groups, dtype=bool)
    pairs = np.zeros((groups, groups), bool)
    pairs[reference] = pairs[:, reference] = True
    pairs[reference, reference] = False
    return pairs
