"""Multivariate drift: quiet where nothing happened, in dependent rows too; awake where no column is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import ks_2samp

from detectors.domain_classifier import explain_window
from detectors.multivariate import METRICS, measure_multivariate
from detectors.multivariate.baseline import Baseline
from detectors.point import Reason
from detectors.summaries.projection import Projection

D, N, BLOCKS = 6, 16_000, 64
NAMES = tuple("abcdef")
MIXING = np.linalg.cholesky(0.4 * np.ones((D, D)) + 0.6 * np.eye(D))


def normal(n, rng):
    return rng.standard_normal((n, D)) @ MIXING.T


def autoregressive(n, rng, phi=0.9):
    noise = rng.standard_normal((n + 100, D)) @ MIXING.T
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], noise, axis=0)[100:]


def uneven(n, rng):
    """Skewed, binary and rounded columns, correlated."""
    x = normal(n, rng)
    x[:, 0], x[:, 1], x[:, 2] = np.exp(x[:, 0]), x[:, 1] > 1, np.round(2 * x[:, 2])
    return x


def wander(n, rng):
    """A twentieth of the variance drifts slowly, so that the reference is worth few rows."""
    memory = np.exp(-1 / 1000)
    slow = lfilter([np.sqrt(1 - memory**2)], [1, -memory], rng.standard_normal((n + 6000, D)), axis=0)[6000:]
    return np.sqrt(0.95) * normal(n, rng) + np.sqrt(0.05) * slow


def learn(x, blocks=BLOCKS, names=NAMES):
    projection = Projection.fit(x, names)
    return Baseline.learn(projection, np.array([projection.sums(b) for b in np.array_split(x, blocks)]))


def measure(baseline, x):
    return {f.metric: f for f in measure_multivariate(baseline, baseline.projection.sums(x))}


@pytest.mark.parametrize("process", [normal, autoregressive, uneven])
def test_p_values_are_honest_when_nothing_changed(process):
    p, low = [], []
    for seed in range(8):
        x = process(N + 25 * 250, np.random.default_rng(seed))
        baseline = learn(x[:N])
        for window in np.split(x[N:], 25):
            found = measure(baseline, window)
            p.append([found[m].measurement.p_value for m in METRICS])
            low.append([found[m].measurement.interval[0] for m in METRICS[1:]])
    assert ((np.array(p) < 0.05).mean(axis=0) <= 0.10).all()
    assert ((np.array(p) < 0.001).mean(axis=0) <= 0.015).all()
    assert ((np.array(p) > 0.5).mean(axis=0) >= 0.25).all()      # and not merely never small
    assert ((np.array(low) > 0).mean(axis=0) <= 0.06).all()


def test_without_regard_to_dependence_they_would_not_be():
    rng = np.random.default_rng(0)
    x = autoregressive(N + 20 * 250, rng)
    shuffled = learn(rng.permutation(x[:N]))
    p = [measure(shuffled, w)["mahalanobis"].measurement.p_value for w in np.split(x[N:], 20)]
    assert (np.array(p) < 0.001).mean() > 0.5


def test_a_slow_wander_within_the_references_range_is_no_drift():
    p = []
    for seed in range(12):
        x = wander(N + 8000, np.random.default_rng(seed))
        baseline = learn(x[:N])
        p += [[f.measurement.p_value for f in measure(baseline, w).values()] for w in np.split(x[N:], 2)]
    assert ((np.array(p) < 0.05).mean(axis=0) <= 0.13).all()
    assert (np.array(p) > 0.001).all()


def test_a_correlation_that_turns_is_found_and_no_column_shows_it():
    rng = np.random.default_rng(3)
    x, window = normal(N, rng), normal(400, rng)
    window[:, 0] = -window[:, 0]
    assert min(ks_2samp(x[:, i], window[:, i]).pvalue for i in range(D)) > 0.01
    found = measure(learn(x), window)
    for metric in ("pca_reconstruction", "frechet", "mmd", "correlation_change"):
        assert found[metric].measurement.p_value < 1e-3, metric
        if metric != "pca_reconstruction":
            assert found[metric].measurement.interval[0] > 0
    assert found["mahalanobis"].measurement.p_value > 0.01
    assert "a" in found["correlation_change"].pair
    assert found["correlation_change"].measurement.value == pytest.approx(0.8, abs=0.2)
    assert found["correlation_change"].reference == pytest.approx(0.4, abs=0.05)


def test_one_pair_among_many_is_named():
    rng = np.random.default_rng(5)
    x, window = rng.standard_normal((N, 20)), rng.standard_normal((500, 20))
    window[:, 7] = 0.6 * window[:, 12] + 0.8 * window[:, 7]
    finding = measure(learn(x, names=tuple(f"x{i}" for i in range(20))), window)["correlation_change"]
    assert finding.pair == ("x7", "x12")
    low, high = finding.measurement.interval
    assert low < 0.6 < high
    assert finding.measurement.p_value < 1e-6


def test_shifts_are_found_and_bounded():
    rng = np.random.default_rng(6)
    baseline = learn(normal(N, rng))
    found = measure(baseline, normal(1000, rng) + np.eye(D)[0] * 0.5)
    true = 0.5 * np.sqrt(np.linalg.inv(MIXING @ MIXING.T)[0, 0])
    for metric, expected in (("mahalanobis", true), ("frechet", 0.5)):
        m = found[metric].measurement
        assert m.p_value < 1e-6
        assert m.interval[0] < expected < m.interval[1]


def test_a_wider_column_is_found_by_its_distance_of_covariance():
    rng = np.random.default_rng(7)
    found = measure(learn(normal(N, rng)), normal(1000, rng) * np.where(np.arange(D) == 0, 1.5, 1.0))
    assert found["frechet"].measurement.p_value < 1e-4
    assert found["frechet"].measurement.value == pytest.approx(0.5, abs=0.15)
    assert found["mahalanobis"].measurement.p_value > 0.001


def test_longer_windows_of_dependent_rows_are_judged_by_their_own_length():
    baseline = learn(autoregressive(N, np.random.default_rng(8)))
    first = baseline.noise.phi[:, 1]
    assert (first / D > 10).all()                    # (1 + 0.9) / (1 - 0.9) = 19 rows are worth one
    assert first[0] / D == pytest.approx(19, rel=0.35)


def test_few_blocks_give_values_without_p_values():
    x = normal(2000, np.random.default_rng(9))
    for f in measure(learn(x, blocks=3), x[:300]).values():
        assert f.measurement.value is not None
        assert f.measurement.p_value is None
        assert f.measurement.interval is None


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        (np.empty((0, D)), Reason.EMPTY_WINDOW),
        (np.full((50, D), math.nan), Reason.ALL_MISSING),
        (np.zeros((1, D)), Reason.TOO_FEW_SAMPLES),
    ],
)
def test_what_is_unknown_says_why(window, reason):
    baseline = learn(normal(2000, np.random.default_rng(10)))
    for f in measure(baseline, window).values():
        assert f.measurement.reason is reason
        assert f.measurement.n == len(window)


def test_a_reference_without_rows_or_with_one_column_that_varies():
    projection = Projection.fit(np.empty((0, D)), NAMES)
    baseline = Baseline.learn(projection, np.empty((0, projection.size)))
    assert {f.measurement.reason for f in measure(baseline, np.ones((9, D))).values()} == {Reason.NO_REFERENCE}
    one = np.ones((100, 2))
    one[:, 1] = np.arange(100)
    found = measure(learn(one, blocks=10, names=("a", "b")), one)
    assert {f.measurement.reason for f in found.values()} == {Reason.CONSTANT_REFERENCE}


def test_constant_and_duplicate_columns_infinities_and_a_constant_window():
    rng = np.random.default_rng(11)
    x = normal(3200, rng)
    x[:, 1], x[:, 2] = x[:, 0], 2.0**60
    x[::50, 3], x[7::90, 4] = math.inf, math.nan
    baseline = learn(x)
    assert baseline.projection.dimensions == ("a", "b", "d", "e", "f")
    for f in measure(baseline, x[:320]).values():
        assert f.measurement.p_value > 0.001
    stuck = measure(baseline, np.repeat(x[3:4], 90, axis=0))
    assert stuck["frechet"].measurement.p_value < 1e-6
    assert stuck["correlation_change"].measurement.reason is Reason.ZERO_DENOMINATOR


def test_a_baseline_is_stored_as_arrays():
    x = normal(3200, np.random.default_rng(12))
    baseline = learn(x)
    again = Baseline.load(Projection.from_json(baseline.projection.to_json()), baseline.arrays())
    assert measure(again, x[:99] + 0.3) == measure(baseline, x[:99] + 0.3)


def test_an_embedding_that_leaves_its_subspace_is_found():
    rng = np.random.default_rng(13)
    basis = rng.standard_normal((20, 96))
    x = (rng.standard_normal((3600, 20)) @ basis + 0.3 * rng.standard_normal((3600, 96))).astype(np.float32)
    names = tuple(str(i) for i in range(96))
    baseline = learn(x[:3200], names=names)
    assert len(baseline.projection.dimensions) == 32
    assert measure(baseline, x[3200:])["pca_reconstruction"].measurement.p_value > 0.001
    moved = x[3200:] + 0.5 * rng.standard_normal((400, 96)).astype(np.float32)
    assert measure(baseline, moved)["pca_reconstruction"].measurement.p_value < 1e-6


def test_a_kernel_without_frequencies_is_refused():
    with pytest.raises(ValueError, match="a kernel needs a frequency, and these are 0"):
        Projection.fit(np.eye(3), "abc", 0)


def test_the_classifier_says_which_column_and_when_it_cannot():
    rng = np.random.default_rng(14)
    x = normal(4000, rng)
    window = x[2000:] + np.eye(D)[3] * 0.8
    window[::3, 5] = math.nan
    found = explain_window(x[:2000], window, NAMES)
    assert {(c.column, c.missing) for c in found.contributions[:2]} == {("d", False), ("f", True)}
    assert found.auc.interval[0] > 0.7
    low, high = explain_window(x[:2000], x[2000:], NAMES).auc.interval
    assert low < 0.5 < high
    assert explain_window(x[:5], x[5:90], NAMES).auc.reason is Reason.TOO_FEW_SAMPLES
    assert explain_window(x[:50], x[:0], NAMES).auc.reason is Reason.EMPTY_WINDOW
    assert explain_window(x[:0], x[:50], NAMES).auc.reason is Reason.NO_REFERENCE
    assert explain_window(np.ones((20, 2)), np.ones((20, 2)), ("a", "b")).auc.reason is Reason.CONSTANT_REFERENCE


def test_the_classifiers_interval_holds_half_when_nothing_changed():
    rng = np.random.default_rng(15)
    found = [explain_window(normal(150, rng), normal(150, rng), NAMES).auc for _ in range(60)]
    missed = sum(not m.interval[0] <= 0.5 <= m.interval[1] for m in found)
    assert missed <= 8
    assert np.mean([m.value for m in found]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("rows", [5, 60, 300])
def test_the_components_of_a_wide_embedding_keep_the_most_variance_that_so_many_can(rows):
    x = np.random.default_rng(8).standard_normal((rows, 100)) * np.linspace(3, 0.1, 100)
    p = Projection.fit(x, [f"v[{i}]" for i in range(100)])
    z = p.standardise(x)
    kept = ((z - z.mean(axis=0)) @ p.components).var(axis=0).sum()
    most = np.sort(np.linalg.eigvalsh(np.cov(z, rowvar=False, bias=True)))[::-1][:32].sum()
    assert kept == pytest.approx(most, rel=1e-3)
    assert p.components.T @ p.components == pytest.approx(np.eye(32), abs=0.01)
