"""DLE: the errors of a regression that are to be expected of a window's inputs, before the actual values are known.

An additive model of the absolute and of the squared error over the bins of the features and of the predicted value: in
the manner of NannyML's direct loss estimation, from sums alone. The mean over a window's rows of a sum over their bins
is a sum over the bins' shares, so an estimate needs the counts of the bins and no row. What two features do together is
lost; and like any model of the errors it does not see a change in how inputs and outcomes go together.

The mean error itself (bias) has no estimate: what the inputs could say of its sign, the model that made the predictions
could have said as well, and what is left is a change that no input shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from statistics import NormalDist

import numpy as np

from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.summaries.summary import Floats, Ints

Named = tuple[str, Measurement]

_METRICS = ("mae", "rmse")
_SHRINKAGE = 20.0            # ridge penalty in rows: a bin of so many rows is drawn half of the way to the mean
_BLOCKS = 10                 # of the reference, each held out once
_MOST_ERROR = 1e60           # as in the fold
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """What each bin adds to the mean of the reference's absolute and squared errors.

    Bins are numbered through, one column's behind the other's; the missing values of a column are a bin of their own.
    ``shares`` are those of the reference's rows by bin, shape (bins,), each column's summing to 1. ``means`` (2,) and
    ``coefficients`` (2, bins) are of the absolute and the squared error.

    The rest is for the interval. ``variation`` (2,) is the squared coefficient of variation of what the model leaves of
    single rows; ``covariance`` (bins, bins) that of the coefficients, for rows of variance 1; ``wander`` (2,) how far
    the estimate is off, as a standard deviation, in stretches of the reference that it was not fitted on, beyond what
    independent rows explain; ``n`` the reference's rows.

    >>> rng = np.random.default_rng(1)
    >>> wet = np.arange(4_000) % 2                                  # one column: dry is bin 0, wet is bin 1
    >>> model = ErrorModel.fit(wet[:, None], rng.normal(0, 1 + wet), bins=2)
    >>> [round(dict(model.estimate(np.array(rows)))["estimated_mae"].value, 1) for rows in ([400, 0], [0, 400])]
    [0.8, 1.6]
    """

    shares: Floats
    means: Floats
    coefficients: Floats
    variation: Floats
    covariance: Floats
    wander: Floats
    n: int

    @classmethod
    def fit(cls, codes: Ints, errors: Floats, bins: int) -> ErrorModel | None:
        """From the reference's rows in the order of time; those without an actual value, whose error is NaN, are left
        out.

        ``codes`` holds the bin of each row in each column, shape (n, columns), numbered through from 0 to ``bins`` - 1;
        ``errors`` predicted minus actual, shape (n,); beyond 1e60 they count as that. Least squares with a ridge
        penalty (Hoerl and Kennard, Technometrics 12 (1970)) on the bins' indicators less their mean: a window like the
        reference has the reference's error exactly, and a bin in which the reference has no row adds nothing. ``None``
        with fewer than two rows: there is nothing to learn from. Takes O(n columns^2 + bins^3).
        """
        known = ~np.isnan(errors)
        codes, size = codes[known], np.minimum(np.abs(errors[known]), _MOST_ERROR)
        n = len(codes)
        if n < 2:
            return None
        unit = float(size.max()) or 1.0                      # so that no power overflows
        targets = np.stack([size / unit, (size / unit) ** 2], axis=1)
        cuts = np.linspace(0, n, min(_BLOCKS, n) + 1).astype(int)
        blocks = _Sums.of(codes, targets, bins, cuts)
        whole = blocks.sum()
        covariance, coefficients = whole.solve()
        fitted = sum((coefficients[column] for column in codes.T), whole.means - whole.shares @ coefficients)
        left = ((targets - fitted) ** 2).mean(axis=0)
        variation = left / np.where(whole.means > 0, whole.means, 1.0) ** 2
        wander = np.sqrt(np.maximum(_beyond_chance(whole - blocks, blocks, left).mean(axis=0), 0.0))
        power = unit ** np.array([1.0, 2.0])
        return cls(
            whole.shares, whole.means * power, (coefficients * power).T, variation, covariance, wander * power, n
        )

    def arrays(self) -> dict[str, Floats | Ints]:
        """What ``load`` reads, under names that begin with ``error.``."""
        floats = {f"error.{f.name}": getattr(self, f.name) for f in fields(self) if f.name != "n"}
        return {**floats, "error.n": np.array([self.n])}

    @classmethod
    def load(cls, arrays: Mapping[str, Floats | Ints]) -> ErrorModel | None:
        """The model that ``arrays`` wrote, ``None`` where there is none among them."""
        if "error.n" not in arrays:
            return None
        rest = {f.name: arrays[f"error.{f.name}"] for f in fields(cls) if f.name != "n"}
        return cls(**rest, n=int(arrays["error.n"][0]))  # type: ignore[arg-type]

    def estimate(self, counts: Ints) -> list[Named]:
        """Estimated mean absolute error and root of the mean squared error of a window, from its rows by bin.

        ``counts`` has shape (bins,); each column's sum to the number of rows. Values are at least 0, and the root of
        the mean square at least the mean. The interval says where the realised figure of these rows is to be expected:
        by the spread of single errors, taken to grow with their mean, by what the reference leaves unknown of the
        coefficients, and by ``wander``. It does not cover a change of concept greater than the reference's own.
        """
        n = int(counts.sum()) // round(float(self.shares.sum()))
        if n == 0:
            return [(f"estimated_{metric}", Measurement.unknown(Reason.EMPTY_WINDOW)) for metric in _METRICS]
        change = counts / n - self.shares
        mae, mse = np.maximum(self.means + self.coefficients @ change, 0.0).tolist()
        values = np.array([mae, max(mse, mae**2)])
        unsure = float(change @ self.covariance @ change) + 1 / self.n
        half = _Z * np.sqrt(self.variation * (values**2 / n + self.means**2 * unsure) + self.wander**2)
        estimates = np.stack([values, np.maximum(values - half, 0.0), values + half])
        estimates[:, 1] **= 0.5
        return [
            (f"estimated_{metric}", Measurement(value, n, (low, high)))
            for metric, (value, low, high) in zip(_METRICS, estimates.T.tolist(), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class _Sums:
    """What least squares needs of some rows, additive, for one set of rows or for several, each in a first dimension.

    ``together`` (bins, bins) counts the rows in two bins at once, ``by_bin`` (bins, 2) sums the targets by bin,
    ``total`` (2,) in all, ``n`` () counts the rows.
    """

    together: Floats
    by_bin: Floats
    total: Floats
    n: Floats

    @classmethod
    def of(cls, codes: Ints, targets: Floats, bins: int, cuts: Ints) -> _Sums:
        """Of the blocks of rows between ``cuts``, none of them empty."""
        sizes = np.diff(cuts)
        block = np.repeat(np.arange(sizes.size), sizes)
        cells = (block[:, None] * bins + codes).ravel()
        by_bin = [np.bincount(cells, np.repeat(t, codes.shape[1]), sizes.size * bins) for t in targets.T]
        total = np.add.reduceat(targets, cuts[:-1])
        together = _together(codes, bins, block, sizes.size)
        return cls(together, np.array(by_bin, np.float64).T.reshape(-1, bins, 2), total, sizes.astype(np.float64))

    def sum(self) -> _Sums:
        return _Sums(*(part.sum(axis=0) for part in (self.together, self.by_bin, self.total, self.n)))

    def __sub__(self, o: _Sums) -> _Sums:
        return _Sums(self.together - o.together, self.by_bin - o.by_bin, self.total - o.total, self.n - o.n)

    @property
    def shares(self) -> Floats:
        shares: Floats = np.diagonal(self.together, axis1=-2, axis2=-1) / self.n[..., None]
        return shares

    @property
    def means(self) -> Floats:
        return self.total / self.n[..., None]

    def solve(self) -> tuple[Floats, Floats]:
        """Covariance (bins, bins) and coefficients (bins, 2), on indicators and targets less their means."""
        outer = self.shares[..., :, None] * self.shares[..., None, :]
        penalised = self.together - self.n[..., None, None] * outer + _SHRINKAGE * np.eye(outer.shape[-1])
        covariance = np.asarray(np.linalg.inv(penalised), np.float64)
        return covariance, covariance @ (self.by_bin - self.shares[..., :, None] * self.total[..., None, :])


def _together(codes: Ints, bins: int, block: Ints, blocks: int) -> Floats:
    """Rows by block and any two bins: shape (blocks, bins, bins). Each pair of columns is counted in its own bins."""
    low, width = codes.min(axis=0), np.ptp(codes, axis=0) + 1
    own = np.ascontiguousarray((codes - low).T)
    at = [slice(start, start + size) for start, size in zip(low, width, strict=True)]
    out = np.zeros((blocks, bins, bins))
    for i in range(len(own)):
        first = block * width[i] + own[i]
        for j in range(i, len(own)):
            shape = blocks, width[i], width[j]
            counts = np.bincount(first * width[j] + own[j], minlength=int(np.prod(shape))).reshape(shape)
            out[:, at[i], at[j]] = counts
            out[:, at[j], at[i]] = counts.swapaxes(1, 2)
    return out


def _beyond_chance(rest: _Sums, block: _Sums, left: Floats) -> Floats:
    """The square of how far ``rest`` misses each block's mean error, less what independent rows would miss it by."""
    covariance, coefficients = rest.solve()
    change = block.shares - rest.shares
    missed = rest.means + np.einsum("bi,bij->bj", change, coefficients) - block.means
    unsure = 1 / block.n + 1 / rest.n + np.einsum("bi,bij,bj->b", change, covariance, change)
    beyond: Floats = missed**2 - unsure[:, None] * left
    return beyond
