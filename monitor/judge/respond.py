"""What the verdicts of a window mean for incidents: each monitor's rule is advanced, and the monitors that share a
fingerprint speak with one voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from detectors.catalogue import CATALOGUE, metric_title
from detectors.causes import rank_causes
from detectors.decomposition import Part
from detectors.scope import Window
from incidents.commands import AddEvidence, Clock, Command, Open, Recover, Relapse, Resolve
from incidents.rules import Outcome, Rule, RuleState, advance, released, started_at
from incidents.verdict import Cause, Evidence, Fingerprint, Kind, Severity, VerdictKind
from monitor.judge.why import Why
from monitor.model import MonitorSpec
from monitor.model.monitors import family
from monitor.verdict import Verdict

MOST_CAUSES = 10
MOST_CARRIERS = 5   # of them segments and bins, before the features that drifted
SEVERE = 2.0        # a value so many limits beyond its limit is one step more severe than its monitor says
_ADD = {Outcome.OPEN, Outcome.CONTINUE, Outcome.RELAPSE}


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


def respond(
    model: str,
    monitors: Sequence[MonitorSpec],
    states: Mapping[str, RuleState],
    window: Window,
    verdicts: Sequence[Verdict],
    why: Why,
    live: frozenset[Fingerprint],
    clock: Clock,
) -> Response:
    """Advance the rules by one window's verdicts.

    ``monitors``: all of the model's, for several may share a fingerprint; ``states``: their rules' states by id;
    ``why``: what causes are read from; ``live``: the fingerprints with a live incident.
    """
    by_id = {m.id: m for m in monitors}
    after = dict(states)
    outcomes: dict[Fingerprint, list[tuple[Outcome, Verdict]]] = {}
    began: dict[Fingerprint, list[datetime]] = {}
    for verdict in verdicts:
        monitor = by_id[verdict.monitor]
        fingerprint = fingerprint_of(model, monitor)
        state = after.get(monitor.id, RuleState())
        if fingerprint not in live:
            state = released(state)
        rule = Rule(monitor.open_after, monitor.resolve_after)
        after[monitor.id], outcome = advance(rule, state, (window.start, window.end), verdict.kind)
        outcomes.setdefault(fingerprint, []).append((outcome, verdict))
        first = started_at(rule, after[monitor.id]) if outcome is Outcome.OPEN else None
        began.setdefault(fingerprint, []).extend([] if first is None else [first])
    commands: list[tuple[Fingerprint, Command]] = []
    for fingerprint, found in outcomes.items():
        held = [after[m.id] for m in monitors if m.id in after and fingerprint_of(model, m) == fingerprint]
        first = min(began[fingerprint], default=window.end)
        command = _command(fingerprint, found, held, window, why, clock, None if fingerprint in live else first)
        if command is not None:
            commands.append((fingerprint, command))
    return Response(commands, after)


def _command(
    fingerprint: Fingerprint,
    found: Sequence[tuple[Outcome, Verdict]],
    held: Sequence[RuleState],
    window: Window,
    why: Why,
    clock: Clock,
    began: datetime | None,
) -> Command | None:
    """What the monitors of one fingerprint ask for together; ``began`` is ``None`` while its incident is live."""
    said = {outcome for outcome, _ in found}
    if said & _ADD:
        breaches = [v for _, v in found if v.kind is VerdictKind.BREACH]
        evidence = _evidence(fingerprint, window, breaches, why)
        severity = max(_severity(v) for v in breaches)
        if began is not None:
            return Open(fingerprint, severity, title(fingerprint, breaches), began, evidence, clock)
        # Another monitor's opening undoes a recovery too; without one, a relapse is one more piece of evidence.
        return (Relapse if said & {Outcome.RELAPSE, Outcome.OPEN} else AddEvidence)(evidence, severity)
    if began is None and Outcome.RESOLVE in said and not any(s.open for s in held):
        return Resolve("clean again, says the rule", window.end)
    if began is None and Outcome.RECOVER in said and all(s.recovered for s in held if s.open):
        return Recover(window.end)
    return None


def _evidence(
    fingerprint: Fingerprint, window: Window, breaches: Sequence[Verdict], why: Why
) -> Evidence:
    worst = max(breaches, key=lambda v: _excess(v) or 0.0)
    ranked = sorted(breaches, key=lambda v: -(_excess(v) or 0.0))
    return Evidence(
        window.start,
        window.end,
        "; ".join(_sentence(v) for v in ranked[:3]) + (f"; and {len(ranked) - 3} more" if len(ranked) > 3 else ""),
        tuple(causes(fingerprint, ranked, why)),
        tuple(v.as_dict() for v in ranked[:MOST_CAUSES]),
        _excess(worst),
    )


def causes(fingerprint: Fingerprint, breaches: Sequence[Verdict], why: Why) -> list[Cause]:
    """What an incident points at: the segments and bins that carry a fall in performance, then the features whose drift
    moves the output most; for quality the columns, for fairness the groups of its attribute with the rate that the
    worst breach compares, the lowest first."""
    if fingerprint.kind in (Kind.DRIFT, Kind.PERFORMANCE):
        drifted = [Cause(c.feature, c.metric, c.value, c.text) for c in rank_causes(why.points, why.shifts)]
        carried = [_carried(why.mean, part) for part in why.parts[:MOST_CARRIERS]]
        return [*carried, *drifted][:MOST_CAUSES]
    if fingerprint.kind is Kind.FAIRNESS:
        metric = _RATE_BEHIND.get(breaches[0].point.metric, "selection_rate")
        groups = [p for p in why.points if p.metric == metric and p.scope.attribute == fingerprint.attribute]
        known = sorted((p.measurement.value, str(p.scope.group)) for p in groups if p.measurement.value is not None)
        return [Cause(f"{fingerprint.attribute}={group}", metric, rate) for rate, group in known[:MOST_CAUSES]]
    return [
        Cause(v.point.scope.feature or "all rows", v.point.metric, v.point.measurement.value, _sentence(v))
        for v in breaches[:MOST_CAUSES]
    ]


def _carried(mean: str, part: Part) -> Cause:
    own = f"{_or_none(part.before)} there before, {_or_none(part.after)} now"
    share = f"{part.share_before:.0%} of the rows before, {part.share_after:.0%} now"
    note = f"carries {part.carried:+.3g} of the change in {metric_title(mean)}: {own}; {share}"
    return Cause(f"{part.axis}={part.group}", mean, part.after, note)


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


_RATE_BEHIND = {
    "equal_opportunity_difference": "true_positive_rate",
    "equalized_odds_difference": "true_positive_rate",
    "equalized_odds_ratio": "true_positive_rate",
    "predictive_parity_difference": "positive_predictive_value",
    "accuracy_difference": "accuracy",
}


def title(fingerprint: Fingerprint, breaches: Sequence[Verdict]) -> str:
    """A line that says what happened, for a list of incidents."""
    ranked = sorted(breaches, key=lambda v: -(_excess(v) or 0.0))
    names = list(dict.fromkeys(_subject(v) for v in ranked))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    match fingerprint.kind:
        case Kind.DRIFT:
            return f"Drift in {names[0]}{more}"
        case Kind.QUALITY:
            return f"Data quality: {metric_title(ranked[0].point.metric)} of {names[0]}{more}"
        case Kind.SERVICE:
            return f"Volume: {_sentence(ranked[0])}"
        case Kind.FAIRNESS:
            return f"Disparity by {fingerprint.attribute}: {_sentence(ranked[0])}"
        case _:
            return f"Performance: {_sentence(ranked[0])}"


def _subject(verdict: Verdict) -> str:
    scope = verdict.point.scope
    return scope.feature or (f"the {scope.output}" if scope.output else scope.attribute or "the model")


def _sentence(verdict: Verdict) -> str:
    p, m = verdict.point, verdict.point.measurement
    assert m.value is not None, "a breach has a value"
    assert verdict.limit is not None, "and a limit"
    side = "above" if m.value > verdict.limit else "below"
    of = "" if p.scope.text == "model" or p.scope.attribute else f" of {_subject(verdict)}"
    return f"{metric_title(p.metric)}{of} {m.value:.3g}, {side} {verdict.limit:.3g}"


def _severity(verdict: Verdict) -> Severity:
    declared, steps = Severity(verdict.severity), list(Severity)
    worse = (_excess(verdict) or 0.0) >= SEVERE
    return steps[min(declared.rank + worse, len(steps) - 1)]


def _excess(verdict: Verdict) -> float | None:
    """How far a value lies beyond its limit, as a share of the limit."""
    value, limit = verdict.point.measurement.value, verdict.limit
    return None if value is None or not limit else abs(value - limit) / abs(limit)
