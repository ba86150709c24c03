"""The monitors of a model that declares none: sound limits that need no configuration.

A drift, quality or fairness limit is absolute; a performance limit is set from the reference's own performance, because
a good AUC in one field is a poor one in another. Why each number: docs/monitors.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import timedelta

from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.space import Column
from monitor.model import Limit, ModelSpec, MonitorSpec
from monitor.model.monitors import id_of

DRIFT = 0.025               # Jensen-Shannon distance, base 2; a shift by 0.1 deviations is 0.04 (docs/alarms.md)
PERFORMANCE_FALL = 0.05     # of ROC AUC and accuracy, below the reference
ERROR_RISE = 1.2            # times the reference's mean absolute error
MISSING_RISE = 0.05
OUT_OF_RANGE = 0.05
UNSEEN = 0.01
WRONG_TYPE = 0.05           # of the rows; of rows with fields that nobody declared as well
PARITY_RATIO = 0.8          # the four-fifths rule: Uniform Guidelines, 29 CFR 1607.4(D)
PARITY_DIFFERENCE = 0.1
DRIFT_ALPHA = 0.001
VOLUME = (0.5, 3.0)         # times the median of the windows before
VOLUME_HISTORY = (4, 8)     # at least so many windows, at most the last so many
FALSE_ALARM_BUDGET = 0.001  # incidents for each window in which nothing happened, at these very limits

Reading = dict[tuple[str, str], float]


def monitors_for(spec: ModelSpec, reference: Reference, baseline: Reading) -> tuple[MonitorSpec, ...]:
    """The declared monitors, or the defaults. ``baseline``: the reference's own values, by metric and scope text."""
    if spec.monitors is not None:
        return spec.monitors
    found: list[MonitorSpec] = []
    for column in reference.space.columns:
        found += _column_monitors(spec, column)
    found += _performance_monitors(spec, baseline)
    found.append(_monitor(spec, "undeclared_field_rate", Scope(), "drift", Limit(high=WRONG_TYPE)))
    for attribute in (*spec.protected_attributes, *map("&".join, spec.intersections)):
        found += _fairness_monitors(spec, Scope(attribute=attribute), baseline)
    return tuple(found)


def volume_monitor(spec: ModelSpec, history: Sequence[float]) -> MonitorSpec | None:
    """The monitor of ``row_count``, whose limit is set from the windows before; ``None`` with too few of them.

    Also ``None`` where the declaration has one of its own or wants no monitors at all; others do not replace it.

    ``history``: the row counts of earlier windows that had rows, the latest first: silence does not become the usual.
    """
    least, most = VOLUME_HISTORY
    if spec.monitors == () or any(m.metric == "row_count" for m in spec.monitors or ()) or len(history) < least:
        return None
    usual = statistics.median(history[:most])
    limit = Limit(low=VOLUME[0] * usual, high=VOLUME[1] * usual)
    return _monitor(spec, "row_count", Scope(), "drift", limit)


def _column_monitors(spec: ModelSpec, column: Column) -> list[MonitorSpec]:
    if column.kind == "output":
        return [_monitor(spec, "jensen_shannon", Scope(output=column.name), "drift", Limit(high=DRIFT), DRIFT_ALPHA)]
    scope = Scope(feature=column.name)
    found = [
        _monitor(spec, "jensen_shannon", scope, "drift", Limit(high=DRIFT), DRIFT_ALPHA),
        _monitor(spec, "missing_rate", scope, "drift", Limit(high=MISSING_RISE), relative=True),
        _monitor(spec, "type_error_rate", scope, "drift", Limit(high=WRONG_TYPE)),
    ]
    if isinstance(column.grid, CategoryGrid):
        if column.grid.complete:
            found.append(_monitor(spec, "unseen_category_rate", scope, "drift", Limit(high=UNSEEN)))
    else:
        found.append(_monitor(spec, "out_of_range_rate", scope, "drift", Limit(high=OUT_OF_RANGE)))
    return found


def _performance_monitors(spec: ModelSpec, baseline: Reading) -> list[MonitorSpec]:
    """Only those whose reference value is known: a limit out of nothing would be a guess."""
    if spec.task == "regression":
        mae = baseline.get(("mae", "model"))
        limits = {} if mae is None else {"mae": Limit(high=mae * ERROR_RISE)}
    else:
        watched = ("ndcg",) if spec.task == "ranking" else ("roc_auc", "accuracy")
        known = {metric: baseline.get((metric, "model")) for metric in watched}
        limits = {metric: Limit(low=v - PERFORMANCE_FALL) for metric, v in known.items() if v is not None}
    return [
        _monitor(spec, metric, Scope(), "performance", limit, severity="critical") for metric, limit in limits.items()
    ]


def _fairness_monitors(spec: ModelSpec, scope: Scope, baseline: Reading) -> list[MonitorSpec]:
    """Of a regression the groups' errors may differ by what its error may rise; a ranking has no decisions."""
    if spec.task == "ranking":
        return []
    if spec.task == "regression":
        mae = baseline.get(("mae", "model"))
        limit = None if mae is None else Limit(high=mae * (ERROR_RISE - 1))
        return [] if limit is None else [_monitor(spec, "mae_difference", scope, "fairness", limit)]
    parity = _monitor(spec, "demographic_parity_ratio", scope, "fairness", Limit(low=PARITY_RATIO))
    odds = ("equal_opportunity_difference", "equalized_odds_difference")
    return [parity, *(_monitor(spec, m, scope, "fairness", Limit(high=PARITY_DIFFERENCE)) for m in odds)]


def _monitor(
    spec: ModelSpec,
    metric: str,
    scope: Scope,
    window: str,
    limit: Limit,
    alpha: float = 0.05,
    *,
    relative: bool = False,
    severity: str = "warning",
) -> MonitorSpec:
    length: timedelta = getattr(spec.windows, window)
    return MonitorSpec(
        id=id_of(metric, scope),
        metric=metric,
        scope=scope,
        window=length,
        breach=limit,
        clear=limit,
        relative_to="reference" if relative else "absolute",
        alpha=alpha,
        severity=severity,  # type: ignore[arg-type]  # one of the three words, above
    )
