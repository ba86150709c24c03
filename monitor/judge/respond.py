"""What the verdicts of a window mean for incidents: each monitor's rule is advanced, and the monitors that share a
fingerprint speak with one voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from detectors.catalogue import CATALOGUE
from detectors.scope import Window
from incidents.care import Retest
from incidents.commands import MOST_SAID, AddEvidence, Clock, Command, Open, Recover, Relapse, Resolve
from incidents.rules import Outcome, Rule, RuleState, advance, released, started_at
from incidents.verdict import Fingerprint, Kind, Limit, Severity, VerdictKind
from monitor.judge.defaults import Reading
from monitor.judge.evidence import evidence, excess, worst_first
from monitor.judge.verdicts import in_force
from monitor.judge.why import Why
from monitor.judge.wording import title
from monitor.model import MonitorSpec
from monitor.model.monitors import family
from monitor.verdict import Verdict

SEVERE = 2.0        # a value so many limits beyond its limit is one step more severe than its monitor says
_ADD = {Outcome.OPEN, Outcome.CONTINUE, Outcome.RELAPSE}
# Of one window: what may be the cause of others opens first, so that they join it.
_ORDER = (Kind.SERVICE, Kind.QUALITY, Kind.DRIFT, Kind.PERFORMANCE, Kind.FAIRNESS)

Live = Mapping[Fingerprint, AbstractSet[Fingerprint]]


def fingerprint_of(model: str, monitor: MonitorSpec) -> Fingerprint:
    """Which incident a monitor's breach belongs to. Features are causes within it; silence is a kind of its own."""
    if monitor.metric == "row_count":
        return Fingerprint(model, Kind.SERVICE)
    if CATALOGUE[monitor.metric].family == "quality":
        return Fingerprint(model, Kind.QUALITY)
    kind = Kind(family(monitor.metric, monitor.scope))
    return Fingerprint(model, kind, monitor.scope.attribute, monitor.scope.segment)


@dataclass(frozen=True, slots=True)
class Response:
    """The commands that a window's verdicts give, each with its fingerprint, and the rules' states after it."""

    commands: list[tuple[Fingerprint, Command]]
    states: dict[str, RuleState]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the monitors of one fingerprint said of a window; ``began``: when the fault did, where one opens."""

    outcomes: set[Outcome]
    breaches: list[Verdict]
    retests: tuple[Retest, ...]
    limits: tuple[Limit, ...]
    began: datetime


def respond(
    model: str,
    monitors: Sequence[MonitorSpec],
    states: Mapping[str, RuleState],
    window: Window,
    verdicts: Sequence[Verdict],
    why: Why,
    live: Live,
    clock: Clock,
    baseline: Reading | None = None,
) -> Response:
    """Advance the rules by one window's verdicts.

    ``monitors``: all of the model's, for several may share a fingerprint; ``states``: their rules' states by id;
    ``why``: what causes are read from; ``live``: the fingerprints with a live incident, each with all that this holds,
    for it ends once no rule of any of them is open; ``baseline``: the reference's values, for limits relative to it.
    """
    by_id = {m.id: m for m in monitors}
    of = {m.id: fingerprint_of(model, m) for m in monitors}
    after = dict(states)
    found: dict[Fingerprint, list[tuple[Verdict, Outcome]]] = {}
    began: dict[Fingerprint, datetime] = {}
    for verdict in verdicts:
        monitor, fingerprint = by_id[verdict.monitor], of[verdict.monitor]
        state = after.get(monitor.id, RuleState())
        if fingerprint not in live:
            state = released(state)
        rule = Rule(monitor.open_after, monitor.resolve_after)
        after[monitor.id], outcome = advance(rule, state, (window.start, window.end), verdict.kind)
        found.setdefault(fingerprint, []).append((verdict, outcome))
        first = started_at(rule, after[monitor.id]) if outcome is Outcome.OPEN else None
        if first is not None:
            began[fingerprint] = min(first, began.get(fingerprint, first))
    commands: list[tuple[Fingerprint, Command]] = []
    for fingerprint in sorted(found, key=lambda f: _ORDER.index(f.kind)):
        said = _said(found[fingerprint], by_id, window, baseline or {}, began.get(fingerprint, window.end))
        held = live.get(fingerprint)
        if held is None:
            command = _opening(fingerprint, said, window, why, clock)
        else:
            command = _news(fingerprint, said, window, why, [s for id_, s in after.items() if of.get(id_) in held])
        if command is not None:
            commands.append((fingerprint, command))
    return Response(commands, after)


def _said(
    found: Sequence[tuple[Verdict, Outcome]],
    monitors: Mapping[str, MonitorSpec],
    window: Window,
    baseline: Reading,
    began: datetime,
) -> _Said:
    ranked = worst_first([v for v, _ in found if v.kind is VerdictKind.BREACH])
    limits = (_limit(monitors[v.monitor], baseline) for v in ranked)
    clean = tuple(_retest(v, window) for v, _ in found if v.kind is VerdictKind.OK)
    return _Said({o for _, o in found}, ranked, clean, tuple(dict.fromkeys(limits))[:MOST_SAID], began)


def _opening(fingerprint: Fingerprint, said: _Said, window: Window, why: Why, clock: Clock) -> Command | None:
    if not said.outcomes & _ADD:
        return None
    shown, severity = evidence(fingerprint, window, said.breaches, why), max(map(_severity, said.breaches))
    line = title(fingerprint, said.breaches)
    return Open(fingerprint, severity, line, said.began, shown, clock, limits=said.limits)


def _news(
    fingerprint: Fingerprint, said: _Said, window: Window, why: Why, held: Sequence[RuleState]
) -> Command | None:
    """What a live incident is told; ``held``: the rules of all that it holds."""
    if said.outcomes & _ADD:
        shown, severity = evidence(fingerprint, window, said.breaches, why), max(map(_severity, said.breaches))
        # Another monitor's opening undoes a recovery too; without one, a relapse is one more piece of evidence.
        return (Relapse if said.outcomes & {Outcome.RELAPSE, Outcome.OPEN} else AddEvidence)(shown, severity)
    if Outcome.RESOLVE in said.outcomes and not any(s.open for s in held):
        return Resolve("clean again, says the rule", window.end, said.retests)
    if said.outcomes & {Outcome.RECOVER, Outcome.RESOLVE} and all(s.recovered for s in held if s.open):
        return Recover(window.end, retests=said.retests)
    return None


def _limit(monitor: MonitorSpec, baseline: Reading) -> Limit:
    """What a monitor allows, as absolute numbers."""
    limit = in_force(monitor, baseline)
    assert limit is not None, "what breached was compared with something"
    return Limit(monitor.metric, monitor.scope.text, limit.low, limit.high)


def _retest(verdict: Verdict, window: Window) -> Retest:
    """A clean verdict as a re-test of the limit that it keeps."""
    p, m = verdict.point, verdict.point.measurement
    low, high = m.interval or (m.value, m.value)
    return Retest(p.metric, p.scope.text, window.start, window.end, m.value, low, high, m.n)


def _severity(verdict: Verdict) -> Severity:
    declared, steps = Severity(verdict.severity), list(Severity)
    worse = (excess(verdict) or 0.0) >= SEVERE
    return steps[min(declared.rank + worse, len(steps) - 1)]
