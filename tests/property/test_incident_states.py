"""Every class of command in every state, and both halves of a merge."""

from __future__ import annotations

from datetime import datetime

import pytest
from asked import (
    ACTORS,
    ANA,
    ASKED,
    BO,
    BRIDGE,
    DAY,
    DRIFT,
    FAIRNESS,
    HOUR,
    INSTANTS,
    LIMITS,
    QUALITY,
    RULE,
    START,
    evidence,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents import commands as wire
from incidents.care import Merge, PlanAction, Retest
from incidents.commands import Acknowledge, Close, Command, Comment, Dispose, Disposition, Open, Resolve
from incidents.decision import EFFECTIVE
from incidents.events import Actor
from incidents.incident import Incident, State
from incidents.machine import Decision, DecisionReason, apply, decide, decide_merge, replay
from incidents.verdict import Fingerprint, Severity

_SIGNALS = (Open, wire.AddEvidence, wire.RaiseSeverity, wire.Recover, wire.Relapse, Resolve)


def _after(*steps: tuple[Command, Actor], fingerprint: Fingerprint = DRIFT) -> Incident:
    incident: Incident | None = None
    opening = Open(fingerprint, Severity.CRITICAL, "drift", START, evidence(0, 1.0), limits=LIMITS)
    for i, (command, actor) in enumerate(((opening, RULE), *steps)):
        for event in decide(incident, command, actor, START + i * HOUR).events:
            incident = apply(incident, event)
    assert incident is not None
    return incident


_CLOSING: tuple[tuple[Command, Actor], ...] = (
    (Acknowledge(), ANA), (Resolve(), ANA), (Dispose(Disposition.TRUE, "a form"), ANA),
    (PlanAction("mend it", "ana", START, START), ANA), (Close(), BO),
)  # fmt: skip
STANDING = {
    "none": None,
    "open": _after(),
    "acknowledged": _after(*_CLOSING[:1]),
    "resolved": _after(*_CLOSING[:2]),
    "proposed": _after(*_CLOSING[:2], (Dispose(Disposition.DRILL, "a test"), ANA)),
    "closed": _after(*_CLOSING),
    "merged": _after((Merge("inc_other"), ANA)),
    "finding": _after(fingerprint=FAIRNESS),
}


def test_each_standing_is_what_it_is_called_and_each_command_has_a_strategy() -> None:
    assert set(ASKED) == set(wire.COMMANDS)
    states = {name: it.state.value for name, it in STANDING.items() if it is not None}
    assert states == {name: name for name in ("open", "acknowledged", "resolved", "closed")} | {
        "proposed": "resolved", "merged": "closed", "finding": "open",
    }  # fmt: skip
    assert STANDING["proposed"].open_proposals  # type: ignore[union-attr]


@pytest.mark.parametrize("standing", STANDING)
@given(st.data(), ACTORS, INSTANTS)
@settings(max_examples=15, deadline=None)
def test_every_class_of_command_in_every_state_gets_a_decision(
    standing: str, data: st.DataObject, actor: Actor, now: datetime
) -> None:
    incident = STANDING[standing]
    for kind, asked in ASKED.items():
        command = data.draw(asked)
        decision = decide(incident, command, actor, now)
        assert (decision.reason in EFFECTIVE) == bool(decision.events)
        if incident is None and kind is not Open:
            assert decision == Decision((), DecisionReason.NO_SUCH_INCIDENT)
        if not actor.is_person and kind not in (*_SIGNALS, Comment, wire.Assign, Retest):
            assert incident is None or decision.reason is DecisionReason.NEEDS_PERSON
        after = incident
        for event in decision.events:
            after = apply(after, event)


@given(st.sampled_from(list(STANDING.values())), st.sampled_from(list(STANDING.values())), ACTORS, st.booleans())
def test_a_merge_does_both_halves_or_none(
    source: Incident | None, target: Incident | None, actor: Actor, named: bool
) -> None:
    into = Merge(target.id if named and target is not None else "inc_other")
    here, there = decide_merge(source, target, into, actor, START + DAY)
    assert bool(here.events) == bool(there.events)
    assert here.reason is there.reason


def test_what_is_merged_goes_on_in_the_other() -> None:
    source = _after((Acknowledge(), ANA))
    opening = Open(QUALITY, Severity.WARNING, "nulls", START + DAY)
    target = replay(decide(None, opening, RULE, START + DAY).events)
    here, there = decide_merge(source, target, Merge(target.id, "one release"), BO, START + 2 * DAY)
    for event in here.events:
        source = apply(source, event)
    for event in there.events:
        target = apply(target, event)
    assert (source.state, source.merged_into, source.resolved_at) == (State.CLOSED, target.id, None)
    assert (target.fingerprints, target.merged_from) == ((QUALITY, DRIFT), (source.id,))
    assert (target.started_at, target.severity) == (START, Severity.CRITICAL)
    assert [e.about for e in target.evidence] == [DRIFT]
    assert decide(target, Open(DRIFT, Severity.INFO, "again", START), BRIDGE, START + 3 * DAY).reason.value == (
        "already_open"
    )
