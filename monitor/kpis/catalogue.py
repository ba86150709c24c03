"""All KPIs of the service, computed from records."""

from __future__ import annotations

from monitor.kpis import actions, bias, response, watching
from monitor.kpis.definitions import DEFINITIONS, LATER
from monitor.kpis.kpi import Kpi, missing
from monitor.kpis.periods import Period
from monitor.kpis.records import Records


def compute(records: Records, period: Period) -> list[Kpi]:
    """Every KPI of a period, as of ``records.now``; of a period not over yet, up to then."""
    part = period.until(records.now)
    if part is None:
        return [Kpi(id_, missing("period_not_begun")) for id_ in DEFINITIONS]
    times = response.Times(records, part)
    found = [
        bias.findings_closed(records, part),
        bias.closure_time(records, part),
        bias.incident_rate(records, part),
        bias.testing_frequency(records, part),
        response.response_time(times),
        response.resolve_time(times),
        response.detect_time(times),
        response.recover_time(times),
        response.between_failures(times),
        watching.drift_handled(records, part),
        watching.coverage(records, part),
        watching.noise(records, part),
        actions.effective(records, part),
    ]
    by_id = {k.id: k for k in found}
    return [by_id[id_] if id_ in by_id else _later(id_, records) for id_ in DEFINITIONS]


def _later(id_: str, records: Records) -> Kpi:
    reason, note = LATER[id_]
    return Kpi(id_, missing(reason), target=_objective(records) if id_ == "sla_uptime" else None, note=note)


def _objective(records: Records) -> float | None:
    """The declared objective of the covered models, where they share one."""
    declared = {m.sla_objective for m in records.covered}
    return declared.pop() if len(declared) == 1 else None
