"""Business value: what the decisions were worth, by a declared matrix of values."""

from __future__ import annotations

from detectors.intervals import mean_interval
from detectors.performance.delta import padded
from detectors.point import Measurement, Reason
from detectors.summaries.summary import Floats, Ints


def business_value(table: Ints, values: Floats) -> Measurement:
    """Mean value of a prediction, both arguments of shape (decision, label): counts, and the value of one such row.

    A cost is a negative value. The total is the mean times ``n``. The interval is Student's, centred on the mean, with
    the spread of the table with two more rows shared out evenly over its cells: a dear mistake that was not seen yet is
    not taken for impossible. It stays between the least and the greatest value. Elkan (2001), IJCAI.

    >>> import numpy as np
    >>> table, values = np.array([[50, 10], [5, 35]]), np.array([[0.0, -100.0], [-10.0, 40.0]])
    >>> found = business_value(table, values)
    >>> found.value, found.n, [round(x, 2) for x in found.interval]
    (3.5, 100, [-4.43, 11.43])
    >>> business_value(np.zeros((2, 2), int), values).reason.value
    'no_outcomes'
    """
    n = int(table.sum())
    if n == 0:
        return Measurement.unknown(Reason.NO_OUTCOMES)
    rows, mean = padded(table), float((table * values).sum()) / n
    centre = float((rows * values).sum() / rows.sum())
    spread = float((rows * (values - centre) ** 2).sum() / rows.sum())
    interval = mean_interval(mean * n, n * (mean**2 + spread), n)
    if interval is not None:
        interval = max(interval[0], float(values.min())), min(interval[1], float(values.max()))
    return Measurement(mean, n, interval)
