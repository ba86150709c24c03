"""The value of every drift metric for all columns at once, and the noise that it has.

Of a metric that goes with Pearson's X², or with its root, the interval is that of X² in the metric's own measure: psi,
the divergences and Cramér's V. The others are distances of their own, and so is their noise. Each is a norm of the
difference of the two samples, and its square, without a change, has a mean that follows from the shares of both; with
one, its noise is that of the direction that the change takes, and the largest of any direction is taken. Overdispersion
is that of the column's X² (``detectors.noise``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from detectors.drift import cumulative, distances
from detectors.drift.distances import LN2
from detectors.drift.steps import Steps
from detectors.noise import Evidence
from detectors.reference import Reference
from detectors.summaries.summary import Floats, Ints

_LARGEST = float(np.finfo(np.float64).max)

Range = tuple[float, float]


class Sides:
    """A reference and a window as shares by bin and by cell; shape (bins,), (cells,) and, for totals, (columns,)."""

    def __init__(self, reference: Reference, predictions: Ints, current: Ints) -> None:
        self._reference, self._predictions = reference, predictions
        self.bins = reference.bins
        self.before, self.current = reference.counts, current
        self.total, self.n = self.bins.total(self.before), self.bins.total(current)

    @cached_property
    def safe_totals(self) -> tuple[Floats, Floats]:
        """Rows of the reference and of the window by column, 1 where there are none."""
        return np.maximum(self.total, 1.0), np.maximum(self.n, 1.0)

    @cached_property
    def totals_by_bin(self) -> tuple[Floats, Floats]:
        total, n = self.safe_totals
        return total[self.bins.column], n[self.bins.column]

    @cached_property
    def shares(self) -> tuple[Floats, Floats]:
        total, n = self.totals_by_bin
        return self.before / total, self.current / n

    @cached_property
    def pooled(self) -> Floats:
        """The mean of both shares of each bin."""
        return np.asarray((self.shares[0] + self.shares[1]) / 2)

    @cached_property
    def cells(self) -> Ints:
        """The cells that a side has rows in, and each column's first, which is that of the missing and counts none."""
        end = self.bins.space.column_offsets[-1]
        kept = (self._reference.predictions[:end] != 0) | (self._predictions[:end] != 0)
        kept[self.bins.space.column_offsets[:-1]] = True
        return np.flatnonzero(kept)

    @cached_property
    def steps(self) -> Steps:
        first = np.searchsorted(self.cells, self.bins.space.column_offsets[:-1])
        before, now = self._reference.predictions[self.cells], self._predictions[self.cells]
        before[first] = now[first] = 0
        return Steps(before, now, first)

    @cached_property
    def positions(self) -> Floats:
        """Where the cells lie, in the grid's unit."""
        return np.asarray(self.bins.places.positions[self.cells])

    @cached_property
    def gaps(self) -> Floats:
        """How far it is from each cell to the next; 0 at a column's last."""
        gaps = cumulative.gaps_of(self.positions)
        gaps[self.steps.first - 1] = 0.0
        return gaps

    @property
    def unit(self) -> Floats:
        return self.bins.places.unit

    @property
    def least(self) -> Floats:
        """The variance of the rarest share that could be seen: that of one row in the smaller of the two samples."""
        return np.asarray(1 / (np.minimum(*self.safe_totals) + 1))

    def sum(self, terms: Floats) -> Floats:
        return np.maximum(self.bins.total(terms), 0.0)

    def largest(self, terms: Floats) -> Floats:
        return np.maximum.reduceat(terms, self.bins.offsets)


class Effect(NamedTuple):
    """A metric of every column in some ``unit``, NaN where it is undefined.

    ``per_v``: the greatest value that goes with a small v = sum of (p - q)² / p, over v, of a metric that goes with X².
    ``noise``: mean and largest direction of any other's, for rows of which 1 / n + 1 / m is 1. Both are of the square
    of the metric if ``squared``. A statistic has neither, and no interval. ``most`` is the greatest value there is.
    """

    value: Floats
    per_v: float | None = None
    noise: tuple[Floats, Floats] | None = None
    squared: bool = True
    most: float = np.inf
    unit: Floats | float = 1.0

    def values(self) -> list[float]:
        return self.in_unit(self.value)

    def squares(self, evidence: Evidence) -> tuple[Floats, Floats, Floats, Floats]:
        """A sum of squares with the unit and degrees of freedom of its noise, and what makes it the metric('s square).

        Where X² is 0 it gives no proportion, and that of a small change is taken.
        """
        size, one = self.value**2 if self.squared else self.value, np.ones(self.value.size)
        if self.noise is not None:
            mean, direction = self.noise
            df = np.maximum(mean / np.where(direction > 0, direction, 1.0) * evidence.share, 1.0)
            return size, direction * evidence.v, df, one
        alike, per_v = evidence.statistic <= 0, self.per_v or 0.0
        each = np.where(alike, per_v * evidence.v, size / np.where(alike, 1.0, evidence.statistic))
        return evidence.statistic, one, evidence.df, each

    def in_unit(self, values: Floats) -> list[float]:
        with np.errstate(over="ignore"):
            scaled: list[float] = np.minimum(values * self.unit, _LARGEST).tolist()
        return scaled


def intervals(effects: dict[str, Effect], evidence: Evidence) -> dict[str, list[Range | None]]:
    """Bounds of each effect without noise, by column. A statistic has none, and nor has an integral over a distance
    that is nowhere to be seen, all rows of both sides being in one cell."""
    some = {name: e for name, e in effects.items() if e.noise is not None or e.per_v is not None}
    if not some:
        return {}
    size, unit, df, scale = np.array([effect.squares(evidence) for effect in some.values()]).swapaxes(0, 1)
    low, high = (bound * scale for bound in evidence.bounds(size, unit, df))
    out: dict[str, list[Range | None]] = {}
    for i, (name, effect) in enumerate(some.items()):
        ends = (np.sqrt(b[i]) if effect.squared else b[i] for b in (low, high))
        pairs = zip(*(effect.in_unit(np.minimum(end, effect.most)) for end in ends), strict=True)
        out[name] = [pair if seen else None for pair, seen in zip(pairs, (unit[i] > 0).tolist(), strict=True)]
    return out


def _psi(s: Sides) -> Effect:
    return Effect(s.sum(distances.psi_terms(*s.shares)), 1.0, squared=False)


def _kullback_leibler(s: Sides) -> Effect:
    return Effect(s.sum(distances.kullback_leibler_terms(*s.shares)), 1 / 2, squared=False)


def _jensen_shannon(s: Sides) -> Effect:
    return Effect(np.sqrt(s.sum(distances.jensen_shannon_terms(*s.shares))), 1 / (8 * LN2), most=1.0)


def _hellinger(s: Sides) -> Effect:
    return Effect(np.sqrt(np.maximum(1 - s.sum(distances.bhattacharyya_terms(*s.shares)), 0.0)), 1 / 8, most=1.0)


def _total_variation(s: Sides) -> Effect:
    """The direction is that of the bins that grew, together, or of one bin where it has more noise."""
    (p, q), h = s.shares, s.pooled
    grown = s.sum(np.where(q > p, h, 0.0))
    mean = s.sum(np.sqrt(h * (1 - h))) ** 2 / (2 * np.pi)
    direction = np.maximum(np.maximum(grown * (1 - grown), s.largest(h * (1 - h))), s.least)
    return Effect(s.sum(np.abs(p - q)) / 2, noise=(mean, direction), most=1.0)


def _l_infinity(s: Sides) -> Effect:
    """The mean of the largest of k squares of normal values grows with the logarithm of k."""
    (p, q), h = s.shares, s.pooled
    direction = np.maximum(s.largest(h * (1 - h)), s.least)
    mean = direction * 1.5 * np.log(np.maximum(s.sum((h > 0).astype(float)), 2.0))
    return Effect(s.largest(np.abs(p - q)), noise=(mean, direction), most=1.0)


def _chi_square(s: Sides) -> Effect:
    return Effect(s.sum(distances.chi_square_terms(s.before.astype(float), s.current.astype(float), *s.totals_by_bin)))


def _g_test(s: Sides) -> Effect:
    return Effect(s.sum(distances.g_terms(s.before.astype(float), s.current.astype(float), *s.totals_by_bin)))


def _cramers_v(s: Sides) -> Effect:
    return Effect(np.sqrt(s.sum(distances.cramers_v_terms(*s.shares))), 1 / 4, most=1.0)


def _kolmogorov_smirnov(s: Sides) -> Effect:
    """Kolmogorov's distribution has 0.822 as the mean of its square, 3.29 times the largest F (1 - F)."""
    direction = np.maximum(s.steps.largest(s.steps.spread), s.least)
    return Effect(cumulative.largest_gap(s.steps), noise=(3.29 * direction, direction), most=1.0)


def _cramer_von_mises(s: Sides) -> Effect:
    noise = cumulative.noise_of_squares(s.steps, s.steps.even[0])
    return Effect(cumulative.squared_gap(s.steps), noise=noise, squared=False, most=0.5)


def _anderson_darling(s: Sides) -> Effect:
    weights = cumulative.weights_of_tails(s.steps)
    noise = cumulative.noise_of_squares(s.steps, weights)
    return Effect(cumulative.weighted_gap(s.steps, weights), noise=noise, squared=False, most=4.0)


def _wasserstein(s: Sides) -> Effect:
    """The direction is that of a shift, whose noise is the deviation's; |F - G| is normal at each place."""
    steps, gaps = s.steps, s.gaps
    mean = steps.total(np.sqrt(steps.spread) * gaps) ** 2 * 2 / np.pi
    direction = cumulative.variance(steps, steps.even[0], s.positions)
    return Effect(cumulative.area(steps, gaps), noise=(mean, direction), unit=s.unit)


def _normed_wasserstein(s: Sides) -> Effect:
    deviation = np.sqrt(cumulative.variance(s.steps, s.steps.reference.shares, s.positions))
    norm = np.divide(1.0, deviation, out=np.full_like(deviation, np.nan), where=deviation > 0)
    return _wasserstein(s)._replace(unit=norm)


def _energy(s: Sides) -> Effect:
    steps, gaps = s.steps, s.gaps
    noise = cumulative.noise_of_squares(steps, 2 * gaps)
    return Effect(np.sqrt(cumulative.squared_area(steps, gaps)), noise=noise, unit=np.sqrt(s.unit))


MEASURES: dict[str, Callable[[Sides], Effect]] = {
    "psi": _psi,
    "jensen_shannon": _jensen_shannon,
    "hellinger": _hellinger,
    "total_variation": _total_variation,
    "kullback_leibler": _kullback_leibler,
    "kolmogorov_smirnov": _kolmogorov_smirnov,
    "cramer_von_mises": _cramer_von_mises,
    "anderson_darling": _anderson_darling,
    "wasserstein": _wasserstein,
    "normed_wasserstein": _normed_wasserstein,
    "energy": _energy,
    "chi_square": _chi_square,
    "g_test": _g_test,
    "cramers_v": _cramers_v,
    "l_infinity": _l_infinity,
}
"""What measures each metric."""
