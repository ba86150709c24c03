"""MTTA and MTTR of a year of 10,000 incidents equal a naive recount of their event logs, which knows no machine."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from years import MODELS, NOW, YEAR, Life, lived

from incidents.commands import Clock
from incidents.figures import Figure
from incidents.times import summarise
from monitor.kpis.catalogue import compute
from monitor.kpis.kpi import Kpi
from monitor.kpis.periods import Period, parse_period
from monitor.kpis.records import ModelRecord, Records

MANY = 10_000
PERIODS = ["2026", "2026-Q1", "2026-Q4", "2026-05"]


@dataclass
class Told:
    """What a log says, read from its lines one after another."""

    id: str = ""
    clock: str = ""
    opened: datetime | None = None
    acknowledged: datetime | None = None
    resolved: datetime | None = None
    merged: datetime | None = None
    disposition: str | None = None
    stretches: list[list[datetime | None]] = field(default_factory=list)
    reopened: int = 0


def read(log: list[dict[str, Any]]) -> Told:
    told = Told()
    for line in log:
        at = datetime.fromisoformat(line["at"])
        match line["kind"]:
            case "opened":
                told.id, told.clock, told.opened = line["data"]["id"], line["data"]["clock"], at
                told.stretches.append([at, None])
            case "acknowledged":
                if told.acknowledged is None:
                    assert line["actor"]["kind"] == "person"
                    told.acknowledged = at
            case "resolved":
                told.resolved = told.stretches[-1][1] = at
            case "reopened":
                told.reopened += 1
                told.resolved = told.disposition = None
                told.stretches.append([at, None])
            case "merged":
                told.merged = at
                told.stretches[-1][1] = told.stretches[-1][1] or at
            case "disposed":
                told.disposition = line["data"]["disposition"]
    return told


@pytest.fixture(scope="module")
def year() -> tuple[list[Life], list[Told]]:
    lives = lived(MANY, seed=5)
    return lives, [read(life.log) for life in lives]


def test_the_year_has_what_makes_it_hard(year: tuple[list[Life], list[Told]]) -> None:
    told = year[1]
    assert len(told) == len({t.id for t in told}) == MANY
    found = Counter[str]()
    for t in told:
        found["merged"] += t.merged is not None
        found["reopened twice"] += t.reopened > 1
        found["never acknowledged"] += t.acknowledged is None
        found["still open"] += t.stretches[-1][1] is None
        found["resolved, then merged"] += t.merged is not None and t.resolved is not None
        found["replayed"] += t.clock == "event"
        found[t.disposition or "not judged"] += 1
    assert min(found.values()) >= 25, found
    assert len(found) == 11


@pytest.mark.parametrize("name", PERIODS)
def test_mtta_and_mttr_are_those_of_a_recount(year: tuple[list[Life], list[Told]], name: str) -> None:
    lives, told = year
    period = parse_period(name)
    of = summarise([life.it for life in lives], (period.start, period.end), NOW, {})
    kpis = _kpis(lives, period)
    wall = [t for t in told if t.clock == "wall"]
    opened = [t for t in wall if _within(t.opened, period)]
    acknowledged = [_seconds(t.acknowledged, t.opened) for t in opened if t.acknowledged]
    _same(of.response.durations, acknowledged)
    _same_parts(kpis["incident_response_time"], "", acknowledged)
    never = {t.id for t in opened if t.acknowledged is None}
    assert set(of.response.never_acknowledged) == never
    assert _part(kpis["incident_response_time"], "never_acknowledged").value == len(never)

    resolved = [t for t in wall if _within(t.resolved, period)]
    real = [t for t in resolved if not t.merged and t.disposition not in ("drill", "false_positive")]
    whole, work = [_seconds(t.resolved, t.opened) for t in real], [_work(t) for t in real]
    _same(of.resolve_of_resolved, whole)
    _same(of.work_of_resolved, work)
    _same_parts(kpis["mttr"], "", whole)
    _same_parts(kpis["mttr"], "work_", work)
    later = [t for t in opened if t.resolved and not t.merged and t.disposition not in ("drill", "false_positive")]
    _same(of.resolve_of_opened, [_seconds(t.resolved, t.opened) for t in later])

    assert set(of.merged) == {t.id for t in wall if _within(t.merged, period)}
    assert not set(of.merged) & set(of.resolve_of_resolved.mean.records)
    assert _part(kpis["mttr"], "merged").value == len(of.merged)
    for disposition, apart in of.apart.items():
        alike = [t for t in resolved if not t.merged and t.disposition == disposition.value]
        _same(apart, [_seconds(t.resolved, t.opened) for t in alike])
    open_then = [t for t in wall if any(a < period.end and (b is None or b >= period.end) for a, b in t.stretches)]
    assert set(of.still_open.records) == {t.id for t in open_then}
    assert of.still_open.oldest_age == max(_seconds(period.end, t.opened) for t in open_then)


def test_the_quarters_add_up_to_the_year(year: tuple[list[Life], list[Told]]) -> None:
    incidents = [life.it for life in year[0]]
    quarters = [parse_period(f"2026-Q{n}") for n in range(1, 5)]
    parts = [summarise(incidents, (q.start, q.end), NOW, {}) for q in quarters]
    whole = summarise(incidents, YEAR, NOW, {})
    assert whole.resolve_of_resolved.n == sum(p.resolve_of_resolved.n for p in parts)
    assert len(whole.merged) == sum(len(p.merged) for p in parts)
    totals = [p.resolve_of_resolved.mean.numerator for p in parts]
    assert whole.resolve_of_resolved.mean.numerator == pytest.approx(sum(t for t in totals if t is not None), rel=1e-12)


def _kpis(lives: list[Life], period: Period) -> dict[str, Kpi]:
    models = tuple(ModelRecord(name, Clock.WALL, True, Period(YEAR[0], NOW)) for name in MODELS)
    return {k.id: k for k in compute(Records(models, tuple(life.it for life in lives), NOW), period)}


def _part(kpi: Kpi, id_: str) -> Figure:
    return next(p.figure for p in kpi.parts if p.id == id_ and p.of is None)


def _within(at: datetime | None, period: Period) -> bool:
    return at is not None and period.start <= at < period.end


def _seconds(end: datetime | None, start: datetime | None) -> float:
    assert end is not None
    assert start is not None
    return (end - start) / timedelta(microseconds=1) / 1e6


def _work(told: Told) -> float:
    return sum(_seconds(b, a) for a, b in told.stretches)


def _expected(times: list[float]) -> dict[str, float]:
    deciles = statistics.quantiles(times, n=10, method="inclusive")
    return {"mean": statistics.fmean(times), "p50": statistics.median(times), "p90": deciles[-1], "max": max(times)}


def _same(found: Any, times: list[float]) -> None:
    expected = _expected(times)
    assert found.n == len(times)
    figures = {"mean": found.mean, "p50": found.median, "p90": found.p90, "max": found.max}
    assert {name: f.value for name, f in figures.items()} == pytest.approx(expected, rel=1e-12)


def _same_parts(kpi: Kpi, prefix: str, times: list[float]) -> None:
    expected = _expected(times)
    assert {n: _part(kpi, f"{prefix}{n}").value for n in expected} == pytest.approx(expected, rel=1e-12)
