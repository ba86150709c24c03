"""The figures of a scrape from a small state: what is shown of which window, and what never is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, create_engine, insert

from incidents.commands import Clock
from incidents.figures import Figure
from monitor.kpis.catalogue import compute
from monitor.kpis.kpi import Kpi, Part
from monitor.kpis.periods import parse_period
from monitor.kpis.records import Records
from monitor.log.waiting import Waiting
from monitor.metrics.figures import add_backlog, add_fold, add_incidents, add_windows
from monitor.metrics.names import Page
from monitor.metrics.process import Instruments
from monitor.metrics.quarter import add_kpis, quarters
from monitor.metrics.snapshot import read
from monitor.store import tables
from monitor.store.points import WindowState, save_window
from monitor.times import to_micros

DAY = 86_400_000_000
NOW = to_micros(datetime(2026, 7, 1, tzinfo=UTC))
Series = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def db() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        add_model(connection, 1, "m")
        yield connection
    engine.dispose()


def add_model(db: Connection, number: int, name: str, **changes: Any) -> None:
    row = {"id": number, "name": name, "features": {}, "counts": {}, "clock": NOW, **changes}
    db.execute(insert(tables.models).values(**row))


def add_window(db: Connection, family: str, day: int, *, step: int = 0, settled: bool = True, **more: Any) -> None:
    start = NOW + day * DAY
    state = WindowState(f"{family}/86400s", start, start + DAY, revision=1, step=step, settled=settled, at=start)
    save_window(db, 1, replace(state, **more))


def add_point(
    db: Connection, number: int, family: str, day: int, metric: str, scope: str, value: float | None,
    verdicts: tuple[tuple[str, str], ...] = (), **more: Any,
) -> None:  # fmt: skip
    row = {
        "id": number, "model": 1, "family": f"{family}/86400s", "metric": metric, "scope": scope,
        "start": NOW + day * DAY, "end": NOW + (day + 1) * DAY, "revision": 1, "latest": True, "value": value,
        "n": 100, "reason": "too_few_samples" if value is None else None, "provisional": False, **more,
    }  # fmt: skip
    db.execute(insert(tables.points).values(**row))
    for monitor, verdict in verdicts:
        said = {"point": number, "monitor": monitor, "verdict": verdict, "limit": 0.1, "severity": "warning"}
        db.execute(insert(tables.verdicts).values(**said))


def series(page: Page) -> Series:
    found = {}
    for family in page.families():
        for s in family.samples:
            key = (s.name.removeprefix("vigil_"), tuple(s.labels.values()))
            assert key not in found, f"{key} stands twice"
            assert math.isfinite(s.value), key
            found[key] = s.value
    return found


def shown(db: Connection) -> Series:
    page, snapshot = Page(), read(db)
    add_fold(page, snapshot)
    add_windows(page, snapshot)
    add_incidents(page, snapshot, NOW)
    return series(page)


def test_totals_of_a_model_and_no_instant_before_there_is_one(db: Connection) -> None:
    add_model(db, 2, "busy", counts={"predictions": 7, "orphans": 2}, cursor=3, last_prediction=NOW, evaluated_at=NOW)
    found = shown(db)
    assert found["predictions_total", ("busy",)] == 7
    assert found["outcomes_orphaned", ("busy",)] == 2
    assert found["outcomes_joined_total", ("busy",)] == 0
    assert found["fold_position", ("busy",)] == 3
    assert found["newest_prediction_timestamp_seconds", ("busy",)] == NOW / 1e6
    assert ("newest_prediction_timestamp_seconds", ("m",)) not in found
    assert ("evaluated_timestamp_seconds", ("m",)) not in found


def test_the_window_shown_is_the_newest_whose_outcomes_are_in(db: Connection) -> None:
    for day, settled, step in ((-4, True, 4), (-3, False, 2), (-2, False, 1), (-1, False, 0)):
        add_window(db, "performance", day, settled=settled, step=step, coverage=step / 4)
        add_point(db, 10 - day, "performance", day, "accuracy", "model", 0.9 + day / 100)
    found = shown(db)
    where = ("m", "performance", "1d")
    assert found["performance_value", ("m", "1d", "accuracy")] == pytest.approx(0.87)
    assert found["window_end_timestamp_seconds", where] == (NOW - 2 * DAY) / 1e6
    assert found["window_provisional", where] == 1
    assert found["label_coverage_ratio", where] == 0.5
    assert found["windows_evaluated_total", where] == 4


def test_before_outcomes_are_in_the_newest_window_is_shown(db: Connection) -> None:
    for day in (-2, -1):
        add_window(db, "performance", day, settled=False, coverage=0.0)
    assert shown(db)["window_end_timestamp_seconds", ("m", "performance", "1d")] == NOW / 1e6


def test_an_unknown_point_is_absent_and_its_reason_counted(db: Connection) -> None:
    add_window(db, "performance", -1)
    add_point(db, 1, "performance", -1, "accuracy", "model", None, (("accuracy/model", "unknown"),))
    found = shown(db)
    assert ("performance_value", ("m", "1d", "accuracy")) not in found
    assert ("monitor_breaching", ("m", "1d", "accuracy", "model", "warning")) not in found
    assert found["points_unknown", ("m", "performance", "1d", "too_few_samples")] == 1
    assert found["monitors", ("m", "performance", "1d", "unknown")] == 1
    assert found["monitors", ("m", "performance", "1d", "ok")] == 0


def test_points_go_under_the_name_of_their_metric_and_scope(db: Connection) -> None:
    add_window(db, "drift", -1)
    add_window(db, "fairness", -1, coverage=1.0)
    add_point(db, 1, "drift", -1, "jensen_shannon", "feature:age", 0.2)
    add_point(db, 2, "drift", -1, "jensen_shannon", "output:score", 0.3)
    add_point(db, 3, "drift", -1, "missing_rate", "feature:age", 0.01)
    add_point(db, 4, "drift", -1, "row_count", "model", 500.0)
    add_point(db, 5, "fairness", -1, "demographic_parity_ratio", "attribute:sex", 0.75)
    found = shown(db)
    assert found["feature_drift_jensen_shannon_distance", ("m", "1d", "age")] == 0.2
    assert found["output_drift_jensen_shannon_distance", ("m", "1d", "score")] == 0.3
    assert found["feature_missing_ratio", ("m", "1d", "age")] == 0.01
    assert found["window_rows", ("m", "1d")] == 500
    assert found["disparity_value", ("m", "1d", "demographic_parity_ratio", "sex")] == 0.75
    assert not [key for key in found if key[0] == "label_coverage_ratio" and "drift" in key[1]]


@pytest.mark.parametrize("scope", ["attribute:sex,group:secret", "segment:state=secret", "version:secret"])
def test_groups_segments_and_versions_are_never_labels(db: Connection, scope: str) -> None:
    add_window(db, "fairness", -1)
    add_point(db, 1, "fairness", -1, "selection_rate", scope, 0.5, (("its id says secret", "breach"),))
    found = shown(db)
    assert not [key for key in found if "secret" in str(key)]
    assert found["monitors", ("m", "fairness", "1d", "breach")] == 1


def test_two_monitors_of_one_point_are_told_as_one_the_worse(db: Connection) -> None:
    add_window(db, "drift", -1)
    said = (("a", "ok"), ("b", "breach"), ("c", "inconclusive"))
    add_point(db, 1, "drift", -1, "psi", "feature:age", 0.2, said)
    found = shown(db)
    assert found["monitor_breaching", ("m", "1d", "psi", "feature:age", "warning")] == 1
    assert found["monitor_limit", ("m", "1d", "psi", "feature:age", "warning")] == 0.1
    assert [found["monitors", ("m", "drift", "1d", v)] for v in ("ok", "breach", "inconclusive")] == [1, 1, 1]


def test_an_old_revision_is_not_shown(db: Connection) -> None:
    add_window(db, "drift", -1, revision=2)
    add_point(db, 1, "drift", -1, "jensen_shannon", "feature:age", 0.9, latest=False)
    add_point(db, 2, "drift", -1, "jensen_shannon", "feature:age", 0.2, revision=2)
    assert shown(db)["feature_drift_jensen_shannon_distance", ("m", "1d", "age")] == 0.2


def add_incident(db: Connection, number: int, clock: str, state: str, opened: int, severity: str = "warning") -> None:
    row = {
        "id": f"inc_{number}", "model": 1, "fingerprint": f"f{number}", "kind": "drift", "state": state,
        "severity": severity, "rank": 1, "title": "t", "clock": clock, "started_at": opened, "opened_at": opened,
        "updated_at": opened, "active": state in ("open", "acknowledged"), "body": {"clock": clock},
    }  # fmt: skip
    db.execute(insert(tables.incidents).values(**row))


def test_incidents_by_state_and_the_age_of_the_oldest_that_waits(db: Connection) -> None:
    add_incident(db, 1, "wall", "open", NOW - 60 * 10**6)
    add_incident(db, 2, "wall", "open", NOW - 90 * 10**6)
    add_incident(db, 3, "wall", "acknowledged", NOW - 900 * 10**6)
    add_incident(db, 4, "wall", "closed", NOW - 9000 * 10**6)
    found = shown(db)
    assert found["incident_unacknowledged_age_seconds", ("m", "warning", "wall")] == 90
    assert found["incidents", ("m", "warning", "open")] == 2
    assert found["incidents", ("m", "critical", "open")] == 0
    assert found["incidents_live", ("m", "drift")] == 3
    assert found["incidents_live", ("m", "fairness")] == 0


def test_a_replays_incident_ages_on_the_replays_clock(db: Connection) -> None:
    add_model(db, 2, "replay")
    db.execute(tables.models.update().where(tables.models.c.id == 1).values(clock=5_000_000, event_clock=True))
    add_incident(db, 1, "event", "open", 2_000_000)
    assert shown(db)["incident_unacknowledged_age_seconds", ("m", "warning", "event")] == 3


def test_nothing_waits_and_nothing_ages(db: Connection) -> None:
    add_incident(db, 1, "wall", "acknowledged", NOW - DAY)
    assert not [key for key in shown(db) if key[0] == "incident_unacknowledged_age_seconds"]


def test_a_backlog_has_an_age_and_none_is_zero() -> None:
    page = Page()
    add_backlog(page, {"a": Waiting(9, 120, NOW - 30 * 10**6), "b": Waiting(4, 0, None)}, NOW)
    found = series(page)
    assert [found[n, ("a",)] for n in ("rows_to_fold", "fold_lag_seconds", "log_position")] == [120, 30, 9]
    assert [found[n, ("b",)] for n in ("rows_to_fold", "fold_lag_seconds", "log_position")] == [0, 0, 4]


def test_kpis_go_by_their_unit_and_the_unknown_apart() -> None:
    parts = (
        Part("p90", "", "seconds", Figure(9.0, 2)),
        Part("p90", "", "seconds", Figure(7.0, 1), of="critical"),
        Part("none", "", "ratio", Figure(None, 0, reason_if_null="no_incidents")),
    )
    page, period = Page(), parse_period("2026-Q3")
    known, unknown = Kpi("mttr", Figure(5.0, 2), parts), Kpi("noise", Figure(None, 0, reason_if_null="none_closed"))
    add_kpis(page, Clock.WALL, period, [known, unknown])
    assert series(page) == {
        ("kpi_period_start_timestamp_seconds", ("wall",)): period.start.timestamp(),
        ("kpi_records", ("mttr", "wall")): 2,
        ("kpi_seconds", ("mttr", "", "wall")): 5,
        ("kpi_seconds", ("mttr", "p90", "wall")): 9,
        ("kpi_records", ("noise", "wall")): 0,
        ("kpi_unknown", ("noise", "wall", "none_closed")): 1,
    }


def test_every_kpi_of_the_catalogue_is_on_the_page_known_or_not() -> None:
    period = parse_period("2026-Q3")
    kpis = compute(Records((), (), datetime(2026, 8, 1, tzinfo=UTC)), period)
    page = Page()
    add_kpis(page, Clock.WALL, period, kpis)
    found = series(page)
    assert len(kpis) > 15
    for kpi in kpis:
        values = [key for key in found if key[1][:2] == (kpi.id, "") and key[0] != "kpi_records"]
        reasons = [key for key in found if key[0] == "kpi_unknown" and key[1][0] == kpi.id]
        assert len(values) + len(reasons) == 1, kpi.id


def test_each_clock_has_its_own_quarter(db: Connection) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    end = to_micros(datetime(2018, 12, 31, tzinfo=UTC))
    assert quarters(read(db), [], now) == {}
    assert {c: p.name for c, p in quarters(read(db), ["m"], now).items()} == {Clock.WALL: "2026-Q3"}
    add_model(db, 2, "replay", event_clock=True, last_prediction=end)
    named = {c.value: p.name for c, p in quarters(read(db), ["m", "replay"], now).items()}
    assert named == {"wall": "2026-Q3", "event": "2018-Q4"}
    assert [c.value for c in quarters(read(db), ["replay"], now)] == ["event"]


def test_an_append_that_fails_is_counted_and_timed() -> None:
    registry = CollectorRegistry()
    process = Instruments(registry)
    with process.append():
        pass
    with pytest.raises(OSError, match="full"), process.append():
        raise OSError("disk full")
    assert registry.get_sample_value("vigil_log_append_failures_total") == 1
    assert registry.get_sample_value("vigil_log_append_duration_seconds_count") == 2


def test_two_registries_know_nothing_of_each_other() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    Instruments(one).count_batch("m", "predictions", 10, 3, 1)
    Instruments(other)
    labels = {"model": "m", "kind": "predictions", "result": "rejected"}
    assert one.get_sample_value("vigil_ingest_rows_total", labels) == 1
    assert other.get_sample_value("vigil_ingest_rows_total", labels) is None
