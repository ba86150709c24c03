"""The KPIs of a period from the databases: what the API, the metrics and the pack ask for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from monitor.database import reading
from monitor.kpis.catalogue import compute
from monitor.kpis.kpi import Kpi
from monitor.kpis.periods import Period, quarter_of
from monitor.kpis.records import Records
from monitor.review.gather import ClockChoice, gather, subjects


def kpis_for(
    log: Engine,
    state: Engine,
    now: datetime,
    period: Period | None = None,
    model: str | None = None,
    clock: ClockChoice = "wall",
) -> list[Kpi]:
    """Every KPI of a period, the current quarter where none is named; of one model, or of all in scope."""
    period = period or quarter_of(now)
    names = None if model is None else frozenset({model})
    return compute(figures(log, state, now, period, names, clock, named=model is not None), period)


def figures(
    log: Engine,
    state: Engine,
    now: datetime,
    span: Period,
    names: frozenset[str] | None,
    clock: ClockChoice,
    *,
    named: bool = False,
) -> Records:
    """The records of a span. ``names``: only these models; ``named``: in scope or not, for they were asked for."""
    with reading(log) as declared, reading(state) as db:
        return gather(db, subjects(declared, db, span.end, names), span, clock, now, named=named)
