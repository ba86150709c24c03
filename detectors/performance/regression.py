"""Performance of a regression, from sums over its rows. The error is predicted minus actual."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from scipy.special import stdtrit

from detectors.intervals import Interval, mean_interval
from detectors.performance.delta import positive_mean_interval
from detectors.point import CONFIDENCE, Measurement, Reason

Named = tuple[str, Measurement]
Sums = Mapping[str, float]

_ERRORS = ("mae", "mse", "rmse", "bias", "r2")
_MOMENTS = ("cubed_actual", "fourth_power_actual", "squared_error_actual", "squared_error_squared_actual")
_PERCENTAGES = ("percentage_error", "squared_percentage_error", "nonzero")


def regression_metrics(n: int, sums: Sums, quantile: float | None = None) -> Iterator[Named]:
    """Errors of a regression from its sums over ``n`` rows, by name. A positive ``bias`` says that the model predicts
    too much.

    ``error``, ``absolute_error``, ``squared_error``, ``fourth_power_error``, ``actual`` and ``squared_actual`` must be
    there. With ``percentage_error`` (of |error / actual|), its square and ``nonzero`` (rows whose actual value is not
    0) comes MAPE, with ``signed_squared_error`` (of error * |error|) and a declared ``quantile`` the quantile loss.
    The interval of the bias is Student's, those of the other means Student's of the logarithm; that of RMSE is the root
    of that of MSE, from the fourth powers. R squared is unknown where the actual values do not differ; its interval is
    told by ``r2``.

    >>> sums = {"error": 1.0, "absolute_error": 3.0, "squared_error": 5.0, "fourth_power_error": 17.0,
    ...         "actual": 15.0, "squared_actual": 75.0}                 # 4, 5 and 7 predicted for 5, 5 and 5
    >>> {metric: m.value and round(m.value, 3) for metric, m in regression_metrics(3, sums)}
    {'mae': 1.0, 'mse': 1.667, 'rmse': 1.291, 'bias': 0.333, 'r2': None}
    """
    error, absolute, squared, fourth = (
        sums[s] for s in ("error", "absolute_error", "squared_error", "fourth_power_error")
    )
    percentages = all(s in sums for s in _PERCENTAGES)
    with_loss = quantile is not None and "signed_squared_error" in sums
    if n == 0:
        names = (*_ERRORS, *["mape"] * percentages, *["quantile_loss"] * with_loss)
        yield from ((metric, Measurement.unknown(Reason.NO_OUTCOMES)) for metric in names)
        return
    absolute, squared = max(absolute, 0.0), max(squared, 0.0)           # a large row taken back leaves its rounding
    mse = squared / n
    mse_interval = positive_mean_interval(squared, fourth, n)
    yield "mae", Measurement(absolute / n, n, positive_mean_interval(absolute, squared, n))
    yield "mse", Measurement(mse, n, mse_interval)
    root = None if mse_interval is None else (mse_interval[0] ** 0.5, mse_interval[1] ** 0.5)
    yield "rmse", Measurement(mse**0.5, n, root)
    yield "bias", Measurement(error / n, n, mean_interval(error, squared, n))
    yield "r2", r2(n, sums)
    if percentages:
        yield "mape", mape(sums)
    if quantile is not None and with_loss:
        yield "quantile_loss", quantile_loss(n, sums, quantile)


def mape(sums: Sums) -> Measurement:
    """Mean absolute percentage error, as a share: 0.1 is ten per cent. Rows whose actual value is 0 have none and are
    left out; ``n`` counts the others.

    >>> mape({"percentage_error": 0.5, "squared_percentage_error": 0.2, "nonzero": 2.0}).value
    0.25
    """
    share, square, rows = (sums[s] for s in _PERCENTAGES)
    n = round(rows)
    if n == 0:
        return Measurement.unknown(Reason.ZERO_DENOMINATOR)
    share = max(share, 0.0)
    return Measurement(share / n, n, positive_mean_interval(share, square, n))


def quantile_loss(n: int, sums: Sums, quantile: float) -> Measurement:
    """Mean pinball loss at a quantile in (0, 1): a unit predicted too little costs ``quantile``, one too much
    ``1 - quantile``. Koenker and Bassett (1978), Econometrica 46(1).

    >>> sums = {"error": -1.0, "absolute_error": 3.0, "squared_error": 5.0, "signed_squared_error": -3.0}
    >>> round(quantile_loss(2, sums, 0.9).value, 3)                     # 1 too much and 2 too little
    0.95
    """
    over, under = ((sums["absolute_error"] + s * sums["error"]) / 2 for s in (1, -1))
    squares_over, squares_under = ((sums["squared_error"] + s * sums["signed_squared_error"]) / 2 for s in (1, -1))
    total = max((1 - quantile) * over + quantile * under, 0.0)
    squares = (1 - quantile) ** 2 * squares_over + quantile**2 * squares_under
    return Measurement(total / n, n, positive_mean_interval(total, squares, n))


def r2(n: int, sums: Sums) -> Measurement:
    """Share of the actual values' variance that the model explains, of at least one row; below 0 where their mean
    would have been nearer.

    The interval is the delta method's for the logarithm of unexplained over whole variance, free of any assumption on
    the distribution, with Student's quantile. It needs the sums ``cubed_actual``, ``fourth_power_actual``,
    ``squared_error_actual`` and ``squared_error_squared_actual``. All powers of the actual values may be taken from any
    one origin, and are the more exact the nearer it is to their mean; ``unit`` says in what they were summed.
    """
    mean = sums["actual"] / n
    spread = sums["squared_actual"] - sums["actual"] * mean
    # Below what rounding can leave (each addend to 2**-36 units, each addition to a double's 53 bits) it is nothing.
    unit = sums.get("unit", 1.0)
    if spread <= n * (2.0**-36 * unit * (unit + abs(mean)) + 2.0**-51 * sums["squared_actual"]):
        return Measurement.unknown(Reason.ZERO_DENOMINATOR, n)
    squared = max(sums["squared_error"], 0.0)
    return Measurement(1 - squared / spread, n, _r2_interval(n, sums, mean, squared / n, spread / n))


def _r2_interval(n: int, sums: Sums, mean: float, mse: float, variance: float) -> Interval | None:
    if n < 2 or not all(s in sums for s in _MOMENTS):
        return None
    if mse == 0.0:
        return 1.0, 1.0
    cubed, fourth, by_actual, by_square = (sums[s] / n for s in _MOMENTS)
    square = sums["squared_actual"] / n
    kurtosis = (fourth - 4 * mean * cubed + 6 * mean**2 * square - 3 * mean**4) / variance**2
    joint = (by_square - 2 * mean * by_actual + mean**2 * mse) / (mse * variance)
    fourth_error = sums["fourth_power_error"] / n / mse**2
    relative = min(max(fourth_error + kurtosis - 2 * joint, 0.0) / (n - 1), 4.0)    # more is rounding, less than 0 too
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * math.sqrt(relative)
    ratio = mse / variance
    return 1 - ratio * math.exp(half), 1 - ratio * math.exp(-half)
