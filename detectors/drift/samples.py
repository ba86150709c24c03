"""Two samples of raw values compared as they are, without a grid: what the summaries' metrics come to when exact.

For notebooks, small samples and tests; production is measured from summaries (``detectors.drift``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detectors.drift import cumulative, distances
from detectors.drift.measure import ANY_COLUMN
from detectors.point import Measurement, Reason
from detectors.summaries.summary import Floats, Ints

_EXACT_ROWS = 2_000      # up to so many rows in all the p-value is exact; it costs their square

_BINNED: dict[str, Callable[[Ints, Ints], float | None]] = {
    "psi": distances.psi,
    "jensen_shannon": distances.jensen_shannon,
    "hellinger": distances.hellinger,
    "total_variation": distances.total_variation,
    "kullback_leibler": distances.kullback_leibler,
    "cramers_v": distances.cramers_v,
    "l_infinity": distances.l_infinity,
}
_BY_VALUE: dict[str, Callable[[Ints, Ints], float | None]] = {
    "kolmogorov_smirnov": cumulative.kolmogorov_smirnov,
    "cramer_von_mises": cumulative.cramer_von_mises,
    "anderson_darling": cumulative.anderson_darling,
}
_BY_PLACE: dict[str, Callable[[Ints, Ints, Floats], float | None]] = {
    "wasserstein": cumulative.wasserstein,
    "normed_wasserstein": cumulative.normed_wasserstein,
    "energy": cumulative.energy,
}
_TESTS = {"chi_square": distances.chi_square, "g_test": distances.g_test}


def compare_numbers(metric: str, reference: Floats, current: Floats, edges: Floats | None = None) -> Measurement:
    """A metric of ``ANY_COLUMN`` or ``NUMERIC`` of two arrays of numbers, shape (n,); NaN is missing.

    Bins are closed on the left, between inner ``edges``, or else between the distinct deciles of the reference, which a
    constant does not have. Infinities count as the largest number. Rows count as independent in the p-value of
    ``kolmogorov_smirnov``; the other metrics have none.

    >>> compare_numbers("wasserstein", np.array([1.0, 2.0, np.nan]), np.array([4.0])).value
    2.5
    >>> compare_numbers("psi", np.array([3.0, 3.0]), np.array([4.0])).reason.value
    'constant_reference'
    """
    sides = [np.asarray(side, np.float64) for side in (reference, current)]
    r, c = (np.nan_to_num(side[~np.isnan(side)]) for side in sides)
    if reason := _lacking(r.size, sides[1].size, c.size):
        return Measurement.unknown(reason, c.size)
    if metric in ANY_COLUMN:
        if edges is None and (edges := decile_edges(r)) is None:
            return Measurement.unknown(Reason.CONSTANT_REFERENCE, c.size)
        return Measurement(_BINNED[metric](*(_histogram(side, edges) for side in (r, c))), c.size)
    values, (before, now) = _tabulate(r, c)
    if metric == "kolmogorov_smirnov":
        found = cumulative.kolmogorov_smirnov(before, now)
        assert found is not None, "neither side is empty"
        exact = r.size + c.size <= _EXACT_ROWS
        return Measurement(found, c.size, None, kolmogorov_smirnov_p_value(found, r.size, c.size, exact=exact))
    if metric in _BY_VALUE:
        return Measurement(_BY_VALUE[metric](before, now), c.size)
    return _by_place(metric, before, now, values)


def compare_categories(metric: str, reference: Sequence[str | None], current: Sequence[str | None]) -> Measurement:
    """A metric of ``ANY_COLUMN`` or ``CATEGORICAL`` over all categories of both samples; ``None`` is missing.

    Rows count as independent in the p-values of ``chi_square`` and ``g_test``; the other metrics have none.

    >>> compare_categories("l_infinity", ["a", "b"], ["a", "c", "c", None]).value.__round__(4)
    0.6667
    """
    r, c = ([v for v in side if v is not None] for side in (reference, current))
    if reason := _lacking(len(r), len(current), len(c)):
        return Measurement.unknown(reason, len(c))
    code = {v: i for i, v in enumerate(dict.fromkeys((*r, *c)))}
    before, now = (np.bincount([code[v] for v in side], minlength=len(code)) for side in (r, c))
    if metric in _TESTS:
        test = _TESTS[metric](before, now)
        assert test is not None, "neither side is empty"
        return Measurement(test.statistic, len(c), None, test.p_value)
    return Measurement(_BINNED[metric](before, now), len(c))


def decile_edges(values: Floats) -> Floats | None:
    """The inner edges between the distinct deciles of some numbers; ``None`` where all are the same.

    >>> decile_edges(np.arange(11.0)).round(6).tolist(), decile_edges(np.array([7.0, 7.0]))
    ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], None)
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 11)))
    return edges[1:-1] if edges.size > 1 else None


def kolmogorov_smirnov_p_value(statistic: float, n: int, m: int, *, exact: bool) -> float | None:
    """The chance that two samples of one continuous distribution, ``n`` and ``m`` rows, are as far apart, or further.

    Exact: the share of all orders of the pooled rows, as lattice paths, that leave the band; each path counts where it
    first does. Else that of one sample of n m / (n + m) rows, rounded, from the distribution of its statistic; ``None``
    where that rounds to no row. Source: Hodges, Arkiv för Matematik 3 (1958).

    >>> kolmogorov_smirnov_p_value(1.0, 4, 3, exact=True).__round__(6)
    0.057143
    """
    if not exact:
        from scipy.stats import kstwo  # slow to import, and needed for nothing else

        rows = round(n * m / (n + m))
        return float(kstwo.sf(statistic, rows)) if rows else None
    band = round(statistic * n * m)       # a multiple of 1 / (n m), but for rounding
    taken = np.arange(n + 1)              # rows of the first sample among the first `step` of both
    paths, left = np.zeros(n + 1), 0.0
    paths[0] = 1.0
    for step in range(n + m + 1):
        outside = np.abs(taken * m - (step - taken) * n) >= band
        left += float(paths[outside].sum())
        paths[outside] = 0.0
        if step < n + m:
            second = paths * np.clip(m - (step - taken), 0, m)
            first = paths * (n - taken)
            paths = (second + np.r_[0.0, first[:-1]]) / (n + m - step)
    return min(left, 1.0)


def _by_place(metric: str, before: Ints, now: Ints, values: Floats) -> Measurement:
    """In units of the largest value, so that no square is out of range."""
    n, unit = int(now.sum()), max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    found = _BY_PLACE[metric](before, now, values / unit)
    if found is None:
        return Measurement.unknown(Reason.CONSTANT_REFERENCE, n)
    scale = {"wasserstein": unit, "normed_wasserstein": 1.0, "energy": unit**0.5}[metric]
    return Measurement(min(found * scale, float(np.finfo(np.float64).max)), n)


def _lacking(known_reference: int, current: int, known_current: int) -> Reason | None:
    """Why two samples cannot be compared, from the values that are not missing and the window's rows."""
    if not known_current:
        return Reason.ALL_MISSING if current else Reason.EMPTY_WINDOW
    return None if known_reference else Reason.NO_REFERENCE


def _histogram(values: Floats, edges: Floats) -> Ints:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)


def _tabulate(reference: Floats, current: Floats) -> tuple[Floats, tuple[Ints, Ints]]:
    values = np.unique(np.r_[reference, current])
    before, now = (np.bincount(np.searchsorted(values, side), minlength=values.size) for side in (reference, current))
    return values, (before, now)
