"""How many decisions were made while a breach lasted: the rows, counted one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from detectors.summaries.summary import Summary
from incidents.commands import Open, Recover, Resolve
from incidents.events import Actor, ActorKind
from incidents.incident import Incident, apply, replay
from incidents.machine import decide
from incidents.verdict import Evidence, Fingerprint, Kind, Severity
from monitor.database import open_database, writing
from monitor.fold.strata import Stratum
from monitor.store import models, summaries, tables
from monitor.store.models import ModelState
from monitor.times import to_micros
from monitor.views import blast

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 7, 6, tzinfo=UTC)
RULE, ANA = Actor("vigil", ActorKind.RULE), Actor("ana", ActorKind.PERSON)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    with writing(engine) as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def model(db: Connection) -> ModelState:
    """Ten decisions each hour of ten days, one of them by a shadow."""
    found = models.create(db, "m", 1)
    for hour in range(240):
        for role, n in (("champion", 9), ("challenger", 1)):
            stratum = Stratum(to_micros(MONDAY + hour * HOUR), "v1", role)
            summaries.merge(db, 1, "predictions", {stratum: Summary.zero()}, {stratum: n})
    found.last_prediction = to_micros(MONDAY + 10 * DAY - timedelta(minutes=1))
    return found


def breach(first: int, second: int) -> Incident:
    """Breached on two days; it opens on the second."""
    start = MONDAY + second * DAY
    command = Open(Fingerprint("m", Kind.DRIFT), Severity.WARNING, "drift", MONDAY + (first + 1) * DAY,
                   Evidence(start, start + DAY, ""))  # fmt: skip
    return replay(decide(None, command, RULE, start + DAY).events)


def told(incident: Incident, command: Recover | Resolve, actor: Actor = RULE) -> Incident:
    for event in decide(incident, command, actor, MONDAY + 9 * DAY).events:
        incident = apply(incident, event)
    return incident


def test_from_the_first_breached_window_to_the_first_clean_one(db: Connection, model: ModelState) -> None:
    incident = told(breach(2, 4), Recover(MONDAY + 7 * DAY))       # clean is the day from 6 to 7
    found = blast(db, model, incident)
    assert found is not None
    assert (found.start, found.end, found.over) == (MONDAY + 2 * DAY, MONDAY + 6 * DAY, True)
    assert found.decisions == found.sent == 4 * 24 * 9
    assert found.text == "864 decisions were made while it lasted."


def test_while_it_lasts_every_decision_since(db: Connection, model: ModelState) -> None:
    found = blast(db, model, breach(2, 3))
    assert found is not None
    assert found.decisions == 8 * 24 * 9
    assert found.text == "1,728 decisions were made since it began."


def test_resolved_by_a_person_it_ends_with_the_last_breach_that_was_seen(db: Connection, model: ModelState) -> None:
    found = blast(db, model, told(breach(2, 3), Resolve(), ANA))
    assert found is not None
    assert found.over
    assert found.decisions == 2 * 24 * 9


def test_sampled_rows_stand_for_all_there_were(db: Connection, model: ModelState) -> None:
    stratum = Stratum(to_micros(MONDAY + 2 * DAY), "v1", "champion", 0.25)
    summaries.merge(db, 1, "predictions", {stratum: Summary.zero()}, {stratum: 10})
    found = blast(db, model, told(breach(2, 2), Resolve(), ANA))
    assert found is not None
    assert (found.decisions, found.sent) == (24 * 9 + 40, 24 * 9 + 10)
    assert "estimated from the 226 that were sent" in found.text


def test_without_a_window_nobody_knows(db: Connection, model: ModelState) -> None:
    assert blast(db, model, replace(breach(2, 3), evidence=())) is None
