"""Times and figures against recounts by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import mean, median

import pytest

from incidents.commands import Clock, Disposition
from incidents.figures import Durations, quantile
from incidents.incident import Incident, Interval, ResolvedBy, State
from incidents.times import (
    Summary,
    response_time,
    summarise,
    time_to_detect,
    time_to_recover,
    time_to_resolve,
    work_time,
)
from incidents.verdict import Fingerprint, Kind, Severity

JULY, OCTOBER = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TARGETS = {Severity.WARNING: 4 * HOUR, Severity.CRITICAL: HOUR}


def incident(
    name: str,
    opened: datetime = JULY,
    acknowledged: timedelta | None = None,
    *stretches: tuple[timedelta, timedelta | None],
    severity: Severity = Severity.WARNING,
    by: ResolvedBy = ResolvedBy.PERSON,
    recovered: timedelta | None = None,
    disposition: Disposition | None = None,
    clock: Clock = Clock.WALL,
) -> Incident:
    """Times are told from the opening; it started an hour before. No stretch: live since."""
    spans = stretches or ((timedelta(), None),)
    live = tuple(Interval(opened + a, None if b is None else opened + b) for a, b in spans)
    end = live[-1].end
    return Incident(
        id=name,
        fingerprint=Fingerprint(name, Kind.DRIFT),
        state=State.OPEN if end is None else State.RESOLVED,
        severity=severity,
        title=name,
        clock=clock,
        started_at=opened - HOUR,
        opened_at=opened,
        updated_at=end or opened,
        live=live,
        acknowledged_at=None if acknowledged is None else opened + acknowledged,
        recovered_at=None if recovered is None else opened + recovered,
        resolved_at=end,
        resolved_by=None if end is None else by,
        disposition=disposition,
    )


def until(end: timedelta) -> tuple[timedelta, timedelta]:
    return timedelta(), end


def summary(*incidents: Incident, now: datetime = NOW, **more: object) -> Summary:
    return summarise(incidents, (JULY, OCTOBER), now, TARGETS, **more)  # type: ignore[arg-type]


def hours(cohort: Durations) -> tuple[float | None, ...]:
    figures = (cohort.mean, cohort.median, cohort.p90, cohort.max)
    return tuple(None if f.value is None else round(f.value / 3600, 9) for f in figures)


def test_the_times_of_one_incident_that_was_reopened() -> None:
    it = incident("a", JULY, 2 * HOUR, until(5 * HOUR), (9 * HOUR, 10 * HOUR), recovered=4 * HOUR)
    assert response_time(it) == 2 * HOUR
    assert time_to_resolve(it) == 10 * HOUR
    assert work_time(it) == 6 * HOUR
    assert time_to_detect(it) == HOUR
    assert time_to_recover(it) == 5 * HOUR


def test_what_has_not_happened_has_no_time() -> None:
    it = incident("a")
    assert (response_time(it), time_to_resolve(it), work_time(it), time_to_recover(it)) == (None,) * 4


def test_no_data_is_none_with_a_reason_and_never_zero() -> None:
    s = summary()
    empty = (s.response.durations, s.resolve_of_resolved, s.resolve_of_opened, s.work_of_resolved, s.work_of_opened)
    for d in (*empty, s.detect, s.recover, *s.resolve_by.values(), *s.apart.values()):
        assert d.n == 0
        for figure in (d.mean, d.median, d.p90, d.max):
            assert (figure.value, figure.reason_if_null) == (None, "no_incidents")
    assert (s.response.within_target.value, s.response.within_target.reason_if_null) == (None, "no_incidents")
    assert (s.still_open.count, s.still_open.oldest_age, s.still_open.reason_if_null) == (0, None, "none_open")


def test_never_acknowledged_is_missing_and_counted_and_not_taken_as_acknowledged_at_resolution() -> None:
    s = summary(
        incident("a", JULY, HOUR, until(9 * HOUR)),
        incident("b", JULY + DAY, 3 * HOUR, until(9 * HOUR)),
        incident("c", JULY + DAY, None, until(9 * HOUR)),
    )
    assert s.response.durations.n == 2
    assert hours(s.response.durations) == (2.0, 2.0, 2.8, 3.0)
    assert s.response.durations.mean.excluded == {"never_acknowledged": 1}
    assert s.response.never_acknowledged == ("c",)


def test_within_target_counts_ignored_incidents_as_missed_and_leaves_out_what_had_no_time_to_miss() -> None:
    s = summary(
        incident("in time", JULY, 4 * HOUR, until(DAY)),
        incident("late", JULY, 5 * HOUR, until(DAY)),
        incident("ignored", JULY, None, until(DAY)),
        incident("ignored still", JULY),
        incident("gone in an hour", JULY, None, until(HOUR)),
        incident("just opened", OCTOBER - HOUR),
        incident("no target", JULY, HOUR, severity=Severity.INFO),
        now=OCTOBER,
    )
    share = s.response.within_target
    assert (share.value, share.numerator, share.denominator, share.n) == (0.25, 1, 4, 4)
    assert set(share.records) == {"in time", "late", "ignored", "ignored still"}
    assert share.excluded == {"no_target": 1, "resolved_before_target": 1, "still_has_time": 1}


def test_targets_are_met_by_severity() -> None:
    s = summary(
        incident("a", JULY, 2 * HOUR, severity=Severity.WARNING),
        incident("b", JULY, 2 * HOUR, severity=Severity.CRITICAL),
    )
    shares = {severity: r.within_target.value for severity, r in s.response_by_severity.items()}
    assert shares == {Severity.INFO: None, Severity.WARNING: 1.0, Severity.CRITICAL: 0.0}


def test_both_views_and_both_cohorts_of_mttr_are_named_and_differ() -> None:
    s = summary(
        incident("before", JULY - DAY, HOUR, until(2 * DAY)),  # opened before, resolved in
        incident("within", JULY, HOUR, until(2 * HOUR), (10 * HOUR, 12 * HOUR)),  # reopened
        incident("after", OCTOBER - DAY, HOUR, until(3 * DAY)),  # opened in, resolved after
        incident("open", JULY, HOUR),
    )
    assert s.resolve_of_resolved.cohort == "resolved in the period"
    assert set(s.resolve_of_resolved.mean.records) == {"before", "within"}
    assert hours(s.resolve_of_resolved) == (30.0, 30.0, 44.4, 48.0)
    assert hours(s.work_of_resolved)[0] == 26.0
    assert s.resolve_of_opened.cohort == "opened in the period"
    assert set(s.resolve_of_opened.mean.records) == {"within", "after"}
    assert hours(s.resolve_of_opened)[0] == 42.0
    assert hours(s.work_of_opened)[0] == 38.0
    assert s.resolve_of_opened.mean.excluded == {"still_open": 1}
    assert (s.resolve_of_resolved.mean.numerator, s.resolve_of_resolved.mean.denominator) == (60 * 3600, 2)


def test_a_period_is_half_open() -> None:
    s = summary(incident("first", JULY, HOUR, until(HOUR)), incident("next", OCTOBER, HOUR, until(HOUR)))
    assert s.response.durations.mean.records == ("first",)
    at_the_end = summary(incident("a", OCTOBER - HOUR, None, until(HOUR)))
    assert at_the_end.resolve_of_resolved.n == 0
    assert at_the_end.still_open.records == ("a",)


def test_drills_and_false_positives_stand_apart() -> None:
    s = summary(
        incident("real", JULY, HOUR, until(2 * HOUR), disposition=Disposition.TRUE),
        incident("drill", JULY, HOUR, until(4 * HOUR), disposition=Disposition.DRILL),
        incident("false", JULY, HOUR, until(6 * HOUR), disposition=Disposition.FALSE_POSITIVE),
    )
    assert s.resolve_of_resolved.mean.records == s.detect.mean.records == ("real",)
    assert s.resolve_of_resolved.mean.excluded == {"drill": 1, "false_positive": 1}
    assert {d: hours(a)[0] for d, a in s.apart.items()} == {Disposition.DRILL: 4.0, Disposition.FALSE_POSITIVE: 6.0}
    assert s.response.durations.n == 3


def test_all_left_out_is_told_from_none_there() -> None:
    s = summary(incident("drill", JULY, HOUR, until(HOUR), disposition=Disposition.DRILL))
    assert s.resolve_of_resolved.mean.reason_if_null == "all_excluded"


def test_resolved_by_itself_and_by_a_person_are_told_apart() -> None:
    s = summary(
        incident("auto", JULY, HOUR, until(2 * HOUR), by=ResolvedBy.AUTO), incident("hand", JULY, HOUR, until(6 * HOUR))
    )
    assert {by: hours(d)[0] for by, d in s.resolve_by.items()} == {ResolvedBy.AUTO: 2.0, ResolvedBy.PERSON: 6.0}


def test_event_time_incidents_stay_out_unless_asked_for() -> None:
    replayed = incident("replayed", JULY, HOUR, until(2 * HOUR), clock=Clock.EVENT)
    s = summary(replayed, incident("replayed and open", JULY, clock=Clock.EVENT))
    assert s.resolve_of_resolved.mean.excluded == {"clock_event": 1}
    assert s.resolve_of_resolved.mean.reason_if_null == "all_excluded"
    assert s.still_open.count == 0
    asked = summary(replayed, clocks=frozenset({Clock.EVENT}))
    assert hours(asked.resolve_of_resolved)[0] == 2.0


def test_detection_and_recovery_stand_beside_resolution() -> None:
    s = summary(
        incident("a", JULY, HOUR, until(DAY), recovered=3 * HOUR),
        incident("by hand, not recovered", JULY, HOUR, until(DAY)),
    )
    assert hours(s.detect)[0] == 1.0
    assert hours(s.recover)[0] == 4.0
    assert s.recover.mean.excluded == {"not_recovered": 1}


def test_what_is_open_is_counted_at_the_periods_end_with_the_oldest_age() -> None:
    s = summary(
        incident("open since", JULY - DAY),
        incident("resolved after the end", OCTOBER - DAY, None, until(2 * DAY)),
        incident("between two stretches", OCTOBER - DAY, None, until(HOUR), (2 * DAY, None)),
        incident("opened after", OCTOBER),
    )
    assert set(s.still_open.records) == {"open since", "resolved after the end"}
    assert s.still_open.oldest_age == (OCTOBER - JULY + DAY).total_seconds()


def test_in_a_running_period_what_is_open_is_counted_now() -> None:
    s = summary(incident("a", JULY), incident("b", JULY + DAY), now=JULY + DAY)
    assert (s.still_open.count, s.still_open.oldest_age) == (2, 86400)


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(ValueError, match="period must end"):
        summarise([], (JULY, JULY), NOW, TARGETS)


def test_figures_equal_a_recount_and_do_not_depend_on_order() -> None:
    rng = random.Random(7)
    many = []
    for i in range(400):
        opened = JULY + rng.randrange(-20, 100) * DAY + rng.randrange(24) * HOUR
        ack = rng.choice([None, rng.randrange(1, 20) * HOUR])
        a, b = sorted(rng.sample(range(1, 300), 2))
        stretches = rng.choice([(), (until(a * HOUR),), (until(a * HOUR), (b * HOUR, (b + 7) * HOUR))])
        many.append(incident(f"i{i}", opened, ack, *stretches, by=rng.choice(list(ResolvedBy))))
    s = summary(*many)
    assert summary(*rng.sample(many, len(many))) == s

    took = [i.resolved_at - i.opened_at for i in many if i.resolved_at and JULY <= i.resolved_at < OCTOBER]
    spent = [
        sum((x.end - x.start for x in i.live if x.end), timedelta())
        for i in many
        if i.resolved_at and JULY <= i.resolved_at < OCTOBER
    ]
    acked = [i.acknowledged_at - i.opened_at for i in many if i.acknowledged_at and JULY <= i.opened_at < OCTOBER]
    for cohort, times in ((s.resolve_of_resolved, took), (s.work_of_resolved, spent), (s.response.durations, acked)):
        seconds = [t.total_seconds() for t in times]
        assert cohort.n == len(seconds) > 50
        assert cohort.mean.value == pytest.approx(mean(seconds), abs=1e-6)
        assert cohort.median.value == median(seconds)
        assert cohort.max.value == max(seconds)
    assert sum(d.n for d in s.resolve_by.values()) == s.resolve_of_resolved.n


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [([5.0], 0.9, 5.0), ([0.0, 10.0], 0.9, 9.0), ([1.0, 2.0, 4.0], 0.5, 2.0), ([1.0, 4.0], 1.0, 4.0), ([], 0.5, None)],
)
def test_quantiles_interpolate_between_order_statistics(values: list[float], q: float, expected: float | None) -> None:
    assert quantile(values, q) == expected


def test_work_and_resolution_agree_where_nothing_was_reopened() -> None:
    it = incident("a", JULY, None, until(3 * HOUR))
    assert time_to_resolve(it) == work_time(it) == 3 * HOUR
    assert work_time(replace(it, resolved_at=None)) is None
