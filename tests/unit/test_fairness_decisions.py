"""What a person decides by: bounds where outcomes are selective, equivalence, and how large a sample would decide."""

from __future__ import annotations

import numpy as np
import pytest
from groups import cells, measured

from detectors.disparities import Kind, disparity
from detectors.fairness import Attribute, equivalence, measure_attribute, needed_growth, needed_sample
from detectors.point import Measurement, Reason

TABLES = [(200, 60, 40, 300), (300, 90, 80, 330)]       # tn, fp, fn, tp


def selective(tables: list[tuple[int, int, int, int]], observed: int) -> dict[tuple[str, str | None], Measurement]:
    """What is measured where outcomes of one decision alone are seen, of groups whose outcomes are all there."""
    decisions, outcomes = cells(tables)
    outcomes[:, 1 - observed] = 0
    names = Attribute("x", tuple("abcd"[: len(tables)]))
    metrics = ["equal_opportunity_difference", "equalized_odds_difference", "accuracy_difference",
               "predictive_parity_difference", "false_omission_rate_difference", "accuracy_ratio",
               "demographic_parity_ratio", "accuracy_difference_to_overall"]  # fmt: skip
    found = measure_attribute(names, decisions, outcomes, observed=observed, metrics=metrics)
    return {(metric, scope.group): m for metric, scope, m in found}


@pytest.mark.parametrize(("observed", "seen"), [
    (1, {"selection_rate", "positive_predictive_value", "false_discovery_rate"}),
    (0, {"selection_rate", "negative_predictive_value", "false_omission_rate"}),
])
def test_only_what_rests_on_the_seen_decision_is_known(observed: int, seen: set[str]) -> None:
    full, part = measured(TABLES), selective(TABLES, observed)
    known = {name for (name, g), m in part.items() if g == "a" and m.known}
    assert known == seen
    for (name, g), m in part.items():
        if name in seen:
            assert m == full[name, g]
        elif g is not None:
            truth = full[name, g].value
            assert m.reason is Reason.SELECTIVE_OUTCOMES
            assert m.interval is not None
            assert 0 <= m.interval[0] <= truth <= m.interval[1] <= 1, name


def test_worst_cases_are_those_of_manski() -> None:
    """Six in ten are selected, of whom five in six have the favourable outcome; what the four others had is unknown."""
    m = selective([(200_000, 60_000, 40_000, 300_000), (1, 1, 1, 1)], 1)
    low, high = m["true_positive_rate", "a"].interval or (0.0, 0.0)
    assert (low, high) == (pytest.approx(300 / 540, abs=0.002), 1.0)
    low, high = m["accuracy", "a"].interval or (0.0, 0.0)
    assert (low, high) == pytest.approx((300 / 600, 540 / 600), abs=0.002)
    low, high = m["favourable_rate", "a"].interval or (0.0, 0.0)
    assert (low, high) == pytest.approx((300 / 600, 540 / 600), abs=0.002)
    low, high = m["false_omission_rate", "a"].interval or (0.5, 0.5)
    assert (low, high) == pytest.approx((0, 1))


@pytest.mark.parametrize("observed", [0, 1])
def test_bounds_of_a_disparity_hold_whatever_the_unseen_did(observed: int) -> None:
    rng = np.random.default_rng(2)
    found = selective(TABLES, observed)
    for _ in range(100):
        tables = []
        for tn, fp, fn, tp in TABLES:
            hidden = fp + tp if observed == 0 else tn + fn
            favoured = int(rng.integers(0, hidden + 1))
            rest = hidden - favoured
            tables.append((tn, rest, fn, favoured) if observed == 0 else (rest, fp, favoured, tp))
        truth = measured(tables, metrics=["equal_opportunity_difference", "accuracy_difference", "accuracy_ratio",
                                          "equalized_odds_difference"])
        for (name, g), m in truth.items():
            if g is None:
                bounds = found[name, None]
                assert bounds.reason is Reason.SELECTIVE_OUTCOMES
                assert bounds.interval is not None
                assert bounds.interval[0] <= m.value <= bounds.interval[1], name


def test_what_is_selective_of_the_whole_has_no_bounds_and_no_outcomes_make_no_bounds() -> None:
    assert selective(TABLES, 1)["accuracy_difference_to_overall", None] == Measurement.unknown(
        Reason.SELECTIVE_OUTCOMES, 360
    )
    decisions, outcomes = cells(TABLES)
    none = measure_attribute(Attribute("x", ("a", "b")), decisions, 0 * outcomes, observed=1)
    assert {m.reason for n, _, m in none if n == "accuracy"} == {Reason.NO_OUTCOMES}


@pytest.mark.parametrize(("kind", "margin"), [("difference", 0.1), ("ratio", 0.8)])
def test_equivalence_and_its_interval_always_agree(kind: Kind, margin: float) -> None:
    rng, outcomes = np.random.default_rng(6), set()
    for n in (50, 150, 400, 2000):
        for _ in range(15):
            sizes = np.full(4, n)
            found = equivalence(kind, rng.binomial(sizes, [0.5, 0.5, 0.52, 0.53]), sizes, margin)
            assert found is not None
            low, high = found.interval
            within = high < margin if kind == "difference" else low > margin
            assert found.equivalent == (found.p_value < 0.05) == within
            outcomes.add(found.equivalent)
    assert outcomes == {True, False}


def test_groups_a_margin_apart_are_seldom_called_equal() -> None:
    """At the edge of the margin the risk is 5 %, however many groups; well within it equality is found."""
    rng, n = np.random.default_rng(7), np.full(5, 600)
    far = np.array([0.45, 0.5, 0.5, 0.5, 0.55])
    runs = [equivalence("difference", rng.binomial(n, far), n, 0.1) for _ in range(150)]
    near = [equivalence("difference", rng.binomial(10 * n, 0.5), 10 * n, 0.1) for _ in range(10)]
    assert np.mean([r is not None and r.equivalent for r in runs]) <= 0.1
    assert all(r is not None and r.equivalent for r in near)


def test_nothing_to_test_is_no_equivalence() -> None:
    assert equivalence("difference", np.array([1]), np.array([2]), 0.1) is None
    assert equivalence("difference", np.array([1, 0]), np.array([2, 0]), 0.1) is None
    assert equivalence("ratio", np.array([0, 0]), np.array([2, 2]), 0.8) is None
    zeros = equivalence("difference", np.array([0, 0]), np.array([900, 900]), 0.1)
    assert zeros is not None
    assert zeros.equivalent


@pytest.mark.parametrize("limit", [0.02, 0.1, 0.14, 0.3])
@pytest.mark.parametrize("reference", [None, 1])
def test_the_needed_sample_decides_and_a_smaller_one_does_not(limit: float, reference: int | None) -> None:
    k, n = np.array([50, 38, 40]), np.array([100, 100, 80])
    needed = needed_sample("difference", k, n, limit, reference)
    assert needed is not None
    for factor, decided in ((1.001, True), (0.99, needed.growth == 1.0)):
        interval = disparity("difference", k, n, reference, deff=1 / (needed.growth * factor)).interval
        assert interval is not None
        assert (not interval[0] <= limit <= interval[1]) == decided
    assert needed.n == tuple(np.ceil(n * needed.growth - 1e-6))


def test_no_sample_decides_on_the_limit_itself() -> None:
    k, n = np.array([50, 40]), np.array([100, 100])
    assert needed_sample("difference", k, n, 0.5 - 0.4) is None
    assert needed_sample("ratio", np.zeros(2), n, 0.8) is None
    assert needed_growth(Measurement(0.1, 100, (0.0, 0.2)), [0.1]) is None
    assert needed_growth(Measurement(0.1, 100), [0.2]) is None
    assert needed_growth(Measurement.unknown(Reason.NO_POSITIVES), [0.2]) is None


def test_growth_from_a_point_alone_is_near_the_exact_one_and_of_two_limits_the_larger() -> None:
    k, n = np.array([500, 380]), np.array([1000, 1000])
    for limit in (0.1, 0.14):
        exact = needed_sample("difference", k, n, limit)
        assert exact is not None
        assert needed_growth(disparity("difference", k, n), [limit]) == pytest.approx(exact.growth, rel=0.1)
    bias = Measurement(0.2, 50, (-0.6, 1.0))
    assert needed_growth(bias, [-0.2, 0.6]) == pytest.approx(4.0)
    assert needed_growth(bias, [-0.2, 0.4]) == pytest.approx(16.0)
