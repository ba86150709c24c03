"""An opening that has the same cause as a live incident joins it, and some never do."""

from __future__ import annotations

from dataclasses import replace

from desks import BREACHED, DAY, NOW, RULE, Desk

from incidents.commands import Clock, GroupReason, Open, Recover, Resolve
from incidents.machine import DecisionReason
from incidents.verdict import Change, ChangeKind, Fingerprint, Kind, Severity

OPEN = Open(Fingerprint("census", Kind.DRIFT), Severity.WARNING, "t", NOW - DAY, BREACHED)


def test_an_opening_with_the_same_cause_joins_and_brings_its_evidence_and_severity() -> None:
    desk = Desk().asks((Recover(NOW), RULE))
    quality, drift = Fingerprint("census", Kind.QUALITY), Fingerprint("census", Kind.DRIFT)
    change = Change(ChangeKind.VERSION, NOW, "v2 serves", "v2")
    joins = Open(
        quality, Severity.CRITICAL, "nulls", NOW - 2 * DAY, BREACHED, changes=(change,),
        because=GroupReason.EXPLAINED_BY_QUALITY,
    )  # fmt: skip
    assert desk.ask(joins, RULE) is DecisionReason.GROUPED
    it = desk.it
    assert (it.fingerprints, it.severity, it.started_at) == ((drift, quality), Severity.CRITICAL, NOW - 2 * DAY)
    assert it.evidence == (BREACHED, replace(BREACHED, about=quality))      # one window, of two fingerprints
    assert (it.recovered_at, it.changes) == (None, (change,))                     # what joins has not recovered
    assert desk.log[2].data["reason"] == "explained_by_quality"
    assert desk.ask(joins, RULE) is DecisionReason.ALREADY_OPEN
    desk.asks((Resolve(), RULE))
    assert desk.ask(joins, RULE) is DecisionReason.REOPENED_WITHIN_WINDOW


def test_what_has_another_model_or_clock_or_is_a_disparity_joins_nothing() -> None:
    because = GroupReason.SAME_ROLLOUT
    for other in (
        replace(OPEN, fingerprint=Fingerprint("flights", Kind.DRIFT), because=because),
        replace(OPEN, fingerprint=Fingerprint("census", Kind.FAIRNESS), because=because),
        replace(OPEN, fingerprint=Fingerprint("census", Kind.QUALITY), because=because, clock=Clock.EVENT),
    ):
        assert Desk().ask(other, RULE) is DecisionReason.OTHER_FINGERPRINT
    quality = replace(OPEN, fingerprint=Fingerprint("census", Kind.QUALITY), because=because)
    assert Desk().asks(Resolve()).ask(quality, RULE) is DecisionReason.OTHER_FINGERPRINT
