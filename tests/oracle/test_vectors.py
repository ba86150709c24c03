"""The reference cases: one adapter for each metric and variant says what Vigil's code makes of a case.

An adapter yields claims: what is claimed, Vigil's measurement, the figure expected (``None``: unknown with a reason),
and by how much the two may differ beyond the case's tolerance, which is 0 but for what is read from cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from detectors.bins import Bins
from detectors.drift import ANY_COLUMN, METRICS, cumulative, distances, measure_drift
from detectors.drift.samples import compare_categories, compare_numbers, kolmogorov_smirnov_p_value
from detectors.fairness import measure_fairness
from detectors.performance import auc_bound, average_precision_bound, calibration_error, measure_performance
from detectors.point import Measurement, Reason
from detectors.quality import measure_quality
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.streams import river_settings, step
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, Grid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary

Case = dict[str, Any]


class Claim(NamedTuple):
    what: str
    ours: Measurement
    expected: float | None
    slack: float = 0.0


def plain(what: str, ours: float | None, expected: float | None, slack: float = 0.0) -> Claim:
    m = Measurement.unknown(Reason.EMPTY_WINDOW) if ours is None else Measurement(ours, 1)
    return Claim(what, m, expected, slack)


# --- Numbers ---------------------------------------------------------------------------------------------------------


def numbers(case: Case) -> list[np.ndarray]:
    """Reference and window, missing values as NaN."""
    return [np.array([np.nan if v is None else v for v in case["inputs"][s]], float) for s in ("reference", "current")]


def known(case: Case) -> list[np.ndarray]:
    return [side[~np.isnan(side)] for side in numbers(case)]


def from_summaries(grid: Grid, sides: list[Any]) -> tuple[dict[str, Measurement], list[np.ndarray], Bins]:
    """Every drift metric of one column as production measures it, with the counts of its cells, and its bins."""
    space = Space("binary_classification", (Column("feature", "x", grid), Column("output", "score", UniformGrid())))
    before, now = (Summary.of(grid.cells(side)) for side in sides)
    reference = Reference.build("r", space, [before])
    points = measure_drift(reference, now.dense(space.prediction_size), METRICS)
    found = {metric: m for metric, scope, m in points if scope.feature}
    return found, [s.dense(space.prediction_size)[1 : grid.size] for s in (before, now)], reference.bins


def ks(case: Case) -> Iterator[Claim]:
    yield from ks_p_value(case, exact=True)
    grid = NumericGrid.fit(numbers(case)[0])
    found, counts, _ = from_summaries(grid, numbers(case))
    bound = cumulative.kolmogorov_smirnov_bound(*counts) or 0.0
    yield Claim("from summaries", found["kolmogorov_smirnov"], case["expected"]["statistic"], bound)


def ks_asymptotic(case: Case) -> Iterator[Claim]:
    yield from ks_p_value(case, exact=False)


def ks_p_value(case: Case, *, exact: bool) -> Iterator[Claim]:
    m = compare_numbers("kolmogorov_smirnov", *numbers(case))
    yield Claim("statistic", m, case["expected"]["statistic"])
    p_value = None
    if m.value is not None:
        p_value = kolmogorov_smirnov_p_value(m.value, *(side.size for side in known(case)), exact=exact)
    yield plain("p-value", p_value, case["expected"]["p_value"])


def wasserstein(case: Case) -> Iterator[Claim]:
    yield Claim("exact", compare_numbers("wasserstein", *numbers(case)), case["expected"])
    grid = NumericGrid.fit(numbers(case)[0])
    found, counts, bins = from_summaries(grid, numbers(case))
    assert not counts[0][[0, -1]].any()
    assert not counts[1].size or not counts[1][[0, -1]].any()
    bound = cumulative.wasserstein_bound(*counts, grid.scale * bins.places.halves[1 : grid.size]) or 0.0
    yield Claim("from summaries", found["wasserstein"], case["expected"], bound)


def psi_of_deciles(case: Case) -> Iterator[Claim]:
    yield Claim("psi", compare_numbers("psi", *numbers(case)), case["expected"])


def psi_of_edges(case: Case) -> Iterator[Claim]:
    edges = np.array(case["inputs"]["inner_edges"])
    yield Claim("psi", compare_numbers("psi", *numbers(case), edges), case["expected"])


def distances_of_edges(case: Case) -> Iterator[Claim]:
    edges, expected = np.array(case["inputs"]["inner_edges"]), case["expected"] or dict.fromkeys(_DISTANCES)
    found = {metric: compare_numbers(metric, *numbers(case), edges) for metric in ANY_COLUMN}
    yield Claim("jensen_shannon", found["jensen_shannon"], expected["js_distance_base2"])
    yield Claim("hellinger", found["hellinger"], expected["hellinger"])
    yield Claim("total_variation", found["total_variation"], expected["tvd"])
    if (js := found["jensen_shannon"].value) is not None:
        yield plain("divergence", js**2, expected["js_divergence_base2"])
        yield plain("natural", js * np.sqrt(np.log(2)), expected["js_distance_natural"])


_DISTANCES = ("js_distance_base2", "js_divergence_base2", "js_distance_natural", "hellinger", "tvd")

# --- Other tools' bins: not Vigil's, and the same figure once they are given to it -----------------------------------


def evidently_numbers(case: Case) -> Iterator[Claim]:
    """Bins of equal width over both samples together, by Sturges' rule; so the bins move with the window."""
    r, c = known(case)
    counts = [np.histogram(side, np.histogram_bin_edges(np.r_[r, c], "sturges"))[0] for side in (r, c)]
    yield plain("psi", distances.psi(*counts), case["expected"], floored(*counts))


def evidently_categories(case: Case) -> Iterator[Claim]:
    """Vigil's own bins, and another treatment of shares below the floor."""
    _, counts = tabulate(case)
    yield plain("psi", distances.psi(*counts), case["expected"], floored(*counts))


def floored(*counts: np.ndarray) -> float:
    """How far PSI can be where the tools floor differently, which is where a share is above 0 and below the floor."""
    return np.inf if any(side[side > 0].min() <= 1e-4 * side.sum() for side in counts) else 0.0


def nannyml(distance: Callable[..., float | None]) -> Callable[[Case], Iterator[Claim]]:
    """Bins of equal width over the reference by Doane's rule, and one for what lies beyond."""

    def adapter(case: Case) -> Iterator[Claim]:
        edges = np.histogram_bin_edges(known(case)[0], "doane")
        inside = [np.histogram(side, edges)[0] for side in known(case)]
        counts = [np.r_[k, side.size - k.sum()] for k, side in zip(inside, known(case), strict=True)]
        yield plain("distance", distance(*counts), case["expected"])

    return adapter


# --- Categories ------------------------------------------------------------------------------------------------------


def categories(case: Case) -> list[list[str | None]]:
    return [[None if v is None else str(v) for v in case["inputs"][side]] for side in ("reference", "current")]


def tabulate(case: Case) -> tuple[list[str], list[np.ndarray]]:
    sides = [[v for v in side if v is not None] for side in categories(case)]
    union = sorted({*sides[0], *sides[1]})
    return union, [np.array([side.count(v) for v in union]) for side in sides]


_OF_CATEGORIES = {
    "chi_square": "chi2", "jensen_shannon": "js_distance_base2", "hellinger": "hellinger",
    "total_variation": "tvd", "l_infinity": "linf", "psi": "psi_floor1e4",
}  # fmt: skip


def distances_of_categories(case: Case) -> Iterator[Claim]:
    found, expected = {m: compare_categories(m, *categories(case)) for m in _OF_CATEGORIES}, case["expected"] or {}
    for metric, theirs in _OF_CATEGORIES.items():
        yield Claim(metric, found[metric], expected.get(theirs))
    union, counts = tabulate(case)
    if expected:
        yield plain("p-value", found["chi_square"].p_value, expected["chi2_p"])
        yield plain("dof", distances.chi_square(*counts).dof, expected["dof"])
        yield plain("categories", len(union), expected["n_categories"])
    grid = CategoryGrid.of(Counter(v for v in categories(case)[0] if v is not None))
    measured, _, _ = from_summaries(grid, categories(case))
    one_bin_each = len(set(union) - set(grid.categories)) <= 1         # else "other" holds several
    for metric in ("total_variation", "jensen_shannon", "chi_square"):
        theirs, m = expected.get(_OF_CATEGORIES[metric]), measured[metric]
        if theirs is None or one_bin_each:
            yield Claim(f"{metric} from summaries", m, theirs)
        else:
            yield plain(f"{metric} from summaries, at most", max(m.value or 0.0, theirs), theirs)


def unseen_categories(case: Case) -> Iterator[Claim]:
    reference, current = categories(case)
    grid = CategoryGrid.of(Counter(v for v in reference if v is not None))
    space = Space("binary_classification", (Column("feature", "x", grid), Column("output", "score", UniformGrid())))
    built = Reference.build("r", space, [Summary.of(grid.cells(reference))])
    points = measure_quality(built, Summary.of(grid.cells(current)).dense(space.prediction_size))
    m = next(m for metric, _, m in points if metric == "unseen_category_rate")
    yield plain("rows", m.value * m.n, case["expected"]["rows"])
    other = grid.cells(current) == grid.other
    assert sorted({v for v, new in zip(current, other, strict=True) if new}) == case["expected"]["values"]


def chi_square(case: Case) -> Iterator[Claim]:
    test = distances.chi_square(*np.array(case["inputs"]["table"]))
    for name in ("statistic", "p_value", "dof"):
        yield plain(name, getattr(test, name), case["expected"][name])


def yates(case: Case) -> Iterator[Claim]:
    """Vigil has no correction for continuity: with one degree of freedom it would take half a row off each deviation,
    all four being as large."""
    r, c = np.array(case["inputs"]["table"])
    test = distances.chi_square(r, c)
    deviation = abs(r - (r + c) * r.sum() / (r.sum() + c.sum())).max()
    shrunk = 1 - min(0.5, deviation) / deviation if test.dof == 1 and deviation else 1.0
    yield plain("statistic", test.statistic * shrunk**2, case["expected"]["statistic"])
    yield plain("dof", test.dof, case["expected"]["dof"])


# --- Performance -----------------------------------------------------------------------------------------------------

HALF_CELL = 1 / 4000


def rows(case: Case, *columns: str) -> list[np.ndarray]:
    """The case's columns, rows with a missing value left out."""
    table = np.array([case["inputs"][c] for c in columns], np.float64)
    return list(table[:, ~np.isnan(table).any(axis=0)])


def classify(case: Case, threshold: float = 0.5) -> tuple[dict[str, Measurement], np.ndarray]:
    """All metrics of a classifier by name, and the score's histogram."""
    labels, scores = rows(case, "y_true", "score")
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),))
    one, decisions = np.ones(scores.size, np.int64), (scores >= threshold).astype(np.int64)
    folded = fold_outcomes(space, space.output.grid.cells(scores), [one], decisions, labels.astype(np.int64), scores)
    counts = folded.dense(space.outcome_size)
    found = {metric: m for metric, scope, m in measure_performance(space, counts, folded.sums) if scope == Scope()}
    return found, space.score_by_label(counts)


def roc_auc(case: Case) -> Iterator[Claim]:
    found, histogram = classify(case)
    yield Claim("roc_auc", found["roc_auc"], case["expected"], auc_bound(histogram))


def average_precision(case: Case) -> Iterator[Claim]:
    found, histogram = classify(case)
    yield Claim("average_precision", found["average_precision"], case["expected"], average_precision_bound(histogram))


def loss(metric: str) -> Callable[[Case], Iterator[Claim]]:
    def adapter(case: Case) -> Iterator[Claim]:
        yield Claim(metric, classify(case)[0][metric], case["expected"])

    return adapter


def calibration(case: Case) -> Iterator[Claim]:
    found, histogram = classify(case)
    bins = case["inputs"]["bins"]
    yield plain(f"{bins} bins", calibration_error(histogram, bins), case["expected"], HALF_CELL)
    if bins == 10:
        yield Claim("measured", found["expected_calibration_error"], case["expected"], HALF_CELL)


def confusion(case: Case) -> Iterator[Claim]:
    """scikit-learn's correlation is 0 where it is undefined."""
    found, _ = classify(case, case["inputs"]["threshold"])
    tn, fp, fn, tp = (case["expected"][k] for k in ("tn", "fp", "fn", "tp"))
    for metric in case["expected"].keys() - {"tn", "fp", "fn", "tp"}:
        undefined = metric == "mcc" and not (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        yield Claim(metric, found[metric], None if undefined else case["expected"][metric])
    for metric, n in (("accuracy", tn + fp + fn + tp), ("precision", tp + fp), ("recall", tp + fn)):
        yield plain(f"rows of {metric}", found[metric].n, n)


def regression(case: Case) -> Iterator[Claim]:
    """scikit-learn's R² is 1 or 0 where the actual values do not differ."""
    actual, predicted = rows(case, "y_true", "y_pred")
    space = Space("regression", (Column("output", "value", NumericGrid.fit(predicted)),))
    one, cells = np.ones(actual.size, np.int64), space.output.grid.cells(predicted)
    folded = fold_outcomes(space, cells, [one], None, None, predicted, actual)
    points = measure_performance(space, folded.dense(space.outcome_size), folded.sums)
    found = {metric: m for metric, _, m in points}
    for metric, theirs in (("mae", "mae"), ("mse", "mse"), ("rmse", "rmse"), ("bias", "mean_error"), ("r2", "r2")):
        constant = metric == "r2" and np.ptp(actual) == 0
        yield Claim(metric, found[metric], None if constant else case["expected"][theirs])
    yield plain("rows", found["mae"].n, case["expected"]["n"])


# --- Fairness --------------------------------------------------------------------------------------------------------

GROUP_RATES = {
    "selection_rate": "selection_rate", "true_positive_rate": "tpr", "false_negative_rate": "fnr",
    "false_positive_rate": "fpr", "true_negative_rate": "tnr", "positive_predictive_value": "ppv",
    "accuracy": "accuracy",
}  # fmt: skip
DISPARITIES = {
    "demographic_parity_difference": ("selection_rate",), "demographic_parity_ratio": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",), "equal_opportunity_ratio": ("true_positive_rate",),
    "equalized_odds_difference": ("true_positive_rate", "false_positive_rate"),
    "equalized_odds_ratio": ("true_positive_rate", "false_positive_rate"),
    "predictive_parity_difference": ("positive_predictive_value",),
}  # fmt: skip


def fairness(case: Case) -> tuple[list[str], dict[tuple[str, str | None], Measurement]]:
    """The groups, and every measurement by metric and group; there is no smallest group, for Fairlearn has none."""
    y, d = (np.array(case["inputs"][c]) for c in ("y_true", "y_pred"))
    groups = sorted(set(case["inputs"]["group"]))
    axes = (ALL, Axis("attribute", "group", CategoryGrid(tuple(groups))))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    scores, one = np.full(y.size, 0.5), np.ones(y.size, np.int64)
    cells, at = space.output.grid.cells(scores), [one, axes[1].grid.cells(case["inputs"]["group"])]
    seen = fold_predictions(space, [cells], at, d).dense(space.prediction_size)
    joined = fold_outcomes(space, cells, at, d, y, scores).dense(space.outcome_size)
    points = measure_fairness(space, seen, joined, 1, 1)
    return groups, {(metric, scope.group): m for metric, scope, m in points}


def group_rates(case: Case) -> Iterator[Claim]:
    groups, found = fairness(case)
    assert groups == sorted(case["expected"])
    for group, expected in case["expected"].items():
        for name, theirs in GROUP_RATES.items():
            yield Claim(f"{name} of {group}", found[name, group], expected[theirs])
        yield plain(f"n of {group}", found["selection_rate", group].n, expected["n"])


def disparities(case: Case) -> Iterator[Claim]:
    """Fairlearn's figure where every rate has a denominator and there are two groups. Elsewhere it takes 0 for an empty
    denominator and finds a single group equal to itself: there Vigil's is that of the groups that have the rate."""
    groups, found = fairness(case)
    for metric, names in DISPARITIES.items():
        rates = [[found[name, group].value for group in groups] for name in names]
        theirs = case["expected"][metric]
        if len(groups) < 2 or any(r is None for row in rates for r in row):
            ours = [[r for r in row if r is not None] for row in rates]
            theirs = _worst(metric, ours)
        elif metric.endswith("_ratio") and any(max(row) == 0 for row in rates):
            theirs = None                               # 0 / 0
        if metric == "equal_opportunity_ratio":         # no metric of Vigil's; its rates are
            yield plain(metric, _worst(metric, [[r for r in row if r is not None] for row in rates]), theirs)
        else:
            yield Claim(metric, found[metric, None], theirs)


def _worst(metric: str, rates: list[list[float]]) -> float | None:
    if min(len(row) for row in rates) < 2:
        return None
    if metric.endswith("_difference"):
        return max(max(row) - min(row) for row in rates)
    return None if min(max(row) for row in rates) == 0 else min(min(row) / max(row) for row in rates)


# --- Streams ---------------------------------------------------------------------------------------------------------


def stream(detector: str) -> Callable[[Case], Iterator[Claim]]:
    """River's own settings, not the calibrated ones."""

    def adapter(case: Case) -> Iterator[Claim]:
        settings = {**river_settings(detector), **{k: v for k, v in case["inputs"].items() if k != "values"}}
        found = [s.index for s in step(None, np.array(case["inputs"]["values"], float), detector, settings)[1]]
        yield plain("signals", len(found), len(case["expected"]))
        for ours, theirs in zip(found, case["expected"], strict=False):
            yield plain("index", ours, theirs)

    return adapter


ADAPTERS: dict[tuple[str, str], Callable[[Case], Iterator[Claim]]] = {
    ("ks", "exact_or_auto"): ks,
    ("ks", "asymptotic"): ks_asymptotic,
    ("wasserstein", "unnormalised"): wasserstein,
    ("psi", "ref_deciles_floor1e-4"): psi_of_deciles,
    ("psi", "fixed_edges_floor1e-4"): psi_of_edges,
    ("js_hellinger_tvd", "fixed_edges"): distances_of_edges,
    ("psi", "evidently_default"): evidently_numbers,
    ("psi", "evidently_default_categorical"): evidently_categories,
    ("js", "nannyml_continuous"): nannyml(distances.jensen_shannon),
    ("hellinger", "nannyml_continuous"): nannyml(distances.hellinger),
    ("categorical_distances", "union_of_categories"): distances_of_categories,
    ("unseen_categories", "in_current_not_in_reference"): unseen_categories,
    ("chi2", "contingency_no_correction"): chi_square,
    ("chi2", "contingency_yates"): yates,
    ("roc_auc", ""): roc_auc,
    ("average_precision", ""): average_precision,
    ("log_loss", "clip1e-15"): loss("log_loss"),
    ("brier", ""): loss("brier"),
    ("ece", "5_equal_width"): calibration,
    ("ece", "10_equal_width"): calibration,
    ("confusion_metrics", "threshold_ge_0.5"): confusion,
    ("confusion_metrics", "threshold_ge_0.35"): confusion,
    ("regression", ""): regression,
    ("fairness", "group_rates"): group_rates,
    ("fairness", "fairlearn_default"): disparities,
    ("adwin", "river_delta0.002"): stream("adwin"),
    ("page_hinkley", "river_default"): stream("page_hinkley"),
}


def test_vector(vector: Case) -> None:
    adapter = ADAPTERS.get((vector["metric"], vector["variant"]))
    assert adapter is not None, f"no adapter for {vector['metric']}, {vector['variant'] or 'plain'}"
    claims = list(adapter(vector))
    assert claims
    for what, ours, expected, slack in claims:
        if expected is None:
            assert ours.value is None, what
            assert ours.reason is not None, what
        else:
            assert ours.value is not None, (what, ours.reason)
            assert abs(ours.value - expected) <= vector["tolerance_abs"] + slack, (what, ours.value, expected)
    if vector["undefined"]:
        assert not any(claim.ours.known for claim in claims)


def test_every_adapter_has_its_cases(own_vectors: list[Case]) -> None:
    assert {(c["metric"], c["variant"]) for c in own_vectors} == set(ADAPTERS)
    assert (len(own_vectors), sum(c["undefined"] for c in own_vectors)) == (238, 19)
