"""Multivariate drift from sums against straightforward computations on the raw rows, within what rounding may do.

z is rounded to 2**-6 and so is off by at most 2**-7, by 0.0045 in root mean square; what follows from means of many
rows is nearer than that. The stated tolerances hold for values within 8 deviations.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from detectors.domain_classifier import _fit, explain_window
from detectors.multivariate import measure_multivariate
from detectors.multivariate.baseline import Baseline
from detectors.multivariate.measure import frechet_distance
from detectors.summaries.projection import Projection

NAMES = tuple("abcdef")
UPPER = np.triu_indices(6, 1)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    mixing = rng.standard_normal((6, 6)) + 2 * np.eye(6)
    reference = rng.standard_normal((8000, 6)) @ mixing
    window = rng.standard_normal((3000, 6)) @ (mixing + 0.3 * rng.standard_normal((6, 6))) + 0.5
    projection = Projection.fit(reference, NAMES, 512)
    blocks = np.array([projection.sums(part) for part in np.array_split(reference, 64)])
    baseline = Baseline.learn(projection, blocks)
    found = {f.metric: f for f in measure_multivariate(baseline, projection.sums(window))}
    centre, scale = projection.centre, projection.scale
    return projection, baseline, found, (reference - centre) / scale, (window - centre) / scale


def test_moments(data):
    projection, baseline, _, before, _ = data
    m = baseline.moments
    assert m.mean == pytest.approx(before.mean(axis=0), abs=2e-4)
    assert m.covariance == pytest.approx(np.cov(before, rowvar=False), abs=1e-3)
    assert np.sqrt(np.diagonal(m.covariance)) == pytest.approx(1, abs=2e-3)
    assert projection.standardise(before[:9] * projection.scale + projection.centre) == pytest.approx(
        before[:9], abs=2**-7 + 1e-12
    )


def test_mahalanobis(data):
    _, _, found, before, after = data
    change = after.mean(axis=0) - before.mean(axis=0)
    expected = np.sqrt(change @ np.linalg.solve(np.cov(before, rowvar=False), change))
    assert found["mahalanobis"].measurement.value == pytest.approx(expected, rel=5e-3)


def test_frechet(data):
    _, baseline, found, before, after = data
    a, b = np.cov(before, rowvar=False), np.cov(after, rowvar=False)
    cross = linalg.sqrtm(a @ b).real
    expected = np.sqrt(((before.mean(0) - after.mean(0)) ** 2).sum() + np.trace(a + b - 2 * cross))
    assert found["frechet"].measurement.value == pytest.approx(expected, rel=5e-3)
    assert frechet_distance(baseline.moments, baseline.moments) == pytest.approx(0, abs=1e-6)


def test_pca_reconstruction_is_scikit_learns(data):
    projection, _, found, before, after = data
    q = projection.components.shape[1]
    pca = PCA(q).fit(before)
    assert q == PCA(0.65).fit(before).n_components_
    expected = np.linalg.norm(after - pca.inverse_transform(pca.transform(after)), axis=1).mean()
    assert found["pca_reconstruction"].measurement.value == pytest.approx(expected, rel=5e-3)
    expected = np.linalg.norm(before - pca.inverse_transform(pca.transform(before)), axis=1).mean()
    assert found["pca_reconstruction"].reference == pytest.approx(expected, rel=5e-3)


def test_mmd_is_that_of_its_waves_and_near_the_kernels(data):
    projection, _, found, before, after = data
    x, y = (np.rint(z[:800] * 64) / 64 for z in (before, after))
    turns = projection.frequencies * 2 * np.pi / 256

    def kernel(a, b):                # the same frequencies, without rounding the phase, over all pairs of rows
        return (np.cos(a @ turns) @ np.cos(b @ turns).T + np.sin(a @ turns) @ np.sin(b @ turns).T) / turns.shape[1]

    def unbiased(k_xx, k_yy, k_xy):
        within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (k_xx, k_yy)]
        return sum(within) - 2 * k_xy.mean()

    sums = [projection.sums(z * projection.scale + projection.centre) for z in (x, y)]
    value = measure_multivariate(Baseline.learn(projection, sums[0][None]), sums[1])[3].measurement.value
    assert value == pytest.approx(unbiased(kernel(x, x), kernel(y, y), kernel(x, y)), abs=1e-4)

    width = np.median(pdist(before[::16]))
    gauss = [np.exp(-cdist(a, b, "sqeuclidean") / (2 * width**2)) for a, b in ((x, x), (y, y), (x, y))]
    assert value == pytest.approx(unbiased(*gauss), rel=0.2)          # 512 frequencies stand for all
    assert found["mmd"].measurement.value == pytest.approx(value, rel=0.3)      # of all rows


def test_correlation_change_names_the_pair_that_changed_most(data):
    _, _, found, before, after = data
    finding = found["correlation_change"]
    i, j = (NAMES.index(name) for name in finding.pair)
    old, new = stats.pearsonr(before[:, i], before[:, j]).statistic, stats.pearsonr(after[:, i], after[:, j]).statistic
    assert finding.measurement.value == pytest.approx(abs(new - old), abs=1e-3)
    assert finding.reference == pytest.approx(old, abs=1e-3)
    change = np.arctanh(np.corrcoef(after.T)[UPPER]) - np.arctanh(np.corrcoef(before.T)[UPPER])
    # All pairs of normal columns have one noise; 64 blocks know it to some 15 %.
    assert abs(np.arctanh(new) - np.arctanh(old)) >= 0.85 * np.abs(change).max()


def test_an_embedding_keeps_its_first_components():
    rng = np.random.default_rng(4)
    factors = rng.standard_normal((2000, 40)) * np.linspace(3, 0.5, 40)
    x = (factors @ rng.standard_normal((40, 96)) + 0.1 * rng.standard_normal((2000, 96))).astype(np.float32)
    projection = Projection.fit(x, [str(i) for i in range(96)])
    z = (x - projection.centre) / projection.scale
    m = projection.moments(projection.sums(x))
    pca = PCA(32).fit(z)
    assert np.sort(np.linalg.eigvalsh(m.covariance)) == pytest.approx(np.sort(pca.explained_variance_), rel=0.01)
    left = z - pca.inverse_transform(pca.transform(z))
    assert m.error == pytest.approx(np.linalg.norm(left, axis=1).mean(), rel=5e-3)


def test_the_classifier_is_scikit_learns():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((600, 4))
    y = (rng.random(600) < 1 / (1 + np.exp(-(0.3 + x @ [1.0, -2.0, 0.0, 0.5])))).astype(float)
    beta = _fit(x, y)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, y)
    assert beta == pytest.approx(np.r_[theirs.intercept_, theirs.coef_[0]], abs=1e-4)

    found = explain_window(x[y == 0], x[y == 1], NAMES[:4])
    assert found.auc.value == pytest.approx(roc_auc_score(y, theirs.decision_function(x)), abs=0.03)
    assert [c.column for c in found.contributions][:2] == ["b", "a"]
    fitted = {c.column: c for c in found.contributions}
    assert sum(c.share for c in found.contributions) == pytest.approx(
        sum(fitted[name].coefficient * fitted[name].shift for name in NAMES[:4])
    )
