"""Clocks that run once an incident may have to be reported to an authority. A person picks and files; Vigil never does.

Sources: Regulation (EU) 2024/1689 (AI Act), Article 73 (2) to (4); Regulation (EU) 2016/679 (GDPR), Article 33 (1);
Commission Delegated Regulation (EU) 2025/301 on Regulation (EU) 2022/2554 (DORA), Article 19, its Article 5.
All times are UTC, so no summer time stretches an hour; months are of the calendar.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.care import Step
from incidents.parts import Deadline, Serious
from incidents.wire import from_json

__all__ = ["PRESETS", "Deadline", "Presets", "deadlines", "read_presets", "steps_of"]

Presets = Mapping[str, tuple[Step, ...]]

_HOUR, _DAY = 3_600, 86_400

PRESETS: Presets = {
    "eu_ai_act:other": (Step("eu_ai_act", "report", "aware", 15 * _DAY),),
    "eu_ai_act:death": (Step("eu_ai_act", "report", "aware", 10 * _DAY),),
    "eu_ai_act:widespread_or_critical_infrastructure": (Step("eu_ai_act", "report", "aware", 2 * _DAY),),
    "gdpr": (Step("gdpr", "notification", "aware", 72 * _HOUR),),
    "dora": (
        Step("dora", "initial", "classified", 4 * _HOUR),
        Step("dora", "initial", "aware", 24 * _HOUR),
        Step("dora", "intermediate", "initial", 72 * _HOUR),
        Step("dora", "final", "intermediate", months=1),
    ),
}


def deadlines(serious: Serious) -> tuple[Deadline, ...]:
    """When each report is due, in the order of its steps, and when it was filed.

    A deadline after another report runs from that report; until it is filed, from the latest time it may have: its own
    deadline. Of several steps of one name the earliest counts, and one that needs a classification not there yet does
    not; a deadline of such steps alone is not told yet.

    >>> aware = datetime(2026, 1, 31, tzinfo=UTC)
    >>> for d in deadlines(Serious("outage", PRESETS["dora"], aware, classified_at=None)):
    ...     print(d.name, d.due_at)
    initial 2026-02-01 00:00:00+00:00
    intermediate 2026-02-04 00:00:00+00:00
    final 2026-03-04 00:00:00+00:00
    """
    filed = {(r.regime, r.deadline): r.at for r in serious.reports}
    due: dict[tuple[str, str], datetime] = {}
    for step in serious.steps:
        own, before = (step.regime, step.name), (step.regime, step.after)
        bases = {"aware": serious.aware_at, "classified": serious.classified_at}
        base = bases[step.after] if step.after in bases else filed.get(before, due.get(before))
        if base is not None:
            at = _later(base, step)
            due[own] = min(at, due.get(own, at))
    return tuple(Deadline(*name, at, filed.get(name)) for name, at in due.items())


def steps_of(category: str, regimes: Iterable[str], presets: Presets = PRESETS) -> tuple[Step, ...]:
    """The steps of the regimes that a person picked, for a category where a regime has several.

    >>> [step.seconds // 86_400 for step in steps_of("death", ["eu_ai_act", "gdpr"])]
    [10, 3]
    """
    steps: list[Step] = []
    for regime in dict.fromkeys(regimes):
        found = presets.get(f"{regime}:{category}", presets.get(regime))
        if found is None:
            raise ValueError(f"there is no preset '{regime}' for '{category}'; there are {', '.join(sorted(presets))}")
        steps += found
    return tuple(steps)


def read_presets(data: Any) -> dict[str, tuple[Step, ...]]:
    """More presets, as a file says them: by ``regime`` or ``regime:category`` a list of steps, each with ``name``,
    ``after`` and ``hours``, ``days`` or ``months``. Anything else is a ``ValueError`` that names the place.

    >>> read_presets({"bank": [{"name": "note", "after": "aware", "hours": 6}]})["bank"][0].seconds
    21600
    """
    if not isinstance(data, dict):
        raise ValueError("presets are a mapping from a regime to a list of steps")
    return {
        str(name): tuple(_step(str(name), i, step) for i, step in enumerate(_list(name, steps)))
        for name, steps in data.items()
    }


def _list(name: Any, steps: Any) -> list[Any]:
    if not isinstance(steps, list) or not steps:
        raise ValueError(f"'{name}' needs a list of at least one step")
    return steps


def _step(preset: str, place: int, step: Any) -> Step:
    if not isinstance(step, dict):
        raise ValueError(f"{preset}[{place}] is no mapping with 'name', 'after' and a time")
    told = dict(step)
    units = {"hours": _HOUR, "days": _DAY}
    try:
        seconds = sum(round(told.pop(unit) * size) for unit, size in units.items() if unit in told)
        return from_json(Step, {"regime": preset.partition(":")[0], "seconds": seconds, **told})
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{preset}[{place}]: {error}") from error


def _later(base: datetime, step: Step) -> datetime:
    """So much later; at the end of a month that has no such day, and at the end of all time rather than an error."""
    try:
        years, month = divmod(base.month - 1 + step.months, 12)
        year = base.year + years
        day = min(base.day, monthrange(year, month + 1)[1])
        return base.replace(year=year, month=month + 1, day=day) + timedelta(seconds=step.seconds)
    except (OverflowError, ValueError):
        return datetime.max.replace(tzinfo=UTC)
