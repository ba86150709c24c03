"""What is stored is read back the same, and what cannot be read says which key is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.care import (
    Absorb,
    AcceptRisk,
    Approve,
    CheckAction,
    ClearSerious,
    CompleteAction,
    Decline,
    MarkSerious,
    Merge,
    PlanAction,
    RecordReport,
    Retest,
    Step,
)
from incidents.commands import (
    Acknowledge,
    AddEvidence,
    Assign,
    Clock,
    Close,
    Command,
    Comment,
    Dispose,
    Disposition,
    GroupReason,
    Open,
    RaiseSeverity,
    Recover,
    Relapse,
    Reopen,
    Resolve,
    command_from_json,
    command_to_json,
)
from incidents.countdowns import PRESETS
from incidents.events import Actor, ActorKind, Event, EventKind
from incidents.incident import Incident
from incidents.machine import decide, replay
from incidents.verdict import Cause, Change, ChangeKind, Evidence, Fingerprint, Kind, Limit, Severity
from incidents.wire import from_json, instant, rfc3339, to_json

NOW = datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)
EVIDENCE = Evidence(
    NOW,
    NOW + timedelta(days=1),
    "27 features moved",
    (Cause("RELP", "psi", 0.42, "institutions"), Cause("AGEP", "psi")),
    ({"monitor": "psi", "verdict": "breach", "point": {"value": 0.42, "interval": [0.4, 0.5]}},),
    excess=3.2,
)
FINGERPRINT = Fingerprint("census", Kind.FAIRNESS, attribute="SEX", segment="state=MA")
RETEST = Retest("disparate_impact", "attribute=SEX", NOW, NOW + timedelta(days=1), 0.9, 0.85, None, 900)
COMMANDS: list[Command] = [
    Open(FINGERPRINT, Severity.CRITICAL, "SEX: parity", NOW, EVIDENCE, Clock.EVENT),
    Open(FINGERPRINT, Severity.INFO, "by hand", NOW),
    AddEvidence(EVIDENCE, Severity.WARNING),
    AddEvidence(EVIDENCE),
    RaiseSeverity(Severity.CRITICAL, "many people"),
    Recover(NOW, "clean"),
    Relapse(EVIDENCE),
    Acknowledge("mine"),
    Resolve("rolled back"),
    Resolve(recovered_at=NOW),
    Reopen("too early"),
    Comment("looking"),
    Assign("ana"),
    Dispose(Disposition.TRUE, "a new intake form"),
    Dispose(Disposition.FALSE_POSITIVE, note="holiday"),
    Close(),
    Open(
        FINGERPRINT, Severity.INFO, "with what changed", NOW,
        changes=(Change(ChangeKind.VERSION, NOW, "v2 serves", "v2"),),
        because=GroupReason.SAME_ROLLOUT, limits=(Limit("disparate_impact", "attribute=SEX", low=0.8),),
    ),
    Recover(NOW, retests=(RETEST,)),
    Acknowledge("by link", seen_at=NOW),
    Merge("inc_1", "one release"),
    Absorb("inc_1", (FINGERPRINT,), NOW, "SEX: parity", (replace(EVIDENCE, about=FINGERPRINT),), Severity.CRITICAL),
    RETEST,
    AcceptRisk("a law asks for it", NOW),
    Approve(1, "agreed"),
    Decline(2),
    PlanAction("mend the form", "ana", NOW, NOW),
    CompleteAction(1),
    CheckAction(1, effective=False),
    MarkSerious("death", PRESETS["dora"], NOW, NOW),
    RecordReport("dora", "initial", NOW, "ref 7"),
    ClearSerious("nobody was harmed"),
]  # fmt: skip
TEXTS = st.text(max_size=20)
FINGERPRINTS = st.builds(Fingerprint, TEXTS, st.sampled_from(Kind), st.none() | TEXTS, st.none() | TEXTS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: type(c).__name__)
def test_every_command_round_trips_through_json(command: Command) -> None:
    assert command_from_json(json.loads(json.dumps(command_to_json(command), allow_nan=False))) == command


def test_the_round_trip_above_leaves_no_command_out() -> None:
    assert {type(c) for c in COMMANDS} == set(Command.__args__)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"command": "vanish"}, "'vanish' is no command"),
        ({}, "'None' is no command"),
        ({"command": ["open"]}, "is no command"),
        ({"command": "assign"}, "Assign needs 'to'"),
        ({"command": "assign", "to": " "}, "'to' is empty"),
        ({"command": "assign", "to": 3}, "Assign.to cannot be 3"),
        ({"command": "assign", "to": "ana", "from": "bo"}, "Assign has no 'from'; it has to"),
        ({"command": "dispose", "disposition": "sabotage"}, "'sabotage' is not a valid Disposition"),
        ({"command": "dispose", "disposition": "true", "root_cause": ""}, "'root_cause' is empty"),
        ({"command": "recover", "recovered_at": "2026-01-01T00:00:00"}, "no time zone"),
        ({"command": "comment", "text": None}, "Comment.text cannot be None"),
        ({"command": "add_evidence", "evidence": {}}, "AddEvidence.evidence needs 'window_start'"),
    ],
)
def test_a_command_that_cannot_be_read_says_what_is_wrong(data: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        command_from_json(data)


@given(FINGERPRINTS, FINGERPRINTS)
def test_a_fingerprints_text_names_it_and_nothing_else(one: Fingerprint, other: Fingerprint) -> None:
    assert Fingerprint.parse(one.text) == one
    assert (one.text == other.text) == (one == other)


@pytest.mark.parametrize(
    ("fingerprint", "text"),
    [
        (Fingerprint("census", Kind.DRIFT), "v1:census/drift"),
        (FINGERPRINT, "v1:census/fairness/attribute=SEX/segment=state=MA"),
        (Fingerprint("a/b", Kind.SERVICE), "v1:a%2Fb/service"),
    ],
)
def test_fingerprints_are_stored_as_these_texts(fingerprint: Fingerprint, text: str) -> None:
    assert fingerprint.text == text


@pytest.mark.parametrize(
    "text", ["census/drift", "v2:census/drift", "v1:census", "v1:census/mood", "v1:a/drift/value=3", ""]
)
def test_a_text_that_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Fingerprint.parse(text)


def test_an_event_round_trips_through_json() -> None:
    event = Event(EventKind.EVIDENCE_ADDED, NOW, Actor("psi", ActorKind.RULE), {"evidence": to_json(EVIDENCE)})
    stored = json.loads(json.dumps(event.to_json(), allow_nan=False))
    assert stored["at"] == "2026-03-01T12:30:00.250000Z"
    assert Event.from_json(stored) == event
    assert from_json(Evidence, stored["data"]["evidence"]) == EVIDENCE


def test_instants_are_utc_whatever_zone_they_came_in() -> None:
    there = datetime(2026, 3, 1, 5, tzinfo=timezone(timedelta(hours=-7)))
    assert rfc3339(there) == "2026-03-01T12:00:00Z"
    assert instant("2026-03-01T05:00:00-07:00") == there


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        rfc3339(NOW.replace(tzinfo=None))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_that_is_not_finite_gets_in(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Cause("RELP", "psi", value)
    with pytest.raises(ValueError, match="not finite"):
        replace(EVIDENCE, excess=value)
    with pytest.raises(ValueError, match="not finite"):
        to_json({"value": value})


def test_a_flag_is_no_number_and_a_tuple_has_its_length() -> None:
    with pytest.raises(ValueError, match=r"Cause.value cannot be True"):
        from_json(Cause, {"name": "a", "metric": "psi", "value": True})
    with pytest.raises(ValueError, match=r"Evidence.causes cannot be"):
        from_json(Evidence, {**to_json(EVIDENCE), "causes": "RELP"})


def test_severity_is_ordered_by_how_bad_it_is() -> None:
    assert sorted(["critical", "info", "warning"], key=Severity) == ["info", "warning", "critical"]
    assert Severity.CRITICAL > Severity.WARNING >= Severity.WARNING > Severity.INFO
    assert Severity.INFO <= Severity.INFO < Severity.CRITICAL


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: replace(RETEST, window_end=NOW), "a window must end after it starts"),
        (lambda: replace(RETEST, value=float("nan")), "not finite"),
        (lambda: Merge(" "), "'into' is empty"),
        (lambda: AcceptRisk("", NOW), "'why' is empty"),
        (lambda: PlanAction("mend", "", NOW, NOW), "'owner' is empty"),
        (lambda: PlanAction("mend", "ana", NOW, NOW - timedelta(days=1)), "'check_at'"),
        (lambda: Step("gdpr", "n", "aware"), "more than nothing"),
        (lambda: Step("gdpr", "n", "aware", months=121), "at most ten years"),
        (lambda: MarkSerious("death", (), NOW), "'steps' has 0"),
        (lambda: MarkSerious("death", (Step("x", "final", "initial", 60),), NOW), "comes after 'initial'"),
        (lambda: Open(FINGERPRINT, Severity.INFO, "t", NOW, limits=11 * (Limit("a", "b"),)), "'limits' has 11"),
    ],
)
def test_a_command_that_makes_no_sense_says_which_field(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_an_incident_from_before_the_new_fields_is_read() -> None:
    opened = decide(None, Open(FINGERPRINT, Severity.INFO, "t", NOW), Actor("psi", ActorKind.RULE), NOW).events[0]
    old = replace(opened, data={k: v for k, v in opened.data.items() if k not in ("changes", "limits")})
    incident = replay([old])
    assert incident == replay([opened])
    body = incident.to_json()
    kept = {k: v for k, v in body.items() if k not in ("limits", "changes", "actions", "merged_into", "merged_from")}
    assert Incident.from_json(kept) == incident
