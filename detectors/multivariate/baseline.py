"""A reference for multivariate drift: its geometry, and the noise of its blocks in it.

Each metric rests on a vector of means of a window less the reference's: of the reconstruction error, of the columns, of
the columns and their products, of the waves of a kernel. Its square, in the metric's own geometry, has a mean under
"nothing changed" that is learnt from contiguous blocks of the reference, merged with their neighbours to see how it
grows with the length of a window; and degrees of freedom, fewer than dimensions where few directions carry the noise or
rows have heavy tails. Rows may so depend on each other.

Sources: Box, "Some theorems on quadratic forms", Ann. Math. Stat. 25 (1954), and Satterthwaite, "An approximate
distribution of estimates of variance components", Biometrics Bulletin 2 (1946), for the degrees of freedom; Bhatia,
Jain and Lim, "On the Bures-Wasserstein distance between positive definite matrices", Expositiones Mathematicae 37
(2019); Hawkins, "Using U statistics to derive the asymptotic distribution of Fisher's Z statistic", American
Statistician 43 (1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from detectors.noise import Noise
from detectors.summaries.projection import Moments, Projection
from detectors.summaries.summary import Floats, Ints

_LEAST_BLOCKS, _LEAST_MERGED, _LEAST_FOR_TAILS = 4, 8, 32
_PRIOR = 8

ERROR, MEAN, FRECHET, MMD = range(4)
"""The columns of the noise; behind them are the pairs."""
_LEAST_VARIANCE = 2.0**-8         # of a direction of z, whose rounding alone has 2**-12 / 12
_LEAST_ERROR = 2.0**-16 / 12      # the variance of an error's rounding
_MOST_CORRELATION = 0.999         # beyond it Fisher's z tells rounding from rounding

Pairs = tuple[Ints, Ints]


@dataclass(frozen=True, eq=False)
class Baseline:
    """A reference as multivariate drift needs it: the sums of all its rows, and the noise its blocks show.

    ``noise`` has one column for each of the first four metrics and one for each pair: its ``phi`` is the mean square of
    the metric's vector for one row's worth of a window, its ``kappa`` the degrees of freedom.
    """

    projection: Projection
    sums: Floats
    noise: Noise

    @classmethod
    def learn(cls, projection: Projection, blocks: Floats) -> Baseline:
        """From the sums of contiguous blocks of the reference in time order, shape (blocks, size), best 64 or more.

        >>> x = np.random.default_rng(1).standard_normal((640, 3))
        >>> projection = Projection.fit(x, ("a", "b", "c"))
        >>> baseline = Baseline.learn(projection, np.array([projection.sums(part) for part in np.split(x, 64)]))
        >>> baseline.noise.blocks.tolist(), baseline.noise.lengths[:, 0].tolist()
        ([64, 32, 16, 8], [10.0, 20.0, 40.0, 80.0])
        """
        whole = blocks.sum(axis=0) if len(blocks) else np.zeros(projection.size)
        geometry = Geometry(projection.moments(whole), projection.upper)
        blocks = blocks[blocks[:, 0] >= 2]
        found: list[tuple[int, Floats]] = []
        multiple = 1
        while (groups := len(blocks) // multiple) >= (_LEAST_BLOCKS if multiple == 1 else _LEAST_MERGED):
            merged = np.add.reduceat(blocks, np.arange(groups) * multiple, axis=0)
            found.append((groups, _spread(geometry, projection.moments(merged))))
            multiple *= 2
        columns = 4 + geometry.pairs[0].size
        many = np.array([groups for groups, _ in found], np.int64)
        lengths, phi, df, tails = np.array([spread for _, spread in found]).reshape(-1, 4, columns).swapaxes(0, 1)
        # The longer a window, the fewer directions carry its noise; while tails that are not normal grow lighter.
        falling = np.minimum.accumulate(df) if found else df
        df = np.minimum(falling, tails)
        phi[:, 4:], df[:, 4:] = _moderated(phi[:, 4:], many)
        return cls(projection, whole, Noise(lengths, phi, df, many))

    @cached_property
    def moments(self) -> Moments:
        return self.projection.moments(self.sums)

    @cached_property
    def geometry(self) -> Geometry:
        return Geometry(self.moments, self.projection.upper)

    def noise_at(self, n: float) -> tuple[Floats, Floats, Floats]:
        """By column of ``noise``, for a window of ``n`` rows: its phi, degrees of freedom and number of blocks."""
        return self.noise.at(np.full(self.noise.lengths.shape[1], n))

    @cached_property
    def mean_noise(self) -> float:
        """The mean square of the noise of the reference's mean, in deviations, over all dimensions."""
        total = float(self.moments.n)
        return float(self.noise_at(total)[0][MEAN]) / total

    def arrays(self) -> dict[str, Floats | Ints]:
        """What to store beside the projection; ``Baseline.load`` reads it."""
        return {"sums": self.sums, "lengths": self.noise.lengths, "phi": self.noise.phi, "kappa": self.noise.kappa,
                "blocks": self.noise.blocks}  # fmt: skip

    @classmethod
    def load(cls, projection: Projection, arrays: dict[str, Any]) -> Baseline:
        return cls(projection, arrays["sums"], Noise(*(arrays[k] for k in ("lengths", "phi", "kappa", "blocks"))))


class Geometry:
    """The reference's axes: eigenvectors and variances of its covariance, correlations, kernel; and vectors in them."""

    def __init__(self, reference: Moments, upper: Pairs) -> None:
        self.reference, self.upper = reference, upper
        inner = upper[0] < upper[1]
        self.pairs = upper[0][inner], upper[1][inner]
        values, self.axes = np.linalg.eigh(reference.covariance)
        self.raw = np.maximum(values, 0.0)
        self.variances = np.maximum(values, _LEAST_VARIANCE)
        i, j = upper
        self.weights = np.sqrt(np.where(i == j, 0.5, 1.0) / (self.variances[i] + self.variances[j]))
        self.deviations = np.sqrt(np.maximum(np.diagonal(reference.covariance), _LEAST_VARIANCE))
        self.correlations = np.nan_to_num(correlations(reference.covariance, self.pairs))

    def vectors(self, m: Moments) -> tuple[Floats, Floats, Floats, Floats]:
        """Of error, mean, mean and covariance, and waves: arrays (..., 1), (..., r), (..., r + r(r+1)/2), (..., 2D).

        The third's square is the Fréchet distance's near the reference: the metric of Bures in its eigenbasis,
        sum of c_ij² / 2(l_i + l_j) over all i, j for a change c of the covariance with eigenvalues l.
        """
        r = self.reference
        along = (m.mean - r.mean) @ self.axes
        i, j = self.upper
        change = (np.swapaxes(self.axes, 0, 1) @ (m.covariance - r.covariance) @ self.axes)[..., i, j] * self.weights
        wave = (m.wave - r.wave) / np.sqrt(max(r.wave.shape[-1], 1))
        return (
            np.asarray(m.error - r.error)[..., None],
            along / np.sqrt(self.variances),
            np.concatenate([along, change], axis=-1),
            np.concatenate([wave.real, wave.imag], axis=-1),
        )

    def influence(self, m: Moments) -> Floats:
        """What a block does to Fisher's z of each pair, to first order: shape (..., pairs)."""
        i, j = self.pairs
        shift = m.mean - self.reference.mean
        products = m.covariance + shift[..., :, None] * shift[..., None, :]
        products = products / (self.deviations[:, None] * self.deviations)
        rho = self.correlations
        own = (products[..., i, i] + products[..., j, j]) / 2
        return np.asarray((products[..., i, j] - rho * own) / (1 - rho**2))

    @cached_property
    def least(self) -> Floats:
        """The mean squares that independent rows would have, as far as the sums tell: noise is not below it."""
        r = self.reference
        kernel = 1 - float((np.abs(r.wave) ** 2).mean()) if r.wave.size else 0.0
        means = [max(float(r.error_variance), _LEAST_ERROR), float(self.variances.size), float(self.raw.sum()), kernel]
        return np.asarray(np.maximum(np.r_[means, np.ones(self.pairs[0].size)], _LEAST_ERROR), np.float64)


def correlations(covariance: Floats, pairs: Pairs) -> Floats:
    """Of each pair, shape (pairs,), cut at 0.999; NaN where a column does not vary."""
    i, j = pairs
    variance = np.diagonal(covariance)
    product = variance[i] * variance[j]
    rho = np.divide(covariance[i, j], np.sqrt(product), out=np.full(i.size, np.nan), where=product > 0)
    return np.asarray(np.clip(rho, -_MOST_CORRELATION, _MOST_CORRELATION), np.float64)


def _spread(geometry: Geometry, blocks: Moments) -> Floats:
    """Mean length, mean square for one row's worth, degrees of freedom and their limit by tails; shape (4, columns).

    A block is a part of the whole it is compared with: its deviation has 1/n - 1/N of a row's variance.
    """
    total = max(float(geometry.reference.n), 1.0)
    part = np.minimum(blocks.n / total, 0.5)
    scale = np.sqrt(blocks.n / (1 - part))[:, None]
    vectors = [v * scale for v in geometry.vectors(blocks)]
    squares = np.array([(v**2).sum(axis=1) for v in vectors])
    pairs = ((geometry.influence(blocks) * scale) ** 2).mean(axis=0)
    ones = np.ones(pairs.size)
    return np.array([
        np.full(4 + pairs.size, blocks.n.mean()),
        np.maximum(np.r_[squares.mean(axis=1), pairs], geometry.least),
        np.r_[[_degrees(v) for v in vectors], ones],
        np.r_[_tails(squares), ones],
    ])  # fmt: skip


def _tails(squares: Floats) -> Floats:
    """The degrees of freedom at which a χ² varies as the squares of the blocks do, (metrics, blocks); at least 1.

    Where rows have heavy tails the square of a mean has them too. From fewer than 32 blocks this is not told.
    """
    if squares.shape[1] < _LEAST_FOR_TAILS:
        return np.full(len(squares), np.inf)
    variance = squares.var(axis=1, ddof=1)
    ratio = 2 * squares.mean(axis=1) ** 2 / np.maximum(variance, np.finfo(np.float64).tiny)
    return np.asarray(np.maximum(ratio, 1.0), np.float64)


def _moderated(phi: Floats, blocks: Ints) -> tuple[Floats, Floats]:
    """The noise of pairs by length, and by how much its degrees of freedom grow, shape (lengths, pairs).

    Few long blocks tell little of one pair. They count together with 8 more that grow with length as all pairs do on
    average, from what this pair has in the shortest: Smyth (2004), Stat. Appl. Genet. Mol. Biol. 3(1).
    """
    if not phi.size:
        return phi, np.ones_like(phi)
    f = (blocks - 1.0)[:, None]
    prior = phi[0] * (phi.mean(axis=1) / phi[0].mean())[:, None]
    growth = 1 + _PRIOR / f
    growth[0] = 1.0
    return (f * phi + _PRIOR * prior) / (f + _PRIOR), np.broadcast_to(growth, phi.shape)


def _degrees(vectors: Floats) -> float:
    """Satterthwaite's degrees of freedom of the square of a vector, unbiased for normal ones: tr(C)² / tr(C²)."""
    f = len(vectors) - 1
    gram = vectors @ vectors.T / len(vectors)
    trace = float(np.trace(gram))
    squares = f * f / ((f - 1) * (f + 2)) * (float((gram**2).sum()) - trace**2 / f)
    return float(np.clip(trace**2 / squares, 1.0, vectors.shape[1])) if squares > 0 else 1.0
