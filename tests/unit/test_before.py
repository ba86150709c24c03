"""What changed before an incident: what is worth a word, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from detectors.summaries.summary import Summary
from incidents.commands import MOST_SAID
from incidents.verdict import ChangeKind, Kind
from monitor.database import open_database, writing
from monitor.fold.strata import Stratum
from monitor.judge.before import ColumnRate, Facts, before, look_back
from monitor.store import models, summaries, tables
from monitor.store.facts import facts
from monitor.times import to_micros

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 7, 10, 12, tzinfo=UTC)
SINCE = NOON - 2 * DAY


def said(found: Facts, kind: Kind = Kind.DRIFT) -> list[tuple[str, str]]:
    return [(c.kind.value, c.text) for c in before(found, kind, SINCE)]


def test_it_looks_back_two_windows_and_a_day_at_least() -> None:
    assert NOON - look_back(NOON, HOUR) == DAY
    assert NOON - look_back(NOON, 7 * DAY) == 14 * DAY


def test_references_and_declarations_but_for_the_first_and_those_of_long_ago() -> None:
    assert said(Facts(references=[(NOON - HOUR, 1)])) == [], "that is the beginning"
    kept = [(NOON - 90 * DAY, 1), (NOON - 30 * DAY, 2), (NOON - 3 * HOUR, 2), (NOON - HOUR, 3)]
    assert said(Facts(references=kept)) == [
        ("declaration", "version 3 of the declaration came into force, with a reference"),
        ("reference", "another reference came into force"),
    ]


def rows(*counts: float) -> list[tuple[datetime, float]]:
    """Of the days up to yesterday."""
    return [(NOON - (len(counts) - i) * DAY, n) for i, n in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((100, 100, 100, 100, 30), ["30 rows in a window, 30% of the median of those before"]),
        ((100, 100, 100, 100, 70), []),
        ((100, 100, 100, 30), []),
        ((100, 0, 100, 100, 100, 0), ["0 rows in a window, 0% of the median of those before"]),
        ((100, 100, 100, 100, 300, 300), ["300 rows in a window, 300% of the median of those before"]),
        ((100, 100, 100, 100, 30, 100, 100, 100), []),
    ],
)
def test_the_volume_is_compared_with_the_median_before(counts: tuple[float, ...], told: list[str]) -> None:
    assert [text for _, text in said(Facts(rows=rows(*counts)))] == told
    assert said(Facts(rows=rows(*counts)), Kind.SERVICE) == [], "that is what such an incident is about"


def test_columns_that_are_missing_or_of_another_type_of_late() -> None:
    found = [ColumnRate(NOON - n * DAY, c, m, v) for n, c, m, v in (
        (3, "age", "missing_rate", 0.0), (3, "plan", "type_error_rate", 0.0), (3, "old", "missing_rate", 0.9),
        (1, "age", "missing_rate", 0.6), (1, "plan", "type_error_rate", 0.1), (1, "old", "missing_rate", 0.9),
    )]  # fmt: skip
    assert said(Facts(columns=found)) == [("schema", "age is missing in 60% of the rows, 0% in the window before")]
    assert said(Facts(columns=found), Kind.QUALITY) == []


def test_a_sampling_rate_that_is_new() -> None:
    assert said(Facts(rates=[(NOON - HOUR, 0.1)])) == [], "nobody knows what it was before"
    changed = Facts(rates=[(NOON - 3 * DAY, 1.0), (NOON - HOUR, 0.1)])
    assert said(changed) == [("sampling", "rows came at the sampling rate 0.1, before at 1")]


@given(st.lists(st.tuples(st.integers(-100, 0), st.text("ab", min_size=1, max_size=3)), max_size=30, unique=True))
def test_the_latest_come_first_and_no_more_than_an_opening_takes(found: list[tuple[int, str]]) -> None:
    known = Facts(versions=[(NOON + h * HOUR, name) for h, name in found])
    changes = before(known, Kind.DRIFT, SINCE)
    assert [c.at for c in changes] == sorted((c.at for c in changes), reverse=True)
    assert len(changes) == min(MOST_SAID, sum(NOON + h * HOUR >= SINCE for h, _ in found))
    assert all(c.at >= SINCE and c.kind is ChangeKind.VERSION and c.version for c in changes)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    with writing(engine) as connection:
        yield connection
    engine.dispose()


def serve(db: Connection, at: datetime, version: str, role: str = "champion", rate: float = 1.0) -> None:
    stratum = Stratum(to_micros(at), version, role, rate)
    summaries.merge(db, 1, "predictions", {stratum: Summary.zero()}, {stratum: 5})


def test_a_version_counts_from_its_first_serving_bucket(db: Connection) -> None:
    model = models.create(db, "m", 1)
    serve(db, NOON - 30 * DAY, "v1")
    serve(db, NOON - 29 * DAY, "v2")
    serve(db, NOON - DAY, "shadow", role="challenger")
    for hours in (5, 4, 3):
        for version in ("v1", "v2", "v3"):
            serve(db, NOON - hours * HOUR, version)
    serve(db, NOON + HOUR, "v4")
    found = facts(db, model, "drift/86400s", to_micros(SINCE), to_micros(NOON))
    assert found.versions == [(NOON - 5 * HOUR, "v3")]


def test_a_model_that_has_just_begun_has_no_new_version(db: Connection) -> None:
    model = models.create(db, "m", 1)
    serve(db, NOON - 5 * HOUR, "v1")
    serve(db, NOON - 5 * HOUR, "v2", rate=0.5)
    serve(db, NOON - 4 * HOUR, "v1", rate=0.5)
    found = facts(db, model, "drift/86400s", to_micros(SINCE), to_micros(NOON))
    assert found.versions == []
    assert {rate for _, rate in found.rates} == {1.0, 0.5}


def test_references_are_noted_with_their_declaration_and_the_latest_alone_are_kept(db: Connection) -> None:
    model = models.create(db, "m", 1)
    for seq in range(models.MOST_SEEN + 5):
        model.clock = 100 + seq
        model.see_reference(seq, 1, received_at=200)
    models.save(db, model)
    again = models.load(db, "m")
    assert again is not None
    assert again.seen is not None
    assert len(again.seen) == models.MOST_SEEN
    assert again.seen[-1] == [200, models.MOST_SEEN + 4, 1]
