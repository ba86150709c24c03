"""What KPIs are computed from: models with their exposure and tests, and incidents, seen by one clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidents.commands import Clock
from incidents.figures import Cohort
from incidents.incident import Action, Incident, Interval, State
from incidents.verdict import Kind
from monitor.kpis.periods import Period


class BiasResult(StrEnum):
    """``insufficient``: measured, with too little data to judge, or against no limit; ``missing``: not finished."""

    OK = "ok"
    BREACH = "breach"
    INCONCLUSIVE = "inconclusive"
    INSUFFICIENT = "insufficient"
    MISSING = "missing"

    @property
    def done(self) -> bool:
        return self in (BiasResult.OK, BiasResult.BREACH, BiasResult.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class BiasTest:
    """One fairness window of one protected attribute, due at ``due``: its end and the wait for outcomes."""

    id: str
    due: datetime
    result: BiasResult


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as the KPIs need it.

    - ``live``: from its first prediction until now, or a replay's end; ``None`` before the first
    - ``predictions``: rows of serving roles by the start of their bucket of event time; where they are sampled an
      estimate of all there were
    - ``measured``: its windows of drift that were measured: a silent evaluator measures none
    - ``tests``: the bias tests due, done or not; ``attributes``: what they are about
    """

    name: str
    clock: Clock
    in_scope: bool
    live: Period | None
    attributes: tuple[str, ...] = ()
    predictions: tuple[tuple[datetime, int], ...] = ()
    measured: tuple[Period, ...] = ()
    tests: tuple[BiasTest, ...] = ()
    sla_objective: float | None = None

    def served(self, part: Period) -> int:
        return sum(n for at, n in self.predictions if part.holds(at))

    def fresh(self, at: datetime) -> bool:
        """Whether a window with predictions was measured that ended within two window lengths before ``at``."""
        return any(w.end <= at < w.end + 2 * (w.end - w.start) and self.served(w) for w in self.measured)


@dataclass(frozen=True, slots=True)
class Records:
    """Models and incidents, as of ``now``. The figures are about those of ``clocks`` that are in scope, or of any scope
    where the model was asked for by name (``named``). What is left out is counted.
    """

    models: tuple[ModelRecord, ...]
    incidents: tuple[Incident, ...]
    now: datetime
    clocks: frozenset[Clock] = frozenset({Clock.WALL})
    named: bool = False

    @property
    def covered(self) -> tuple[ModelRecord, ...]:
        """The models that the figures are about."""
        return tuple(m for m in self.models if not self._left_out(m.name, m.clock))

    @property
    def models_left_out(self) -> Mapping[str, int]:
        return Counter(f"models_{r}" for m in self.models if (r := self._left_out(m.name, m.clock)))

    def kept(self, kind: Kind | None = None) -> tuple[Incident, ...]:
        """The incidents that the figures are about, the first opened first."""
        found = [
            as_of(i, self.now)
            for i in self.incidents
            if not self._left_out(i.fingerprint.model, i.clock)
            and (kind is None or i.fingerprint.kind is kind)
            and i.opened_at <= self.now
        ]
        return tuple(sorted(found, key=lambda i: (i.opened_at, i.id)))

    def cohort(
        self, name: str, part: Period, when: Callable[[Incident], datetime | None], kind: Kind | None = None
    ) -> Cohort:
        """Incidents for which ``when`` lies in ``part``, and how many such were left out."""
        kept = tuple(i for i in self.kept(kind) if part.holds(when(i)))
        out = Counter(
            reason
            for i in self.incidents
            if (kind is None or i.fingerprint.kind is kind) and part.holds(when(i))
            if (reason := self._left_out(i.fingerprint.model, i.clock))
        )
        return Cohort(name, kept, out)

    def lives(self, part: Period) -> dict[str, Period]:
        """By model, the part of its life that lies in ``part``."""
        found = {}
        for m in self.covered:
            if m.live is not None and part.common(m.live.start, m.live.end) > timedelta():
                found[m.name] = Period(max(part.start, m.live.start), min(part.end, m.live.end))
        return found

    def _left_out(self, model: str, clock: Clock) -> str:
        if not self.named and not any(m.name == model and m.in_scope for m in self.models):
            return "out_of_scope"
        return "" if clock in self.clocks else f"clock_{clock}"


def as_of(incident: Incident, now: datetime) -> Incident:
    """The incident without what was done after ``now``.

    A replay's clock stands where its data end; what a person does to its incidents later, by the clock on the wall,
    is no time that its event times could be compared with.
    """

    if incident.updated_at <= now:
        return incident

    def seen(at: datetime | None) -> datetime | None:
        return at if at is not None and at <= now else None

    resolved, closed, disposed = seen(incident.resolved_at), seen(incident.closed_at), seen(incident.disposed_at)
    acknowledged, accepted = seen(incident.acknowledged_at), incident.acceptance
    state = incident.state
    if closed != incident.closed_at or resolved != incident.resolved_at:
        live = State.OPEN if acknowledged is None else State.ACKNOWLEDGED
        state = State.RESOLVED if resolved else live
    return replace(
        incident,
        state=state,
        acknowledged_at=acknowledged,
        resolved_at=resolved,
        resolved_by=incident.resolved_by if resolved else None,
        closed_at=closed,
        merged_into=incident.merged_into if closed else None,
        disposed_at=disposed,
        disposition=incident.disposition if disposed else None,
        retests=tuple(r for r in incident.retests if r.at <= now),
        acceptance=accepted if accepted is not None and accepted.at <= now else None,
        actions=tuple(_action_as_of(a, now) for a in incident.actions),
        live=tuple(Interval(i.start, seen(i.end)) for i in incident.live if i.start <= now),
    )


def _action_as_of(action: Action, now: datetime) -> Action:
    done, checked = action.completed_at, action.checked_at
    if done is not None and done > now:
        return replace(action, completed_at=None, checked_at=None, effective=None)
    return replace(action, checked_at=None, effective=None) if checked is not None and checked > now else action
