"""The KPI of corrective actions: whether they worked, and whether what they were to mend came back."""

from __future__ import annotations

from datetime import timedelta

from incidents.incident import Action
from monitor.kpis.kpi import Kpi, Part, count, ratio
from monitor.kpis.periods import Period
from monitor.kpis.records import Records

COMES_BACK = timedelta(days=90)


def effective(records: Records, part: Period) -> Kpi:
    kept = records.kept()
    planned = {f"{i.id}/{a.number}": a for i in kept for a in i.actions}
    due = {id_: a for id_, a in planned.items() if part.holds(a.check_at)}
    passed = [id_ for id_, a in due.items() if a.effective]
    failed = [id_ for id_, a in due.items() if a.effective is False]
    unchecked = [id_ for id_, a in due.items() if a.effective is None]
    late = [id_ for id_, a in planned.items() if _overdue(a, part)]
    resolved = {i.id: i.resolved_at for i in kept}
    back = []
    for i in kept:
        before = None if i.recurrence_of is None else resolved.get(i.recurrence_of)
        if part.holds(i.opened_at) and before is not None and i.opened_at - before <= COMES_BACK:
            back.append(i)
    return Kpi(
        "corrective_actions_effective",
        ratio(len(passed), len(due), list(due), "none_due"),
        (
            Part("effective", "Checked and effective", "count", count(passed)),
            Part("not_effective", "Checked and not effective", "count", count(failed)),
            Part("not_checked", "Due to be checked, and not", "count", count(unchecked)),
            Part("overdue", "Not completed though due by the end", "count", count(late)),
            Part("recurred", "Incidents that came back within 90 days", "count", count(back)),
        ),
    )


def _overdue(action: Action, part: Period) -> bool:
    done = action.completed_at
    return action.due_at < part.end and (done is None or done >= part.end)
