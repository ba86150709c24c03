"""Which openings have the cause of an incident that is live, and which have not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents.commands import Clock, Open, Resolve
from incidents.events import Actor, ActorKind
from incidents.grouping import GroupReason, Joined, same_cause
from incidents.incident import Incident, replay
from incidents.machine import decide
from incidents.verdict import Cause, Change, ChangeKind, Evidence, Fingerprint, Kind, Severity

DAY = timedelta(days=1)
NOON = datetime(2026, 7, 10, 12, tzinfo=UTC)
RULE = Actor("vigil", ActorKind.RULE)


def opening(kind: Kind, *causes: tuple[str, float | None], day: int = 0, **more: Any) -> Open:
    """Of the window that ends ``day`` days after noon."""
    fingerprint = more.pop("fingerprint", Fingerprint("m", kind, "sex" if kind is Kind.FAIRNESS else None))
    metric = {Kind.QUALITY: "missing_rate"}.get(kind, "jensen_shannon")
    found = tuple(Cause(name, metric, 0.5, weight=weight) for name, weight in causes)
    end = NOON + day * DAY
    return Open(fingerprint, Severity.WARNING, kind.value, end, Evidence(end - DAY, end, "", found), **more)


def live(command: Open) -> Incident:
    return replay(decide(None, command, RULE, command.started_at + timedelta(minutes=5)).events)


QUALITY = live(opening(Kind.QUALITY, ("plan", None)))
DRIFT = live(opening(Kind.DRIFT, ("plan", 0.7), ("age", 0.3)))


def version(at: datetime, name: str = "v2") -> tuple[Change, ...]:
    return (Change(ChangeKind.VERSION, at, "new", name),)


def test_a_broken_column_explains_the_drift_that_it_makes_whichever_opened_first() -> None:
    joined = same_cause(opening(Kind.DRIFT, ("plan", 0.7), ("age", 0.3)), [QUALITY])
    assert joined == Joined(QUALITY.id, GroupReason.EXPLAINED_BY_QUALITY)
    later = same_cause(opening(Kind.QUALITY, ("plan", None)), [DRIFT])
    assert later == Joined(DRIFT.id, GroupReason.EXPLAINED_BY_QUALITY)


@pytest.mark.parametrize(
    ("causes", "day", "why"),
    [
        ([("plan", 0.5), ("age", 0.5)], 0, "half is not more than half"),
        ([("age", 1.0)], 0, "another column moves the output"),
        ([("plan", None)], 0, "nobody knows what it does to the output"),
        ([("plan", 1.0)], 1, "another window: they touch and do not overlap"),
    ],
)
def test_what_a_broken_column_does_not_explain(causes: list[tuple[str, float | None]], day: int, why: str) -> None:
    assert same_cause(opening(Kind.DRIFT, *causes, day=day), [QUALITY]) is None, why


def test_where_the_output_alone_drifts_a_column_that_is_broken_explains_it() -> None:
    assert same_cause(opening(Kind.DRIFT), [QUALITY]) is not None
    rows = live(opening(Kind.QUALITY, ("all rows", None)))
    assert same_cause(opening(Kind.DRIFT), [rows]) is None, "that is no column"


def test_what_opens_in_the_first_day_of_a_version_joins_what_names_it() -> None:
    drift = live(opening(Kind.DRIFT, ("age", 1.0), changes=version(NOON - 6 * timedelta(hours=1))))
    fall = opening(Kind.PERFORMANCE, changes=version(NOON - 6 * timedelta(hours=1)))
    assert same_cause(fall, [drift]) == Joined(drift.id, GroupReason.SAME_ROLLOUT)
    others = {
        "another version": replace(fall, changes=version(NOON - DAY, "v3")),
        "long before": replace(fall, changes=version(NOON - 49 * timedelta(hours=1))),
        "nothing changed": replace(fall, changes=()),
        "a volume has no version": replace(fall, changes=(Change(ChangeKind.VOLUME, NOON, "less"),)),
    }
    assert {why: same_cause(other, [drift]) for why, other in others.items()} == dict.fromkeys(others)
    assert same_cause(replace(fall, changes=version(NOON - 47 * timedelta(hours=1))), [drift]) is not None


def test_a_rollout_groups_no_silence() -> None:
    drift = live(opening(Kind.DRIFT, changes=version(NOON)))
    service = live(opening(Kind.SERVICE, changes=version(NOON)))
    assert same_cause(opening(Kind.SERVICE, changes=version(NOON)), [drift]) is None
    assert same_cause(opening(Kind.DRIFT, changes=version(NOON)), [service]) is None


def test_a_disparity_neither_joins_nor_is_joined() -> None:
    changes = version(NOON)
    fair = live(opening(Kind.FAIRNESS, changes=changes))
    for kind in (Kind.DRIFT, Kind.QUALITY, Kind.PERFORMANCE):
        assert same_cause(opening(kind, changes=changes), [fair]) is None
        assert same_cause(opening(Kind.FAIRNESS, changes=changes), [live(opening(kind, changes=changes))]) is None


@pytest.mark.parametrize(
    "other", [Fingerprint("other", Kind.QUALITY), Fingerprint("m", Kind.QUALITY, None, "state=MA")], ids=str
)
def test_another_model_or_a_part_of_the_traffic_is_another_incident(other: Fingerprint) -> None:
    elsewhere = live(opening(Kind.QUALITY, ("plan", None), fingerprint=other))
    assert same_cause(opening(Kind.DRIFT, ("plan", 1.0)), [elsewhere]) is None


def test_neither_another_clock_nor_an_incident_that_is_over_is_joined() -> None:
    replayed = live(opening(Kind.QUALITY, ("plan", None), clock=Clock.EVENT))
    assert same_cause(opening(Kind.DRIFT, ("plan", 1.0)), [replayed]) is None
    ana = Actor("ana", ActorKind.PERSON)
    over = replay([*decide(None, opening(Kind.QUALITY, ("plan", None)), RULE, NOON).events,
                   *decide(QUALITY, Resolve(), ana, NOON + DAY).events])  # fmt: skip
    assert same_cause(opening(Kind.DRIFT, ("plan", 1.0)), [over]) is None


def test_the_oldest_that_fits_is_joined_in_whatever_order_they_are_given() -> None:
    older = live(opening(Kind.QUALITY, ("plan", None), day=-1))
    shown = opening(Kind.QUALITY, ("plan", None)).evidence
    assert shown is not None
    older = replace(older, evidence=(*older.evidence, shown))
    drift = opening(Kind.DRIFT, ("plan", 1.0))
    assert same_cause(drift, [older, QUALITY]) == same_cause(drift, [QUALITY, older])
    joined = same_cause(drift, [QUALITY, older])
    assert joined is not None
    assert joined.incident == older.id


def test_the_machine_takes_what_grouping_proposes() -> None:
    drift = opening(Kind.DRIFT, ("plan", 1.0))
    joined = same_cause(drift, [QUALITY])
    assert joined is not None
    decision = decide(QUALITY, replace(drift, because=joined.reason), RULE, NOON)
    assert decision.reason.value == "grouped"
    whole = replay([*decide(None, opening(Kind.QUALITY, ("plan", None)), RULE, NOON).events, *decision.events])
    assert whole.fingerprints == (QUALITY.fingerprint, drift.fingerprint)
    assert [e.about for e in whole.evidence] == [drift.fingerprint, None], "one window, seen from two sides"
