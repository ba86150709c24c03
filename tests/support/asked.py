"""Whatever may be asked of an incident: a strategy for each class of command, and the people and programs that ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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
)
from incidents.countdowns import PRESETS
from incidents.events import Actor, ActorKind
from incidents.verdict import Cause, Change, ChangeKind, Evidence, Fingerprint, Kind, Limit, Severity

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DRIFT, QUALITY = Fingerprint("census", Kind.DRIFT), Fingerprint("census", Kind.QUALITY)
FAIRNESS = Fingerprint("census", Kind.FAIRNESS, "SEX")
LIMITS = (Limit("disparate_impact", "attribute=SEX", low=0.8), Limit("parity_difference", "attribute=SEX", -0.1, 0.1))
ANA, BO = Actor("ana", ActorKind.PERSON), Actor("bo", ActorKind.PERSON)
RULE, BRIDGE = Actor("census", ActorKind.RULE), Actor("bridge", ActorKind.MACHINE)

INSTANTS = st.integers(-40, 400).map(lambda hours: START + hours * HOUR)
NOTES = st.sampled_from(["", "why"])
SEVERITIES = st.sampled_from(Severity)
NUMBERS = st.integers(0, 3)
FINGERPRINTS = st.sampled_from([DRIFT, QUALITY, FAIRNESS])


def evidence(day: int, excess: float | None, about: Fingerprint | None = None) -> Evidence:
    causes = (Cause("RELP", "psi", 0.4),)
    return Evidence(START + day * DAY, START + (day + 1) * DAY, "moved", causes, ({"metric": "psi"},), excess, about)


def retest(limit: Limit, day: int, value: float | None, half: float | None = 0.01, n: int = 900) -> Retest:
    low, high = (None, None) if value is None or half is None else (value - half, value + half)
    start = START + day * DAY
    return Retest(limit.metric, limit.scope, start, start + DAY, value, low, high, n)


EVIDENCE = st.builds(evidence, st.integers(0, 12), st.none() | st.sampled_from([0.5, 1.0, 2.0]))
RETESTS = st.builds(
    retest, st.sampled_from([*LIMITS, Limit("psi", "feature=RELP")]), st.integers(5, 20),
    st.sampled_from([0.0, 0.5, 0.795, 0.9, None]), st.sampled_from([0.001, 0.05, None]), st.sampled_from([0, 900]),
)  # fmt: skip
CHANGES = st.lists(
    st.builds(Change, st.sampled_from(ChangeKind), INSTANTS, st.just("a release"), st.none() | st.just("v2")),
    max_size=3,
).map(tuple)

ASKED: dict[type, st.SearchStrategy[Command]] = {
    Open: st.builds(
        Open, FINGERPRINTS, SEVERITIES, st.just("drift"), INSTANTS, st.none() | EVIDENCE, st.sampled_from(Clock),
        CHANGES, st.none() | st.sampled_from(GroupReason), st.just(()) | st.just(LIMITS),
    ),
    AddEvidence: st.builds(AddEvidence, EVIDENCE, st.none() | SEVERITIES),
    RaiseSeverity: st.builds(RaiseSeverity, SEVERITIES, NOTES),
    Recover: st.builds(Recover, INSTANTS, NOTES, st.lists(RETESTS, max_size=2).map(tuple)),
    Relapse: st.builds(Relapse, EVIDENCE, st.none() | SEVERITIES),
    Acknowledge: st.builds(Acknowledge, NOTES, st.none() | INSTANTS),
    Resolve: st.builds(Resolve, NOTES, st.none() | INSTANTS, st.lists(RETESTS, max_size=2).map(tuple)),
    Reopen: st.builds(Reopen, NOTES),
    Comment: st.builds(Comment, st.just("looking")),
    Assign: st.builds(Assign, st.sampled_from(["ana", "bo"])),
    Dispose: st.builds(Dispose, st.sampled_from(Disposition), st.none() | st.just("a new form"), NOTES),
    Close: st.builds(Close, NOTES),
    Merge: st.builds(Merge, st.sampled_from(["inc_other", "inc_0"]), NOTES),
    Absorb: st.builds(
        Absorb, st.sampled_from(["inc_a", "inc_b"]), st.lists(FINGERPRINTS, min_size=1, max_size=2).map(tuple),
        INSTANTS, st.just("merged"), st.lists(EVIDENCE, max_size=2).map(tuple), st.none() | SEVERITIES,
    ),
    Retest: RETESTS,
    AcceptRisk: st.builds(AcceptRisk, st.just("a law asks for it"), INSTANTS),
    Approve: st.builds(Approve, NUMBERS, NOTES),
    Decline: st.builds(Decline, NUMBERS, NOTES),
    PlanAction: st.builds(
        PlanAction, st.sampled_from(["mend the form", "train anew"]), st.sampled_from(["ana", "bo"]),
        st.just(START + 30 * DAY), st.sampled_from([START + 30 * DAY, START + 90 * DAY]),
    ),
    CompleteAction: st.builds(CompleteAction, NUMBERS, NOTES),
    CheckAction: st.builds(CheckAction, NUMBERS, st.booleans(), NOTES),
    MarkSerious: st.builds(
        MarkSerious, st.just("death"), st.sampled_from([PRESETS["dora"], PRESETS["gdpr"], PRESETS["eu_ai_act:death"]]),
        INSTANTS, st.none() | INSTANTS, NOTES,
    ),
    RecordReport: st.builds(
        RecordReport, st.sampled_from(["dora", "gdpr"]), st.sampled_from(["initial", "final", "notification"]),
        INSTANTS, st.just("ref 7"),
    ),
    ClearSerious: st.builds(ClearSerious, st.just("nobody was harmed")),
}  # fmt: skip
COMMANDS: st.SearchStrategy[Command] = st.one_of(*ASKED.values())
ACTORS = st.sampled_from([ANA, BO, RULE, BRIDGE])
