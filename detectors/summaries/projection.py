"""Rows of many numeric columns, or of an embedding, as sums from which drift of all columns together is measured.

Every number on the way is rounded to a fixed point: the standardised value to 2**-6, weights to 2**-10, what is summed
to steps so coarse that a double holds the sum exactly. So dot products do not depend on the order in which a linear
algebra library adds, and the sums of a window are the same, whatever the split, order and tree of merges, up to 2**33
in magnitude; beyond it each merge errs by at most one part in 2**53.

Sources: Rahimi and Recht, "Random features for large-scale kernel machines", NeurIPS (2007), for the random Fourier
features; Gretton et al., "A kernel two-sample test", JMLR 13 (2012), for the median heuristic of their bandwidth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from detectors.summaries.summary import Floats, Ints, quantise

MOST_DIMENSIONS = 32
"""Up to so many columns keep all their cross products; of more, their first so many principal components do."""

KEPT_VARIANCE = 0.65          # what the components of up to 32 columns keep, as in NannyML
FREQUENCIES = 32

_CLIP = 8.0                   # standard deviations
_Z, _WEIGHT, _ERROR, _WAVE = 2.0**-6, 2.0**-10, 2.0**-8, 2.0**-20
_PHASES = 256                 # steps of a full turn
_CELLS = 2**16                # cells of a matrix that are worked on at a time, so that they stay in cache
_LEAST_ROWS = 256
_FIT_CELLS, _FIT_ROWS, _DISTANCE_ROWS = 2**22, 2**16, 512
_SEED = 2007
_LARGEST, _NORMAL_IQR, _NEAR = 1e300, 1.349, 0.5
_FLAT = 1e-9                  # of the largest variance; a component of less has no direction of its own

Matrix = npt.NDArray[np.floating]


class Moments(NamedTuple):
    """Sums read back. A leading shape (...) is that of the sums: one window, or one each of many blocks.

    ``n`` rows, ``missing`` values, mean reconstruction ``error`` and its variance, ``mean`` (..., r) and
    ``covariance`` (..., r, r; divisor n - 1), mean ``wave`` (..., D), complex. Where n < 2, the spreads are 0.
    """

    n: Floats
    missing: Floats
    error: Floats
    error_variance: Floats
    mean: Floats
    covariance: Floats
    wave: npt.NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Projection:
    """What the rows are measured by, fitted on a reference: shapes with d ``kept`` columns of the matrix's.

    A column that does not vary in the reference is not kept. z = (x - ``centre``) / ``scale``, clipped to 8 standard
    deviations; a missing value is 0, the mean, and counted. ``components`` (d, q): principal components of the
    reference; the error of a row is the length of what they leave of it. Of more than 32 columns u (n, r) are the
    rows' coordinates in them, of fewer u is z itself. ``frequencies`` (r, D), in 1/256 turns.

    >>> x = np.array([[0.0, 1.0, 5.0], [2.0, 3.0, 5.0], [4.0, 0.0, 5.0], [2.0, np.nan, 5.0]])
    >>> p = Projection.fit(x, ("a", "b", "c"))
    >>> p.dimensions, p.components.shape, p.size
    (('a', 'b'), (2, 1), 73)
    >>> np.array_equal(p.sums(x[:1]) + p.sums(x[1:]), p.sums(x)), p.moments(p.sums(x)).missing
    (True, array(1.))
    """

    names: tuple[str, ...]
    kept: Ints
    centre: Floats
    scale: Floats
    components: Floats
    frequencies: Floats

    @classmethod
    def fit(cls, matrix: Matrix, names: Sequence[str], frequencies: int = FREQUENCIES) -> Projection:
        """From the reference's rows (n, columns) with NaN for missing; of many rows, from evenly spaced ones."""
        if frequencies < 1:
            raise ValueError(f"a kernel needs a frequency, and these are {frequencies}")
        rows = min(_FIT_ROWS, max(_FIT_CELLS // max(matrix.shape[1], 1), _LEAST_ROWS))
        sample = _evenly(matrix, rows)
        fitted = [_standard(column) for column in sample.T]
        kept = np.array([i for i, (_, scale) in enumerate(fitted) if scale > 0], np.int64)
        centre, scale = np.array([fitted[i] for i in kept], np.float64).reshape(-1, 2).T.copy()
        bare = cls(tuple(names), kept, centre, scale, np.empty((kept.size, 0)), np.empty((0, frequencies)))
        z = bare.standardise(sample)
        turning = replace(bare, components=_principal(z))
        u = turning.coordinates(_evenly(z, _DISTANCE_ROWS))
        turns = np.random.default_rng(_SEED).standard_normal((u.shape[1], frequencies)) / (2 * np.pi * _distance(u))
        return replace(turning, frequencies=quantise(turns * _PHASES, _WEIGHT))

    @property
    def rotated(self) -> bool:
        """Whether u are coordinates in the principal components, and not the columns themselves."""
        return self.kept.size > MOST_DIMENSIONS

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of u's r columns."""
        if self.rotated:
            return tuple(f"component {i + 1}" for i in range(MOST_DIMENSIONS))
        return tuple(self.names[i] for i in self.kept)

    @property
    def size(self) -> int:
        """How many sums there are: n, missing, error, error²; u; the upper triangle of u uᵀ; cosines; sines."""
        r, waves = self.frequencies.shape
        return int(4 + r + r * (r + 1) // 2 + 2 * waves)

    @cached_property
    def upper(self) -> tuple[Ints, Ints]:
        """Rows and columns of the upper triangle of an (r, r) matrix, in the order of the sums."""
        return np.triu_indices(len(self.frequencies))

    def standardise(self, matrix: Matrix) -> Floats:
        """z of the kept columns, shape (n, d), in multiples of 2**-6; missing values are 0."""
        return self._cells(matrix)[0] * _Z

    def coordinates(self, z: Floats) -> Floats:
        """u of standardised rows, shape (n, r), in multiples of 2**-6."""
        return quantise(z @ self.components, _Z) if self.rotated else z

    def sums(self, matrix: Matrix) -> Floats:
        """The sums of rows (n, columns), shape (size,). Adding and subtracting them merges and takes back.

        Rows and columns may lie in either order in memory. Whether a value is missing is told by NaN.
        """
        total = np.zeros(self.size)
        step = max(_CELLS // max(matrix.shape[1], 1), _LEAST_ROWS)
        for at in range(0, len(matrix), step):
            total += self._block(matrix[at : at + step])
        return total

    def sums_by(self, matrix: Matrix, codes: Ints, strata: int) -> Floats:
        """The sums of each stratum, shape (strata, size); ``codes`` (n,) tell each row's, 0 to ``strata`` - 1."""
        if codes.size and (np.diff(codes) < 0).any():
            order = np.argsort(codes, kind="stable")
            matrix, codes = matrix[order], codes[order]
        ends = np.searchsorted(codes, np.arange(strata + 1))
        return np.array([self.sums(matrix[a:b]) for a, b in pairwise(ends)]).reshape(strata, self.size)

    def _cells(self, matrix: Matrix) -> tuple[Floats, int]:
        """z in units of its step, whole numbers, and how many values were missing."""
        x = matrix if self.kept.size == matrix.shape[1] else matrix[:, self.kept]
        with np.errstate(over="ignore"):
            z = np.subtract(x, self.centre, dtype=np.float64)      # keeps the order in memory that x has
            z *= 1 / (self.scale * _Z)
        absent = np.isnan(z)
        if missing := int(np.count_nonzero(absent)):
            z[absent] = 0.0
        np.clip(z, -_CLIP / _Z, _CLIP / _Z, out=z)
        np.rint(z, out=z)
        return z, missing

    def _block(self, x: Matrix) -> Floats:
        z, missing = self._cells(x)
        scores = z @ self.components
        u = np.rint(scores) if self.rotated else z
        left = np.einsum("ij,ij->i", z, z) - np.einsum("ij,ij->i", scores, scores)
        error = quantise(np.sqrt(np.maximum(left, 0.0)) * _Z, _ERROR)
        turned = u @ (self.frequencies * _Z)
        turned += 2.0**30       # whole turns that make all phases positive, so that cutting them rounds one way
        wave = _TABLE.take(turned.astype(np.int64) & (_PHASES - 1)).sum(axis=0)
        head = [len(x), missing, error.sum(), error @ error]
        return np.concatenate([head, u.sum(axis=0) * _Z, (u.T @ u)[self.upper] * _Z**2, wave.real, wave.imag])

    def moments(self, sums: Floats) -> Moments:
        """Read sums of shape (..., size)."""
        r, d = self.frequencies.shape
        n, missing, error, error2 = (sums[..., i] for i in range(4))
        rows = np.maximum(n, 1.0)
        divisor = np.maximum(n - 1.0, 1.0)
        total = sums[..., 4 : 4 + r]
        second = np.zeros((*sums.shape[:-1], r, r))
        i, j = self.upper
        second[..., i, j] = second[..., j, i] = sums[..., 4 + r : self.size - 2 * d]
        mean = total / rows[..., None]
        covariance = (second - total[..., :, None] * mean[..., None, :]) / divisor[..., None, None]
        variance = np.maximum(error2 - error**2 / rows, 0.0) / divisor
        waves = (sums[..., self.size - 2 * d : self.size - d] + 1j * sums[..., self.size - d :]) / rows[..., None]
        return Moments(n, missing, error / rows, variance, mean, covariance, np.asarray(waves, np.complex128))

    def to_json(self) -> dict[str, Any]:
        """Plain values; weights as whole numbers of their step."""
        return {
            "names": list(self.names),
            "kept": self.kept.tolist(),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "components": (self.components / _WEIGHT).astype(np.int64).T.tolist(),
            "frequencies": (self.frequencies / _WEIGHT).astype(np.int64).T.tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Projection:
        """Read what ``to_json`` wrote."""
        kept = np.array(data["kept"], np.int64)
        d, r = kept.size, min(kept.size, MOST_DIMENSIONS)
        components = np.array(data["components"], np.float64).reshape(-1, d).T * _WEIGHT if d else np.empty((0, 0))
        waves = np.array(data["frequencies"], np.float64)
        frequencies = waves.reshape(len(waves), r).T * _WEIGHT
        centre, scale = np.array(data["centre"], np.float64), np.array(data["scale"], np.float64)
        return cls(tuple(data["names"]), kept, centre, scale, components, frequencies)


def _evenly(rows: Matrix, most: int) -> Floats:
    picked = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)] if len(rows) > most else rows
    return np.asarray(picked, np.float64)


def _standard(column: Floats) -> tuple[float, float]:
    """Mean and deviation of a column cut at 8 robust deviations from its median; deviation 0 if it does not vary."""
    x = np.clip(column[~np.isnan(column)], -_LARGEST, _LARGEST)
    if not x.size:
        return 0.0, 0.0
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75])
    away = np.abs(x - median)
    unit = (high - low) / _NORMAL_IQR or (float(np.median(away[away > 0])) if away.any() else 0.0)
    if unit < 1 / _LARGEST:
        return float(median), 0.0
    with np.errstate(over="ignore"):
        cut = np.clip((x - median) / unit, -_CLIP, _CLIP)
    return float(median + unit * cut.mean()), float(unit * cut.std())


def _principal(z: Floats) -> Floats:
    """The largest components as columns: as many as keep 65 % of the variance but leave some; 32 of more columns."""
    d = z.shape[1]
    if d < 2 or not len(z):
        return np.empty((d, 0))
    if d > MOST_DIMENSIONS:
        return quantise(_largest(z - z.mean(axis=0), MOST_DIMENSIONS), _WEIGHT)
    values, vectors = np.linalg.eigh(np.cov(z, rowvar=False, bias=True))
    kept = np.cumsum(values[::-1]) / max(float(values.sum()), _Z)
    q = min(int(np.searchsorted(kept, KEPT_VARIANCE)) + 1, d - 1)
    return quantise(vectors[:, ::-1][:, :q], _WEIGHT)


def _largest(z: Floats, q: int) -> Floats:
    """The ``q`` largest components of centred rows as columns, and no others, for to find all takes minutes. Of fewer
    rows than columns they come from the rows' own products, which are the smaller matrix."""
    n, d = z.shape
    if q < n < d:
        values, left = eigh(z @ z.T, subset_by_index=[n - q, n - 1])
        if values[0] > values[-1] * _FLAT:
            return np.asarray(z.T @ (left / np.sqrt(values)))[:, ::-1]
    return np.asarray(eigh(z.T @ z, subset_by_index=[d - q, d - 1])[1])[:, ::-1]


def _distance(u: Floats) -> float:
    """The median distance between two rows: a kernel of this bandwidth tells near from far."""
    i, j = np.triu_indices(len(u), 1)
    if not i.size or not u.shape[1]:
        return 1.0
    squares = np.einsum("ij,ij->i", u, u)
    return max(float(np.sqrt(np.median(np.maximum(squares[i] + squares[j] - 2 * (u @ u.T)[i, j], 0.0)))), _NEAR)


def _waves() -> npt.NDArray[np.complex128]:
    turn = 2 * np.pi * np.arange(_PHASES) / _PHASES
    return quantise(np.cos(turn), _WAVE) + 1j * quantise(np.sin(turn), _WAVE)


_TABLE = _waves()
