"""Drift of many columns together, from sums of a ``Projection``: what no column shows by itself.

The square of each metric's vector (``detectors.multivariate.baseline``), over the mean it has when nothing changed, is
judged by F; with fewer than 4 blocks of the reference a value stands without p-value and interval. Bounds are of the
effect without noise, as those of univariate drift.

Sources: Hotelling, "The generalization of Student's ratio", Ann. Math. Stat. 2 (1931); Dowson and Landau, "The Fréchet
distance between multivariate normal distributions", J. Multivariate Analysis 12 (1982); Gretton et al., "A kernel
two-sample test", JMLR 13 (2012); Fisher, "On the probable error of a coefficient of correlation", Metron 1 (1921);
Šidák, "Rectangular confidence regions for the means of multivariate normal distributions", JASA 62 (1967).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from detectors.multivariate.baseline import ERROR, FRECHET, MEAN, MMD, Baseline, correlations
from detectors.noise import Evidence
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.summaries.projection import Moments
from detectors.summaries.summary import Floats

METRICS = ("pca_reconstruction", "mahalanobis", "frechet", "mmd", "correlation_change")


class Finding(NamedTuple):
    """A metric of a window with the ``reference``'s own value and the ``pair`` of columns it names, if any."""

    metric: str
    measurement: Measurement
    reference: float | None = None
    pair: tuple[str, str] | None = None


def measure_multivariate(baseline: Baseline, window: Floats) -> list[Finding]:
    """All five metrics of the sums of a window, shape (size,).

    ``pca_reconstruction``: mean length of what the first components leave of a row, with the reference's;
    ``mahalanobis``: distance of the means in deviations of the reference; ``frechet``: of means and covariances;
    ``mmd``: squared maximum mean discrepancy, unbiased, so that it may be below 0; ``correlation_change``: of the pair
    whose correlation changed most against its noise, with a p-value and interval simultaneous over all pairs.

    >>> from detectors.summaries.projection import Projection
    >>> x = np.random.default_rng(1).standard_normal((6400, 2))
    >>> projection = Projection.fit(x, ("a", "b"))
    >>> baseline = Baseline.learn(projection, np.array([projection.sums(part) for part in np.split(x, 64)]))
    >>> found = {f.metric: f for f in measure_multivariate(baseline, projection.sums(np.c_[x[:99, 0], -x[:99, 0]]))}
    >>> found["correlation_change"].pair, round(found["correlation_change"].measurement.value)
    (('a', 'b'), 1)
    """
    m = baseline.projection.moments(window)
    if reason := _undefined(baseline, m):
        return [Finding(metric, Measurement.unknown(reason, round(float(m.n)))) for metric in METRICS]
    geometry = baseline.geometry
    vectors = geometry.vectors(m)
    squares = np.array([float((v**2).sum()) for v in vectors])
    weighed = _weigh(baseline, squares, float(m.n))
    n = round(float(m.n))

    def distance(metric: str, value: float, at: int, root: bool) -> Finding:
        """The bounds are those of the vector's square, in proportion to the metric's own."""
        if weighed is None:
            return Finding(metric, Measurement(value, n))
        unit = 1.0 if not root or squares[at] == 0 else value**2 / squares[at]
        low, high = weighed.low[at] * unit, weighed.high[at] * unit
        bounds = (float(np.sqrt(low)), float(np.sqrt(high))) if root else (float(low), float(high))
        return Finding(metric, Measurement(value, n, bounds, float(weighed.p_value[at])))

    return [
        _reconstruction(baseline, m, n, weighed),
        distance("mahalanobis", float(np.sqrt(squares[MEAN])), MEAN, root=True),
        distance("frechet", frechet_distance(baseline.moments, m), FRECHET, root=True),
        distance("mmd", _mmd(baseline.moments, m), MMD, root=False),
        _correlation_change(baseline, m, n),
    ]


def _undefined(baseline: Baseline, m: Moments) -> Reason | None:
    if baseline.moments.n < 2:
        return Reason.NO_REFERENCE
    if baseline.projection.kept.size < 2:
        return Reason.CONSTANT_REFERENCE
    if m.n <= 0:
        return Reason.EMPTY_WINDOW
    if m.missing >= m.n * baseline.projection.kept.size:
        return Reason.ALL_MISSING
    return Reason.TOO_FEW_SAMPLES if m.n < 2 else None


class _Weighed(NamedTuple):
    """By metric, shape (4,): the p-value of its vector's square, and the bounds of the square without noise."""

    p_value: Floats
    low: Floats
    high: Floats


def _weigh(baseline: Baseline, squares: Floats, n: float) -> _Weighed | None:
    """The reference's rows lie nearer to their own mean than others do to it: of its errors, by the noise of that mean
    over its dimensions, which only counts where a slow wander makes the reference worth few rows."""
    if not baseline.noise.blocks.size:
        return None
    mean, df, df2 = (values[:4] for values in _noise_of(baseline, n))
    own = float(baseline.moments.error) * baseline.mean_noise / baseline.geometry.variances.size
    mean = mean + np.eye(4)[ERROR] * own**2
    p_value = np.asarray(special.fdtrc(df, df2, squares / mean), np.float64)
    z = np.asarray(special.stdtrit(df2, (1 + CONFIDENCE) / 2), np.float64)
    evidence = Evidence(p_value, squares * df / mean, df, np.ones_like(df), mean / df, z)
    return _Weighed(p_value, *evidence.bounds(squares, mean / df, df))


def _noise_of(baseline: Baseline, n: float) -> tuple[Floats, Floats, Floats]:
    """Mean square of the difference of window and reference, its degrees of freedom and those it is known with."""
    phi, df, blocks = baseline.noise_at(n)
    total = float(baseline.moments.n)
    return phi / n + baseline.noise_at(total)[0] / total, df, (blocks - 1) * df


def _reconstruction(baseline: Baseline, m: Moments, n: int, weighed: _Weighed | None) -> Finding:
    """The mean error with Student's interval over blocks; its p-value is of the difference from the reference's."""
    value, reference = float(m.error), float(baseline.moments.error)
    if weighed is None:
        return Finding("pca_reconstruction", Measurement(value, n), reference)
    phi, _, blocks = (values[ERROR] for values in baseline.noise_at(float(m.n)))
    spread = max(float(phi), float(m.error_variance))
    half = float(special.stdtrit(blocks - 1, (1 + CONFIDENCE) / 2)) * float(np.sqrt(spread / float(m.n)))
    bounds = max(value - half, 0.0), value + half
    return Finding("pca_reconstruction", Measurement(value, n, bounds, float(weighed.p_value[ERROR])), reference)


def frechet_distance(a: Moments, b: Moments) -> float:
    """Between normal distributions of these means and covariances, in deviations: the root of
    |m_a - m_b|² + tr(C_a + C_b - 2 (C_a^½ C_b C_a^½)^½)."""
    values, axes = np.linalg.eigh(a.covariance)
    root = axes * np.sqrt(np.maximum(values, 0.0))
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ b.covariance @ root), 0.0)).sum()
    traces = float(np.trace(a.covariance) + np.trace(b.covariance))
    return float(np.sqrt(max(float(((a.mean - b.mean) ** 2).sum()) + traces - 2 * float(cross), 0.0)))


def _mmd(a: Moments, b: Moments) -> float:
    """The kernel is the mean over frequencies of cos(w (x - y)), 1 for a row with itself: those pairs are left out."""
    def within(m: Moments) -> float:
        n = float(m.n)
        return (float((np.abs(m.wave) ** 2).mean()) * n - 1) / (n - 1)

    return within(a) + within(b) - 2 * float((a.wave * b.wave.conj()).real.mean())


def _correlation_change(baseline: Baseline, m: Moments, n: int) -> Finding:
    """Fisher's z of every pair against its own noise; Šidák's correction over the pairs that vary."""
    metric, pairs, before = "correlation_change", baseline.geometry.pairs, baseline.geometry.correlations
    after = correlations(m.covariance, pairs)
    known = np.flatnonzero(~np.isnan(after))
    if n < 4 or not known.size:
        return Finding(metric, Measurement.unknown(Reason.TOO_FEW_SAMPLES if n < 4 else Reason.ZERO_DENOMINATOR, n))
    before, after = before[known], after[known]
    change = np.arctanh(after) - np.arctanh(before)
    noisy = baseline.noise.blocks.size > 0
    noise, _, freedom = _noise_of(baseline, float(m.n) - 3)
    error = np.sqrt(noise[4:][known]) if noisy else np.ones(known.size)
    at = int(np.argmax(np.abs(change) / error))
    old, value = float(before[at]), float(np.abs(after - before)[at])
    i, j = (baseline.projection.dimensions[side[known[at]]] for side in pairs)
    if not noisy:
        return Finding(metric, Measurement(value, n), old, (i, j))
    df = float(freedom[4:][known[at]])
    each = min(2 * float(special.stdtr(df, -abs(change[at]) / error[at])), 1 - 1e-16)
    half = float(special.stdtrit(df, 0.5 + CONFIDENCE ** (1 / known.size) / 2)) * error[at]
    ends = np.tanh(np.arctanh(old) + change[at] + np.array([-half, half])) - old
    bounds = 0.0 if ends[0] <= 0 <= ends[1] else float(np.abs(ends).min()), float(np.abs(ends).max())
    p_value = float(-np.expm1(known.size * np.log1p(-each)))
    return Finding(metric, Measurement(value, n, bounds, p_value), old, (i, j))
