"""KPIs of hand-made records, each recounted by hand in the comment beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents.care import Retest
from incidents.commands import Clock, Disposition
from incidents.incident import Acceptance, Action, Incident, Interval, ResolvedBy, Retested, State
from incidents.verdict import Fingerprint, Kind, Limit, Severity
from monitor.kpis.catalogue import compute
from monitor.kpis.definitions import DEFINITIONS, LATER
from monitor.kpis.kpi import Kpi, Part
from monitor.kpis.periods import Period, parse_period
from monitor.kpis.records import BiasResult, BiasTest, ModelRecord, Records

Q3 = parse_period("2026-Q3")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = 3_600.0, 86_400.0


def at(text: str) -> datetime:
    """``07-10`` or ``07-10T06`` of 2026."""
    return datetime.fromisoformat(f"2026-{text}" + (":00" if "T" in text else "")).replace(tzinfo=UTC)


def incident(id_: str, kind: Kind, opened: str, **more: Any) -> Incident:
    when = at(opened)
    base = Incident(
        id=id_,
        fingerprint=Fingerprint(more.pop("model", "loans"), kind),
        state=State.OPEN,
        severity=more.pop("severity", Severity.WARNING),
        title=id_,
        clock=more.pop("clock", Clock.WALL),
        started_at=more.pop("started_at", when - timedelta(days=1)),
        opened_at=when,
        updated_at=when,
        live=(Interval(when, more.get("resolved_at")),),
    )
    return replace(base, **more)


def closed(found: Incident, when: str, disposition: Disposition = Disposition.TRUE, **more: Any) -> Incident:
    """Recovered, resolved and closed at one instant, unless ``more`` says otherwise."""
    end = at(when)
    live = (Interval(found.opened_at, end),)
    done: dict[str, Any] = {"recovered_at": end, "resolved_at": end, "closed_at": end, "disposed_at": end, "live": live}
    if found.fingerprint.kind is Kind.FAIRNESS and more.get("recovered_at", end) is not None:
        done |= {"limits": (LIMIT,), "retests": (Retested(end, RETEST, passed=True),)}
    said = {"state": State.CLOSED, "resolved_by": ResolvedBy.PERSON, "disposition": disposition, "root_cause": "found"}
    return replace(found, **{"updated_at": end, **done, **said, **more})


def model(name: str = "loans", **more: Any) -> ModelRecord:
    values: dict[str, Any] = {"clock": Clock.WALL, "in_scope": True, "live": Period(at("01-01"), NOW)} | more
    return ModelRecord(name, **values)


def kpi(records: Records, id_: str, period: Period = Q3) -> Kpi:
    return next(k for k in compute(records, period) if k.id == id_)


def part(found: Kpi, id_: str, of: str | None = None) -> Part:
    return next(p for p in found.parts if p.id == id_ and p.of == of)


def records(*incidents: Incident, models: tuple[ModelRecord, ...] | None = None, **more: Any) -> Records:
    return Records((model(),) if models is None else models, incidents, more.pop("now", NOW), **more)


LIMIT = Limit("disparate_impact", "attribute=sex", low=0.8)
RETEST = Retest(LIMIT.metric, LIMIT.scope, at("05-01"), at("05-08"), 0.9, 0.85, 0.95, 900)

BIAS = (
    incident("before", Kind.FAIRNESS, "06-01"),                                     # open throughout
    closed(incident("old", Kind.FAIRNESS, "06-11"), "07-01"),                       # closed at the first instant of Q3
    closed(incident("quick", Kind.FAIRNESS, "08-01"), "08-11"),                     # 10 days
    closed(incident("untested", Kind.FAIRNESS, "08-05"), "08-20", recovered_at=None),
    closed(incident("false", Kind.FAIRNESS, "08-06"), "08-07", Disposition.FALSE_POSITIVE),
    closed(incident("drill", Kind.FAIRNESS, "08-08"), "08-09", Disposition.DRILL),
    closed(incident("next", Kind.FAIRNESS, "09-21"), "10-01"),                      # closed at the first instant after
    closed(incident("gone", Kind.FAIRNESS, "05-01"), "06-01"),                      # over before
    incident("later", Kind.FAIRNESS, "10-01"),                                      # opened after
    incident("drift", Kind.DRIFT, "08-02"),
)


def test_bias_findings_closed_counts_only_those_with_a_passing_re_test() -> None:
    found = kpi(records(*BIAS), "bias_findings_closed")
    # Open at the start: before, old. Opened in it: quick, untested, next. Closed: old, quick.
    assert (found.figure.value, found.figure.numerator, found.figure.denominator) == (2 / 5, 2, 5)
    assert found.figure.records == ("before", "old", "quick", "untested", "next")
    assert found.figure.excluded == {"false_positive": 1, "drill": 1}
    assert part(found, "closed").figure.records == ("old", "quick")
    assert part(found, "closed_by_acceptance").figure.records == ()
    assert part(found, "open_at_end").figure.records == ("before", "untested", "next")


def test_an_accepted_risk_closes_a_finding_until_it_expires_and_is_counted_apart() -> None:
    def accepted(id_: str, opened: str, end: str, until: str) -> Incident:
        signed = Acceptance("ana", "bo", at(end), at(until), "the law")
        found = closed(incident(id_, Kind.FAIRNESS, opened), end, recovered_at=None)
        return replace(found, acceptance=signed, limits=(LIMIT,))

    findings = (
        accepted("long", "07-02", "07-20", "12-31"),
        accepted("short", "07-05", "07-21", "09-01"),           # closed and open again in it
        accepted("before", "06-01", "06-20", "08-01"),          # closed before, open again in it
        accepted("later", "06-02", "06-21", "10-15"),           # open again after
    )
    found = kpi(records(*findings), "bias_findings_closed")
    assert (found.figure.numerator, found.figure.denominator) == (2, 3)
    assert part(found, "closed").figure.records == part(found, "closed_by_acceptance").figure.records
    assert part(found, "closed").figure.records == ("long", "short")
    assert part(found, "open_at_start").figure.value == 0
    assert part(found, "acceptance_expired").figure.records == ("before", "short")
    assert part(found, "open_at_end").figure.records == ("before", "short")
    assert kpi(records(*findings), "bias_closure_time").figure.value == 17 * DAY        # 18 and 16 days


def test_merged_incidents_are_shown_apart_and_never_as_resolved() -> None:
    end = at("08-03")
    merged = replace(
        incident("m", Kind.DRIFT, "08-01", severity=Severity.CRITICAL), state=State.CLOSED, closed_at=end,
        updated_at=end, merged_into="a", live=(Interval(at("08-01"), end),),
    )  # fmt: skip
    both = records(closed(incident("a", Kind.DRIFT, "07-10"), "07-12"), merged)
    mttr = kpi(both, "mttr")
    assert mttr.figure.records == ("a",)
    assert part(mttr, "opened_mean").figure.excluded == {"merged": 1}
    assert part(mttr, "merged").figure.records == ("m",)
    assert part(mttr, "still_open").figure.value == 0
    assert kpi(both, "mtbf").figure.n == 0
    handled = kpi(both, "drift_alerts_handled")
    assert (handled.figure.value, handled.figure.excluded) == (1, {"merged": 1})
    assert part(handled, "disposition", "true").figure.records == ("a",)
    assert part(handled, "backlog").figure.value == 0
    assert kpi(both, "noise").figure.excluded == {"merged": 1}
    assert part(kpi(replace(both, now=at("08-02")), "mttr"), "still_open").figure.records == ("m",)


def test_corrective_actions_are_effective_where_their_check_said_so() -> None:
    def action(number: int, check: str, **more: Any) -> Action:
        return Action(number, "mend", "ana", at("07-05"), at(check), **more)

    done = {"completed_at": at("07-04"), "checked_at": at("08-02")}
    one = replace(
        closed(incident("a", Kind.DRIFT, "07-01"), "07-02"),
        actions=(
            action(1, "08-01", effective=True, **done), action(2, "08-01", effective=False, **done),
            action(3, "09-01"), action(4, "10-01"),
        ),
    )  # fmt: skip
    back = incident("b", Kind.DRIFT, "09-20", recurrence_of="a")
    found = kpi(records(one, back), "corrective_actions_effective")
    assert (found.figure.value, found.figure.records) == (1 / 3, ("a/1", "a/2", "a/3"))
    assert part(found, "not_effective").figure.records == ("a/2",)
    assert part(found, "not_checked").figure.records == ("a/3",)
    assert part(found, "overdue").figure.records == ("a/3", "a/4")
    assert part(found, "recurred").figure.records == ("b",)
    assert kpi(records(back), "corrective_actions_effective").figure.reason_if_null == "none_due"


def test_bias_closure_time_is_of_those_closed_in_the_period_and_the_open_are_aged() -> None:
    found = kpi(records(*BIAS), "bias_closure_time")
    # old took 20 days, quick 10; open at 1 October: next 10 days, untested 57, before 122.
    assert found.figure.value == 15 * DAY
    assert part(found, "p90").figure.value == 19 * DAY
    assert part(found, "open_from_0_days").figure.records == ("next",)
    assert part(found, "open_from_30_days").figure.records == ("untested",)
    assert part(found, "open_from_90_days").figure.records == ("before",)


def test_bias_incident_rate_per_model_quarter_and_per_million_predictions() -> None:
    rows = ((at("06-30"), 7), (at("07-01"), 400_000), (at("09-30T23"), 100_000), (at("10-01"), 9))
    half = model("half", live=Period(at("08-16"), NOW))        # 46 of the quarter's 92 days
    found = kpi(records(*BIAS, models=(model(predictions=rows), half)), "bias_incident_rate")
    assert (found.figure.numerator, found.figure.denominator) == (3, 1.5)       # quick, untested, next
    assert found.figure.value == 2.0
    rate = part(found, "per_million").figure
    assert (rate.value, rate.denominator) == (6.0, 500_000)
    assert part(found, "false_positives").figure.records == ("false",)


def test_bias_incident_rate_without_exposure_is_null() -> None:
    found = kpi(records(models=(model(live=None),)), "bias_incident_rate")
    assert (found.figure.value, found.figure.reason_if_null) == (None, "no_exposure")
    assert part(found, "per_million").figure.reason_if_null == "no_predictions"


def test_bias_testing_frequency_counts_finished_tests_of_those_due() -> None:
    tests = tuple(
        BiasTest(f"t{n}", at(due), result)
        for n, (due, result) in enumerate(
            (
                ("06-30", BiasResult.OK),                   # due before
                ("07-11", BiasResult.OK),
                ("07-31", BiasResult.BREACH),
                ("08-20", BiasResult.INSUFFICIENT),
                ("09-09", BiasResult.MISSING),
                ("09-14", BiasResult.INCONCLUSIVE),
                ("10-01", BiasResult.OK),                   # due after
            )
        )
    )
    untested = model("untested", attributes=("sex",), tests=(BiasTest("u", at("08-01"), BiasResult.MISSING),))
    models = (model(attributes=("sex",), tests=tests), untested, model("flights"))
    found = kpi(records(models=models), "bias_testing_frequency")
    assert (found.figure.value, found.figure.numerator, found.figure.denominator) == (3 / 6, 3, 6)
    assert found.figure.excluded == {"models_without_protected_attributes": 1}
    assert part(found, "models_tested").figure.value == 0.5
    assert part(found, "tested", "loans").figure.value == 3 / 5
    assert part(found, "longest_gap", "loans").figure.value == 45 * DAY         # 31 July to 14 September
    assert part(found, "longest_gap", "untested").figure.value == 92 * DAY
    assert part(found, "result_missing").figure.value == 2


def test_no_test_due_is_null() -> None:
    found = kpi(records(models=(model(attributes=("sex",)),)), "bias_testing_frequency")
    assert (found.figure.value, found.figure.reason_if_null) == (None, "none_due")


TIMES = (
    closed(
        incident("a", Kind.DRIFT, "07-10", acknowledged_at=at("07-10T02"), severity=Severity.CRITICAL), "07-12",
        started_at=at("07-08"),
    ),
    closed(
        incident("b", Kind.PERFORMANCE, "08-10", acknowledged_at=at("08-10T06"), severity=Severity.CRITICAL), "08-14",
        resolved_by=ResolvedBy.AUTO, closed_at=None, state=State.RESOLVED,
    ),
    incident("c", Kind.QUALITY, "09-20"),
    closed(incident("d", Kind.QUALITY, "06-20", acknowledged_at=at("06-21")), "07-20"),        # opened before
)  # fmt: skip


def test_incident_response_time_counts_the_never_acknowledged_as_missing() -> None:
    found = kpi(records(*TIMES), "incident_response_time")
    assert (found.figure.value, found.figure.n) == (4 * HOUR, 2)        # a 2 h, b 6 h
    assert found.figure.excluded == {"never_acknowledged": 1}
    assert part(found, "p90").figure.value == pytest.approx(5.6 * HOUR)
    assert part(found, "never_acknowledged").figure.records == ("c",)
    assert part(found, "within_target").figure.reason_if_null == "no_target"
    assert part(found, "p50", "critical").figure.value == 4 * HOUR


def test_mttr_of_both_cohorts_and_what_is_still_open() -> None:
    found = kpi(records(*TIMES), "mttr")
    assert found.figure.value == 12 * DAY                               # resolved in it: a 2 d, b 4 d, d 30 d
    assert found.figure.records == ("d", "a", "b")
    assert part(found, "p50").figure.value == 4 * DAY
    assert part(found, "opened_mean").figure.value == 3 * DAY           # opened in it: a, b; c is still open
    assert part(found, "opened_mean").figure.excluded == {"still_open": 1}
    assert part(found, "resolved_by", "auto").figure.value == 4 * DAY
    assert part(found, "still_open").figure.records == ("c",)
    assert part(found, "oldest_open").figure.value == 11 * DAY          # 20 September to 1 October


def test_the_works_view_leaves_out_the_time_between_resolving_and_reopening() -> None:
    live = (Interval(at("07-01"), at("07-02")), Interval(at("07-05"), at("07-08")))
    found = kpi(records(closed(incident("r", Kind.DRIFT, "07-01"), "07-08", live=live)), "mttr")
    assert found.figure.value == 7 * DAY
    assert part(found, "work_mean").figure.value == 4 * DAY


def test_time_to_detect_and_to_recover() -> None:
    assert kpi(records(*TIMES), "mttd").figure.value == pytest.approx(4 / 3 * DAY)          # a 2 d, b and c 1 d
    # Resolved in it: a 4 d after its start, b 5 d, d 31 d.
    assert kpi(records(*TIMES), "time_to_recover").figure.value == pytest.approx(40 / 3 * DAY)


def test_mtbf_needs_two_failures_and_a_known_uptime() -> None:
    found = kpi(records(*TIMES), "mtbf")
    assert (found.figure.value, found.figure.n, found.figure.reason_if_null) == (None, 2, "uptime_unknown")
    assert part(found, "failures", "loans").figure.records == ("a", "b")
    assert kpi(records(TIMES[0]), "mtbf").figure.reason_if_null == "fewer_than_two_failures"


def test_drift_handled_needs_a_persons_disposition() -> None:
    drift = (
        closed(incident("a", Kind.DRIFT, "06-10"), "07-10"),                                # the backlog
        closed(incident("b", Kind.DRIFT, "07-11"), "07-12", Disposition.FALSE_POSITIVE),
        closed(incident("c", Kind.DRIFT, "07-13"), "07-14", Disposition.DRILL),
        incident("d", Kind.DRIFT, "07-15", state=State.RESOLVED, resolved_at=at("07-16"), resolved_by=ResolvedBy.AUTO),
        closed(incident("e", Kind.DRIFT, "08-11"), "10-12"),                                # handled later
    )
    found = kpi(records(*drift), "drift_alerts_handled")
    assert (found.figure.numerator, found.figure.denominator) == (2, 3)                     # a, b; b, d, e
    assert part(found, "backlog").figure.records == ("d", "e")
    assert part(found, "opened").figure.excluded == {"drill": 1}


def test_monitoring_coverage_is_of_models_measured_lately_with_predictions() -> None:
    week = Period(at("09-21"), at("09-28"))
    models = (
        model("fresh", measured=(week,), predictions=((at("09-22"), 5),)),
        model("empty", measured=(week,)),                                                   # measured, on no rows
        model("stale", measured=(Period(at("09-07"), at("09-14")),), predictions=((at("09-08"), 5),)),
        model("retired", live=Period(at("01-01"), at("08-01"))),
        model("unborn", live=None),
        model("outside", in_scope=False),
    )
    found = kpi(records(models=models), "monitoring_coverage")
    assert (found.figure.value, found.figure.records) == (1 / 3, ("fresh", "empty", "stale"))
    assert part(found, "unmonitored").figure.records == ("empty", "stale")
    assert found.figure.excluded == {"models_out_of_scope": 1}


def test_noise_is_false_positives_of_the_closed_and_incidents_per_model_week() -> None:
    found = kpi(records(*BIAS, *TIMES), "noise")
    # Closed in it: old, quick, untested, false, a, d; the drill is left out.
    assert (found.figure.numerator, found.figure.denominator) == (1, 6)
    assert found.figure.excluded == {"drill": 1}
    weekly = part(found, "incidents_per_model_week", "drift").figure
    assert (weekly.numerator, weekly.denominator) == (2, 92 / 7)


def test_a_replay_is_told_by_its_own_clock_only() -> None:
    replay = model("census", clock=Clock.EVENT, live=Period(at("07-01"), at("09-01")), attributes=("sex",))
    mine = incident("mine", Kind.FAIRNESS, "08-01")
    its = incident("its", Kind.FAIRNESS, "08-02", model="census", clock=Clock.EVENT)
    both = {"models": (model(attributes=("sex",)), replay)}
    wall = kpi(records(mine, its, **both), "bias_incident_rate").figure
    assert (wall.records, wall.excluded) == (("mine",), {"clock_event": 1, "models_clock_event": 1})
    event = records(mine, its, clocks=frozenset({Clock.EVENT}), **both)
    assert kpi(event, "bias_incident_rate").figure.records == ("its",)
    every = records(mine, its, clocks=frozenset(Clock), **both)
    assert kpi(every, "bias_incident_rate").figure.records == ("mine", "its")


def test_what_a_person_does_after_a_replays_end_is_not_told_in_its_time() -> None:
    late = closed(
        incident("i", Kind.FAIRNESS, "08-02", clock=Clock.EVENT, acknowledged_at=at("10-01")), "10-02",
        recovered_at=at("08-20"),
    )  # fmt: skip
    seen = records(late, models=(model(clock=Clock.EVENT),), now=at("09-15"), clocks=frozenset({Clock.EVENT}))
    assert part(kpi(seen, "incident_response_time"), "never_acknowledged").figure.records == ("i",)
    assert part(kpi(seen, "mttr"), "oldest_open").figure.value == 44 * DAY      # 2 August to the replay's end
    assert part(kpi(seen, "bias_findings_closed"), "open_at_end").figure.records == ("i",)


def test_out_of_scope_is_left_out_and_counted_unless_asked_for_by_name() -> None:
    outside = (model(in_scope=False),)
    found = kpi(records(*TIMES, models=outside), "mttr").figure
    assert (found.value, found.reason_if_null, found.excluded) == (None, "all_excluded", {"out_of_scope": 3})
    assert kpi(records(*TIMES, models=outside, named=True), "mttr").figure.value == 12 * DAY


def test_a_running_period_has_its_figures_up_to_now() -> None:
    found = kpi(records(*BIAS, now=at("08-10")), "bias_findings_closed")
    assert part(found, "closed").figure.records == ("old",)
    assert kpi(records(now=at("07-11")), "bias_incident_rate").figure.denominator == pytest.approx(10 / 92)


def test_a_period_to_come_has_no_figures() -> None:
    found = compute(records(*BIAS), parse_period("2027-Q1"))
    assert [k.id for k in found] == list(DEFINITIONS)
    assert {k.figure.reason_if_null for k in found} == {"period_not_begun"}


def test_every_kpi_is_listed_and_those_without_a_register_say_so() -> None:
    found = compute(records(*BIAS, *TIMES), Q3)
    assert [k.id for k in found] == list(DEFINITIONS)
    for k in found:
        if k.id in LATER:
            assert (k.figure.value, k.figure.reason_if_null, k.note) == (None, *LATER[k.id])
    shown = found[0].as_dict()
    assert set(shown) == {
        "id", "title", "unit", "target", "value", "n", "numerator", "denominator", "excluded", "reason_if_null",
        "records", "definition", "note", "parts",
    }  # fmt: skip


def test_a_target_is_there_only_where_one_is_declared_by_all() -> None:
    assert kpi(records(), "sla_uptime").target is None
    same = tuple(model(n, sla_objective=0.999) for n in "ab")
    assert kpi(records(models=same), "sla_uptime").target == 0.999
    assert kpi(records(models=(*same, model("c"))), "sla_uptime").target is None
