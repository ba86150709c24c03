"""Means by group: calibration in the large, and the errors of a regression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.fairness import Attribute, measure_calibration, measure_errors
from detectors.point import Measurement, Reason
from detectors.summaries.summary import Floats

Found = dict[tuple[str, str | None], Measurement]
TWO = Attribute("sex", ("a", "b"))


def errors_of(
    groups: list[Floats], attribute: Attribute = TWO, metrics: tuple[str, ...] = (), **options: float
) -> Found:
    """Measured from the errors of each group."""
    n = np.array([0, *(e.size for e in groups), 0])
    sums = np.array([[0, 0, 0], *([e.sum(), np.abs(e).sum(), (e**2).sum()] for e in groups), [0, 0, 0]], float)
    asked = {"metrics": metrics} if metrics else {}
    found = measure_errors(attribute, n, sums, **asked, **options)  # type: ignore[arg-type]
    return {(name, scope.group): m for name, scope, m in found}


def moments_of(groups: list[tuple[Floats, Floats]]) -> Floats:
    """Count, sum and sum of squares of the scores by group and label, from the scores and labels of each group."""
    out = np.zeros((len(groups) + 2, 2, 3))
    for i, (score, label) in enumerate(groups):
        for y in (0, 1):
            s = score[label == y]
            out[i + 1, y] = s.size, s.sum(), (s**2).sum()
    return out


def test_errors_of_a_regression_by_group() -> None:
    rng = np.random.default_rng(3)
    groups = [rng.normal(0.5, 2, 400), rng.normal(-0.5, 3, 300)]
    found = errors_of(groups)
    for name, group, e in (("a", 0, groups[0]), ("b", 1, groups[1])):
        assert found["bias", name].value == pytest.approx(e.mean())
        assert found["bias", name].interval == pytest.approx(stats.ttest_1samp(e, 0).confidence_interval())
        assert found["mae", name].value == pytest.approx(np.abs(e).mean())
        assert found["mae", name].n == groups[group].size
    difference = found["bias_difference", None]
    assert difference.value == pytest.approx(abs(groups[0].mean() - groups[1].mean()))
    welch = stats.ttest_ind(*groups, equal_var=False).confidence_interval()
    assert difference.interval == pytest.approx((welch.low, welch.high), rel=0.01)
    assert found["mae_difference", None].interval is not None


def test_means_can_be_compared_as_rates_can() -> None:
    rng = np.random.default_rng(4)
    groups = [rng.normal(0, 1, 500), rng.normal(0, 2, 500)]
    metrics = ("mae_ratio", "mae_ratio_to_overall", "mae_difference_to_reference", "bias_difference_to_overall")
    attribute = Attribute("sex", ("a", "b"), 1, "a")
    found = errors_of(groups, attribute, metrics)
    small, large = (np.abs(e).mean() for e in groups)
    assert found["mae_ratio", None].value == pytest.approx(small / large)
    assert found["mae_ratio_to_overall", None].value == pytest.approx(small / (small + large) * 2)
    assert found["mae_difference_to_reference", None].value == pytest.approx(large - small)
    for metric in metrics:
        m = found[metric, None]
        assert m.interval is not None
        assert m.interval[0] <= m.value <= m.interval[1]


def test_calibration_is_that_of_the_rows() -> None:
    rng = np.random.default_rng(5)
    score, label = rng.random((2, 500)), rng.integers(0, 2, (2, 500)).astype(float)
    score[1] *= 0.8
    moments = moments_of(list(zip(score, label, strict=True)))
    found = {(n, s.group): m for n, s, m in measure_calibration(TWO, moments)}
    gaps = score - label
    for name, gap in zip("ab", gaps, strict=True):
        m = found["calibration_gap", name]
        assert (m.value, m.n) == (pytest.approx(gap.mean()), 500)
        assert m.interval == pytest.approx(stats.ttest_1samp(gap, 0).confidence_interval())
    assert found["calibration_difference", None].value == pytest.approx(abs(gaps[0].mean() - gaps[1].mean()))
    other = {(n, s.group): m for n, s, m in measure_calibration(TWO, moments, favourable=0)}
    assert other["calibration_gap", "a"].value == pytest.approx(-gaps[0].mean())
    assert other["calibration_difference", None].value == pytest.approx(found["calibration_difference", None].value)


def test_small_groups_and_classes_have_no_means() -> None:
    rng = np.random.default_rng(6)
    groups = [rng.normal(size=n) for n in (3, 120, 400, 500)]
    found = errors_of(groups, Attribute("x", tuple("abcd"), 50))
    assert [found["mae", g].reason for g in "abcd"] == ["too_few_samples", "complementary_suppression", None, None]
    assert found["mae_difference", None].known
    label = np.r_[np.ones(3), np.zeros(97)]
    one = measure_calibration(Attribute("x", ("a", "b"), 50), moments_of([(rng.random(100), label)] * 2))
    assert {m.reason for n, _, m in one if n == "calibration_gap"} == {Reason.TOO_FEW_SAMPLES}


def test_one_row_no_rows_and_constant_errors() -> None:
    found = errors_of([np.array([2.0]), np.empty(0)])
    assert [found["bias", g].reason for g in "ab"] == [Reason.TOO_FEW_SAMPLES, Reason.NO_OUTCOMES]
    assert found["bias_difference", None].reason is Reason.FEWER_THAN_TWO_GROUPS
    same = errors_of([np.full(10, 2.0), np.full(20, 2.0)], metrics=("bias_difference", "mae_ratio"))
    assert same["bias_difference", None] == Measurement(0.0, 10, (0.0, 0.0))
    nothing = errors_of([np.zeros(10), np.zeros(20)], metrics=("mae_ratio",))
    assert nothing["mae_ratio", None].reason is Reason.ZERO_DENOMINATOR


def test_rows_of_one_person_count_as_one() -> None:
    rng = np.random.default_rng(7)
    groups = [rng.normal(0.2, 1, 200), rng.normal(0, 1, 200)]
    once = errors_of(groups)
    often = errors_of([np.tile(e, 10) for e in groups], deff=10.0)
    for key, m in often.items():
        assert m.interval == pytest.approx(once[key].interval, abs=1e-9), key
