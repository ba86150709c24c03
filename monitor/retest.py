"""Re-tests: the metrics that an incident's limits are about, measured again over a window of a person's choice."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from detectors.point import MetricPoint
from detectors.scope import Window
from incidents.care import Retest
from incidents.verdict import Limit
from monitor import queries
from monitor.errors import Conflict
from monitor.judge.measure import measure
from monitor.judge.watch import Watch
from monitor.judge.windows import FAMILIES
from monitor.store.models import ModelState


def measure_again(
    db: Connection, state: ModelState, watch: Watch, limits: Sequence[Limit], start: int, end: int
) -> list[Retest]:
    """A re-test of each limit over ``[start, end)`` (microseconds, on the model's grain), from the stored summaries. A
    value that is not known is ``None``, with 0 rows, and does not pass. ``Conflict`` where outcomes of the window may
    still come: what was measured now would be another thing later."""
    data = queries.window_data(db, state, watch, start, end)
    wanted, metrics = {(x.metric, x.scope) for x in limits}, frozenset(x.metric for x in limits)
    measured = [p for family in FAMILIES for p in measure(watch, family, data, metrics)]
    found = {(p.metric, p.scope.text): p for p in measured if (p.metric, p.scope.text) in wanted}
    if any(p.provisional for p in found.values()):
        raise Conflict("outcomes of this window may still come", "Take a window whose label delay has passed")
    return [_retest(x, found.get((x.metric, x.scope)), data.window) for x in limits]


def _retest(limit: Limit, point: MetricPoint | None, window: Window) -> Retest:
    m = None if point is None else point.measurement
    if m is None or m.value is None:
        return Retest(limit.metric, limit.scope, window.start, window.end)
    low, high = m.interval or (None, None)
    return Retest(limit.metric, limit.scope, window.start, window.end, m.value, low, high, m.n)
