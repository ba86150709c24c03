"""How large a sample would decide: what to say of a disparity whose interval lies on both sides of its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.disparities import Kind, disparity
from detectors.point import Measurement
from detectors.summaries.summary import Ints

MOST = 1e6           # a growth beyond this decides nothing in anyone's lifetime
_STEPS = 32          # halvings of the logarithm: good to one part in 10**8


@dataclass(frozen=True, slots=True)
class Needed:
    """The sample must be ``growth`` times as large: ``n`` rows in each group, in the order given."""

    growth: float
    n: tuple[int, ...]


def needed_sample(
    kind: Kind, k: Ints, n: Ints, limit: float, reference: int | None = None, families: int = 1, deff: float = 1.0
) -> Needed | None:
    """The smallest sample whose interval would lie on one side of the ``limit``, if the rates stay as they are and all
    groups grow alike; arguments as of ``disparity``. ``None`` where no sample within reach would: the value is the
    limit, or as good as it, or there is no value.

    >>> needed = needed_sample("difference", np.array([40, 30]), np.array([100, 100]), 0.05)
    >>> round(needed.growth, 1), needed.n
    (7.0, (702, 702))
    """
    value = disparity(kind, k, n, reference, families, deff).value
    if value is None or value == limit:
        return None

    def decides(growth: float) -> bool:
        interval = disparity(kind, k, n, reference, families, deff / growth).interval
        return interval is not None and not interval[0] <= limit <= interval[1]

    if not decides(MOST):
        return None
    low, high = 0.0, math.log(MOST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if decides(math.exp(middle)) else (middle, high)
    growth = 1.0 if decides(1.0) else math.exp(high)
    return Needed(growth, tuple(int(x) for x in np.ceil(n * growth - 1e-6)))


def needed_growth(measurement: Measurement, limits: Sequence[float]) -> float | None:
    """The same from a measurement alone, of any metric with an interval: how many times as large its sample must be.

    The interval is taken to shrink with the root of the sample, which is close where the groups are of like size;
    ``needed_sample`` is exact. With two ``limits`` (``outside``) the sample must decide on both. ``None`` where the
    value is a limit, or there is none.

    >>> wide = Measurement(0.25, 100, (0.0, 0.5))
    >>> needed_growth(wide, [0.125]), needed_growth(wide, [0.75])
    (4.0, 1.0)
    """
    if measurement.value is None or measurement.interval is None:
        return None
    value, (low, high) = measurement.value, measurement.interval
    growth = 1.0
    for limit in limits:
        if value == limit:
            return None
        reach = value - low if limit < value else high - value
        growth = max(growth, (reach / (limit - value)) ** 2)
    return growth if growth <= MOST else None
