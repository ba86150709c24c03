"""From the databases to the records that KPIs are computed from. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from sqlalchemy import Connection, select

from detectors.scope import Scope
from incidents.commands import Clock
from incidents.verdict import VerdictKind
from monitor.judge.windows import LATENESS, Track, track_of
from monitor.kpis.periods import Period
from monitor.kpis.records import BiasResult, BiasTest, ModelRecord, Records
from monitor.log.port import Declaration
from monitor.log.tables import declarations
from monitor.model import ModelSpec
from monitor.store import lists, models, summaries
from monitor.store.lists import Filter
from monitor.store.models import ModelState
from monitor.store.tables import points, verdicts, windows
from monitor.times import from_micros, span_micros, to_micros

ClockChoice = Literal["wall", "event", "all"]
CLOCKS: dict[ClockChoice, frozenset[Clock]] = {
    "wall": frozenset({Clock.WALL}),
    "event": frozenset({Clock.EVENT}),
    "all": frozenset(Clock),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model as the review sees it: the declaration in force at the end of what is reviewed, and its state."""

    declaration: Declaration
    spec: ModelSpec
    state: ModelState | None

    @property
    def clock(self) -> Clock:
        return Clock.EVENT if self.state is not None and self.state.event_clock else Clock.WALL


def subjects(log: Connection, db: Connection, at: datetime, names: frozenset[str] | None) -> list[Subject]:
    """The models declared by ``at``; replays too if they were declared since, for their data are older than they."""
    in_force: dict[str, Declaration] = {}
    query = select(declarations).order_by(declarations.c.model, declarations.c.version)
    for row in log.execute(query).mappings():
        if row["at"] < to_micros(at) or row["model"] not in in_force:
            in_force[row["model"]] = Declaration(**row)
    found = []
    for name, declaration in in_force.items():
        if names is None or name in names:
            subject = Subject(declaration, ModelSpec.from_dict(declaration.body), models.load(db, name))
            if declaration.at < to_micros(at) or subject.clock is Clock.EVENT:
                found.append(subject)
    return found


def clock_now(found: Iterable[Subject], clock: ClockChoice, now: datetime) -> datetime:
    """The time by the clock that is asked for: a replay's stands where its data end."""
    replays = [s.state.clock for s in found if s.state is not None and s.state.event_clock]
    return from_micros(max(replays)) if clock == "event" and replays else now


def gather(
    db: Connection, found: list[Subject], span: Period, clock: ClockChoice, now: datetime, *, named: bool
) -> Records:
    """The records of ``span``. Of a model that runs on another clock, only that it is there."""
    known = Filter(frozenset(s.spec.model for s in found if s.state is not None))
    return Records(
        tuple(_model(db, s, span, now, whole=s.clock in CLOCKS[clock]) for s in found),
        tuple(lists.bodies(db, known)),
        clock_now(found, clock, now),
        CLOCKS[clock],
        named,
    )


def _model(db: Connection, s: Subject, span: Period, now: datetime, *, whole: bool) -> ModelRecord:
    spec, state = s.spec, s.state
    attributes = tuple(spec.protected_attributes)
    objective = None if spec.sla is None else spec.sla.get("objective")
    plain = ModelRecord(spec.model, s.clock, spec.in_scope, None, attributes, sla_objective=objective)
    first = None if state is None or not whole else summaries.first_bucket(db, state.id)
    if first is None or state is None:
        return plain
    grain = span_micros(spec.grain)
    end = (state.last_prediction // grain + 1) * grain if state.event_clock else to_micros(now)
    if first >= end:
        return plain
    drift = Track("drift", span_micros(spec.windows.drift))
    before = to_micros(span.start) - 2 * drift.length
    rows = sorted(summaries.bucket_rows(db, state.id, before, to_micros(span.end))["predictions"])
    return ModelRecord(
        spec.model,
        s.clock,
        spec.in_scope,
        Period(from_micros(first), from_micros(end)),
        attributes,
        tuple((from_micros(b), summaries.received(found).total) for b, found in groupby(rows, key=lambda r: r.bucket)),
        tuple(Period(from_micros(a), from_micros(b)) for a, b in _measured(db, state.id, drift, before, span)),
        tuple(t for a in attributes for t in _tests(db, s, a, first, to_micros(now), span)),
        objective,
    )


def _measured(db: Connection, model: int, track: Track, start: int, span: Period) -> list[tuple[int, int]]:
    query = select(windows.c.start, windows.c.end).where(
        windows.c.model == model,
        windows.c.family == track.name,
        windows.c.start >= start,
        windows.c.start < to_micros(span.end),
        windows.c.revision > 0,
    )
    return [(a, b) for a, b in db.execute(query.order_by(windows.c.start))]


def _tests(db: Connection, s: Subject, attribute: str, first: int, now: int, span: Period) -> list[BiasTest]:
    """The bias tests of an attribute that fall due in ``span``: done or not."""
    spec, state = s.spec, s.state
    assert state is not None, "a model with predictions has a state"
    track = _fairness_track(spec, attribute)
    wait = span_micros(spec.label_delay) + LATENESS
    until = state.last_prediction if state.event_clock else now
    due = [w for w in track.closed(first, until) if span.holds(from_micros(w[1] + wait))]
    results = _results(db, state.id, track, attribute, due[0][0], due[-1][0]) if due else {}
    return [
        BiasTest(
            f"{spec.model}/{attribute}/{from_micros(start).date().isoformat()}",
            from_micros(end + wait),
            results.get(start, BiasResult.MISSING),
        )
        for start, end in due
    ]


def _fairness_track(spec: ModelSpec, attribute: str) -> Track:
    """The windows in which an attribute's limits are judged: its monitors' shortest, or the declared one."""
    watching = [track_of(m) for m in spec.monitors or () if m.scope.attribute == attribute]
    fairness = [t for t in watching if t.family == "fairness"]
    return min(fairness, key=lambda t: t.length, default=Track("fairness", span_micros(spec.windows.fairness)))


def _results(
    db: Connection, model: int, track: Track, attribute: str, start: int, last: int
) -> dict[int, BiasResult]:
    """By the window's start: what its settled measurement said of the attribute."""
    of_window = (windows.c.model == model) & (windows.c.family == track.name) & windows.c.start.between(start, last)
    settled = set(db.execute(select(windows.c.start).where(of_window, windows.c.settled)).scalars())
    query = (
        select(points.c.start, points.c.scope, verdicts.c.verdict)
        .join(verdicts, verdicts.c.point == points.c.id)
        .where(
            points.c.model == model,
            points.c.family == track.name,
            points.c.start.between(start, last),
            points.c.latest,
        )
    )
    said: dict[int, set[str]] = {w: set() for w in settled}
    for window, scope, verdict in db.execute(query):
        if window in said and Scope.parse(scope).attribute == attribute:
            said[window].add(verdict)
    return {window: _result(found) for window, found in said.items()}


def _result(found: set[str]) -> BiasResult:
    """Of a window's verdicts: without one, or with one unknown, there was too little to judge all its limits by."""
    if not found or VerdictKind.UNKNOWN in found:
        return BiasResult.INSUFFICIENT
    return next(BiasResult(v) for v in ("breach", "inconclusive", "ok") if v in found)
