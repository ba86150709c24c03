"""How far two samples of one process differ by chance, when its rows are not independent.

Pearson's X² of two independent samples has mean ``df``. Rows that come in runs, by the hour or by the person, raise it
to ``phi * df``: the overdispersion of quasi-likelihood, the design effect of surveys. And where few directions carry
the excess, X² has fewer degrees of freedom than bins. Both are learnt here from contiguous blocks of the reference,
merged with their neighbours to see how they grow with the length of a window.

Sources: Rao and Scott, "The analysis of categorical data from complex sample surveys", JASA 76 (1981), and "On
chi-squared tests for multiway contingency tables", Annals of Statistics 12 (1984), for the mean and the second-order
correction; McCullagh and Nelder, "Generalized Linear Models" (1989), 4.5, for overdispersion; Cochran, "Some methods
for strengthening the common χ² tests", Biometrics 10 (1954), for expected counts of 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from detectors.bins import Bins
from detectors.ordered import components, scores
from detectors.point import CONFIDENCE
from detectors.summaries.summary import Floats, Ints

LEAST_EXPECTED = 5.0
_LEAST_BLOCKS, _LEAST_MERGED = 4, 8      # fewer blocks, as given or merged, say too little about a variance
_MANY = 1e8                              # degrees of freedom that stand for "known exactly"


class Pearson(NamedTuple):
    """X² by column with the mean and the degrees of freedom it has for independent rows; ``z`` by bin, X² = sum z²."""

    z: Floats
    x2: Floats
    mean: Floats
    df: Floats


def pearson(bins: Bins, counts: Ints, n: Ints, shares: Floats, factor: Floats) -> Pearson:
    """Pearson's X² of each column's ``counts``, ``n`` rows in all, against ``shares`` estimated with them among.

    ``factor`` undoes that the sample is a part of what ``shares`` were taken from: 1 / (1 - n / total), shape
    (columns,). An expected count below 5 is taken as 5 in the denominator, so that one row in a rare bin is no event;
    the mean and the degrees of freedom (Satterthwaite's) allow for it.
    """
    expected = shares * n[bins.column]
    floor = np.maximum(expected, LEAST_EXPECTED)
    z = (counts - expected) * np.sqrt(factor[bins.column] / floor)
    weight = expected / floor
    mean = bins.total(weight * (1 - shares))
    squares = bins.total(weight**2 * (1 - 2 * shares)) + bins.total(weight * shares) ** 2
    df = mean**2 / np.where(squares > 0, squares, 1.0)
    return Pearson(z, bins.total(z**2), mean, np.maximum(df, 1.0))


@dataclass(frozen=True, eq=False)
class Noise:
    """What the blocks showed: by length and column, shape (lengths, columns), and ``blocks`` by length.

    ``lengths`` are mean numbers of rows in a block whose value is not missing, ``phi`` the overdispersion (1 or more),
    ``kappa`` the share of the degrees of freedom that is left (0 to 1]. With no length, rows count as independent.
    """

    lengths: Floats
    phi: Floats
    kappa: Floats
    blocks: Ints

    @classmethod
    def learn(cls, bins: Bins, blocks: Ints) -> Noise:
        """From the bins of contiguous blocks of the reference in time order, shape (blocks, bins).

        Neighbours are merged by 2, 4, 8 and so on, down to 8 blocks.
        """
        return cls._of([_overdispersion(bins, merged) for merged in _by_length(blocks)], bins.first.size)

    @classmethod
    def learn_ordered(cls, bins: Bins, blocks: Ints) -> Noise:
        """The same of the two components of ``detectors.ordered``, in place of X²."""
        return cls._of([_of_components(bins, merged) for merged in _by_length(blocks)], bins.first.size)

    @classmethod
    def _of(cls, found: Sequence[tuple[int, Floats, Floats, Floats]], columns: int) -> Noise:
        if not found:
            return cls(np.empty((0, columns)), np.empty((0, columns)), np.empty((0, columns)), np.empty(0, np.int64))
        many, lengths, phi, kappa = zip(*found, strict=True)
        falling = np.minimum.accumulate(np.array(kappa))         # the longer, the fewer directions carry the excess
        return cls(np.array(lengths), np.array(phi), falling, np.array(many, np.int64))

    def at(self, n: Floats) -> tuple[Floats, Floats, Floats]:
        """Overdispersion, share of the degrees of freedom and number of blocks behind them, for ``n`` rows a column.

        Between measured lengths linear in log n; below the shortest as there, which is on the safe side. Above the
        longest phi grows in n by the flattest chord that ends there: level for short-range dependence, in proportion
        to n for a slow wander.
        """
        if not self.blocks.size:
            return np.ones_like(n), np.ones_like(n), np.full_like(n, _MANY)
        grid, each = np.log(np.maximum(self.lengths, 1.0)), np.arange(n.size)
        x = np.minimum(np.log(np.maximum(n, 1.0)), grid[-1])
        upper = np.minimum((grid < x).sum(axis=0), len(grid) - 1)
        lower = np.maximum(upper - 1, 0)
        width = grid[upper, each] - grid[lower, each]
        share = np.divide(x - grid[lower, each], width, out=np.ones_like(x), where=width > 0)

        def between(values: Floats) -> Floats:
            return np.asarray(values[lower, each] + share * (values[upper, each] - values[lower, each]))

        beyond = np.maximum(n - self.lengths[-1], 0.0)
        phi = between(self.phi) + self._slope() * beyond
        return phi, between(self.kappa), between(np.repeat(self.blocks[:, None], n.size, axis=1).astype(np.float64))

    def _slope(self) -> Floats:
        run = self.lengths[-1] - self.lengths[:-1]
        if not len(run):
            return np.zeros(self.lengths.shape[1])
        chords = np.divide(self.phi[-1] - self.phi[:-1], run, out=np.zeros_like(run), where=run > 0)
        return np.asarray(np.maximum(chords.min(axis=0), 0.0))


def _by_length(blocks: Ints) -> Iterator[Ints]:
    """The blocks as they are, then with their neighbours by 2, 4, 8 and so on, while enough are left."""
    multiple = 1
    while (groups := len(blocks) // multiple) >= (_LEAST_BLOCKS if multiple == 1 else _LEAST_MERGED):
        yield np.add.reduceat(blocks, np.arange(groups) * multiple, axis=0)
        multiple *= 2


def _against_the_whole(bins: Bins, blocks: Ints) -> tuple[Floats, Ints, Floats]:
    """The shares of all blocks, the lengths of each, and what part of the whole it is; shape (blocks, columns)."""
    whole = blocks.sum(axis=0)
    total = np.maximum(bins.total(whole), 1)
    lengths = np.array([bins.total(b) for b in blocks])
    part = np.minimum(lengths / total, 0.5)                      # a block that holds nearly all says nothing of noise
    return whole / total[bins.column], lengths, part


def _overdispersion(bins: Bins, blocks: Ints) -> tuple[int, Floats, Floats, Floats]:
    """How many blocks of one length there are, their mean length, phi and kappa by column.

    The squared deviations of f + 1 blocks from their whole have f degrees of freedom; sum(eigenvalue²), unbiased for
    normal deviations, gives Satterthwaite's degrees of freedom of a block's X².
    """
    shares, lengths, part = _against_the_whole(bins, blocks)
    each = [pearson(bins, b, n, shares, 1 / (1 - p)) for b, n, p in zip(blocks, lengths, part, strict=True)]
    x2, mean = np.sum([p.x2 for p in each], axis=0), np.sum([p.mean for p in each], axis=0)
    phi = np.maximum(np.divide(x2, mean, out=np.ones_like(x2), where=mean > 0), 1.0)

    f = len(blocks) - 1
    independent = np.mean([p.df for p in each], axis=0)
    kappa = np.ones(phi.size)
    z = np.array([p.z for p in each])
    ends = np.r_[bins.offsets, bins.size]
    for i in range(phi.size):
        gram = z[:, ends[i] : ends[i + 1]] @ z[:, ends[i] : ends[i + 1]].T / len(blocks)
        trace = float(np.trace(gram))
        squares = f * f / ((f - 1) * (f + 2)) * (float((gram**2).sum()) - trace**2 / f)
        if squares > 0:
            kappa[i] = np.clip(trace**2 / squares, 1.0, independent[i]) / independent[i]
    return len(blocks), lengths.mean(axis=0), phi, kappa


def _of_components(bins: Bins, blocks: Ints) -> tuple[int, Floats, Floats, Floats]:
    """The same of the components along location and spread."""
    shares, lengths, part = _against_the_whole(bins, blocks)
    along = scores(bins, shares)
    pairs = zip(blocks, lengths, part, strict=True)
    moved = np.array([components(bins, along, b, n, shares, 1 / (1 - p)) for b, n, p in pairs])
    phi = np.maximum((moved**2).sum(axis=(0, 1)) / (2 * len(blocks)), 1.0)
    gram, f = np.einsum("bic,bjc->cij", moved, moved) / len(blocks), len(blocks) - 1
    trace = np.trace(gram, axis1=1, axis2=2)
    squares = f * f / ((f - 1) * (f + 2)) * ((gram**2).sum(axis=(1, 2)) - trace**2 / f)
    df = np.clip(trace**2 / np.where(squares > 0, squares, np.inf), 1.0, 2.0)
    return len(blocks), lengths.mean(axis=0), phi, df / 2


_TAIL = (1 - CONFIDENCE) / 2


class Evidence(NamedTuple):
    """What a window says against "nothing changed", by column.

    ``statistic`` is X² over its noise, with ``df`` degrees of freedom and as its mean: the ``share`` of those of
    independent rows that is left. ``v`` is the sum of (p - q)² / p for one unit of it, and ``z`` the normal quantile of
    ``CONFIDENCE``, or Student's where the noise itself is an estimate.
    """

    p_value: Floats
    statistic: Floats
    df: Floats
    share: Floats
    v: Floats
    z: Floats

    def bounds(self, size: Floats, unit: Floats, df: Floats) -> tuple[Floats, Floats]:
        """What is left without noise of a sum of squares, at ``CONFIDENCE``: its noise has mean ``unit * df``.

        They hold for a noncentral χ² by the normal approximation of its square root. The lower is 0 where the p-value
        does not reach half of 1 - ``CONFIDENCE``. A sum below the mean of its noise is luck, or noise taken too high:
        it bounds the effect no closer than the mean does.
        """
        statistic = size / np.where(unit > 0, unit, 1.0)
        low = np.where(self.p_value > _TAIL, 0.0, _noncentrality(statistic, df, -self.z))
        return low * unit, _noncentrality(np.maximum(statistic, df), df, self.z) * unit


def weigh(bins: Bins, noise: Noise, ordered: Noise, reference: Ints, current: Ints) -> Evidence:
    """Compare the bins of a window with the reference's, at the noise of both; columns without rows have p 1.

    The p-value is of X² / phi under F with Satterthwaite's degrees of freedom (and those of the blocks that phi comes
    from). An ordered column is tested along location and spread as well: twice the smaller p-value (Bonferroni).
    """
    n, total = bins.total(current), bins.total(reference)
    n_safe, total_safe = np.maximum(n, 1.0), np.maximum(total, 1.0)
    shares = (reference + current) / (n_safe + total_safe)[bins.column]
    found = pearson(bins, current, n, shares, (n_safe + total_safe) / total_safe)

    phi, df, df2 = _between(noise, n_safe, total_safe, found.df)
    unit = phi * np.where(found.mean > 0, found.mean, 1.0) / df
    statistic = found.x2 / unit
    p_value = np.asarray(special.fdtrc(df, df2, statistic / df), np.float64)

    along = scores(bins, shares)
    moved = components(bins, along, current, n_safe, shares, (n_safe + total_safe) / total_safe)
    over, two, two2 = _between(ordered, n_safe, total_safe, np.full_like(n_safe, 2.0))
    p_ordered = special.fdtrc(two, two2, (moved**2).sum(axis=0) / (2 * over))
    has = np.logical_or.reduceat((along != 0).any(axis=0), bins.offsets)
    p_value = np.where(has, np.minimum(2 * np.minimum(p_value, p_ordered), 1.0), p_value)

    z = np.asarray(special.stdtrit(df2, 1 - _TAIL), np.float64)
    return Evidence(p_value, statistic, df, df / found.df, unit * (1 / n_safe + 1 / total_safe), z)


def _between(noise: Noise, n: Floats, total: Floats, df: Floats) -> tuple[Floats, Floats, Floats]:
    """Of a sample of ``n`` rows and one of ``total``: phi of their difference, what is left of ``df``, and the degrees
    of freedom that phi itself is known with."""
    phi, kappa, blocks = noise.at(n)
    other, _, _ = noise.at(total)
    left = np.maximum(df * kappa, 1.0)
    return (phi / n + other / total) / (1 / n + 1 / total), left, np.minimum((blocks - 1) * left, _MANY)


def _noncentrality(statistic: Floats, df: Floats, z: Floats) -> Floats:
    """The noncentrality whose square-root-normal approximation has ``statistic`` at ``-z`` standard deviations."""
    root = np.sqrt(statistic)
    result = np.maximum(statistic - df, 0.0)
    for _ in range(6):           # a fixed point, within 0.6 of the exact bound (tests/unit/test_noise.py)
        variance = (df + 2 * result) / (2 * (df + result))
        result = np.maximum(np.maximum(root + z * np.sqrt(variance), 0.0) ** 2 + variance - df, 0.0)
    return result
