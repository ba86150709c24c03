"""Lists of incidents: rights and filters before the cut, each once over all pages, and cursors that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from incidents.care import Merge
from incidents.commands import Acknowledge, Assign, Open, Reopen, Resolve, command_to_json
from incidents.events import Actor, ActorKind
from incidents.machine import decide
from incidents.notices import Origin
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.errors import InvalidInput
from monitor.log.port import Command
from monitor.store import incidents, lists, models
from monitor.store.lists import Filter, Sort
from monitor.store.tables import metadata
from monitor.times import to_micros
from monitor.worker.commands import carry_out

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ANA = Actor("ana", ActorKind.PERSON)
NAMES = ("churn", "fraud")


class Desk:
    """Incidents of two models, made by commands."""

    def __init__(self, db: Connection) -> None:
        self.db, self.seq = db, 0
        for number, name in enumerate(NAMES, 1):
            models.create(db, name, number)

    def open(self, model: str, at: int, severity: Severity = Severity.WARNING, key: str | None = None) -> str:
        fingerprint, when = Fingerprint(model, Kind.SERVICE, key=key or f"k{at}"), NOW + timedelta(minutes=at)
        decision = decide(None, Open(fingerprint, severity, f"number {at}", when), ANA, when)
        made = incidents.record(self.db, NAMES.index(model) + 1, None, decision.events, self._origin())
        assert made is not None
        return made.id

    def ask(self, incident: str, command: Resolve | Assign | Acknowledge, at: int) -> None:
        found = incidents.find(self.db, incident)
        decision = decide(found, command, ANA, NOW + timedelta(minutes=at))
        assert found is not None
        incidents.record(self.db, NAMES.index(found.fingerprint.model) + 1, found, decision.events, self._origin())

    def carry_out(self, incident: str, command: Merge | Reopen, at: int) -> str:
        self._origin()
        state = models.load(self.db, "churn")
        assert state is not None
        when = to_micros(NOW + timedelta(minutes=at))
        who = {"id": "ana", "kind": "person"}
        asked = Command("churn", 0, 0, when, who, incident, command_to_json(command), self.seq)
        return carry_out(self.db, state, asked).value

    def _origin(self) -> Origin:
        self.seq += 1
        return Origin("command", self.seq)


@contextmanager
def desk() -> Iterator[Desk]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as db:
        yield Desk(db)
    engine.dispose()


def test_rights_and_filters_come_before_the_cut_and_the_count() -> None:
    with desk() as d:
        for at in range(30):
            d.open("fraud", at, Severity.CRITICAL)
        mine = d.open("churn", 0)
        d.ask(mine, Assign("bo"), 1)
        for which in (Filter(frozenset({"churn"})), Filter(owner="bo"), Filter(severity="warning"),
                      Filter(frozenset({"churn", "no_such"}), "live", kind="service")):  # fmt: skip
            assert [i.id for i in lists.page(d.db, which, 1).items] == [mine]
            assert lists.page(d.db, which, 1).after is None
            assert [i.id for i in lists.bodies(d.db, which)] == [mine]
            assert lists.count(d.db, which) == 1
            assert lists.count_by_model(d.db, which) == {"churn": 1}
        nothing = Filter(frozenset())
        assert (lists.page(d.db, nothing, 5).items, lists.count(d.db, nothing)) == ([], 0)
        assert lists.count_by_model(d.db, Filter()) == {"churn": 1, "fraud": 30}
        assert lists.count(d.db, Filter(kind="drift")) == 0


def test_what_a_list_shows_is_what_the_incident_says() -> None:
    with desk() as d:
        id_ = d.open("churn", 0)
        d.ask(id_, Assign("bo"), 1)
        d.ask(id_, Resolve(), 2)
        (shown,), whole = lists.page(d.db, Filter(), 5).items, incidents.find(d.db, id_)
        assert whole is not None
        for name in ("id", "fingerprint", "state", "severity", "title", "clock", "started_at", "opened_at",
                     "updated_at", "resolved_at", "assignee", "disposition", "merged_into"):  # fmt: skip
            assert getattr(shown, name) == getattr(whole, name), name
        assert lists.whole(d.db, Filter(), 5).items == [whole]


@settings(max_examples=30)
@given(
    made=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 5), st.sampled_from(Severity), st.booleans()),
                  max_size=14),
    limit=st.integers(1, 7), sort=st.sampled_from(Sort), only=st.booleans(),
)  # fmt: skip
def test_pages_hold_each_once_in_the_order_of_the_whole_list(
    made: list[tuple[str, int, Severity, bool]], limit: int, sort: Sort, only: bool
) -> None:
    which = Filter(frozenset({"churn"}) if only else None)
    with desk() as d:
        for number, (model, at, severity, over) in enumerate(made):
            id_ = d.open(model, at, severity, f"k{number}")
            if over:
                d.ask(id_, Resolve(), at + 1)
        found, after = list[lists.Listed](), None
        while True:
            page = lists.page(d.db, which, limit, sort, after)
            found += page.items
            if page.after is None:
                break
            assert len(page.items) == limit
            after = page.after

        def urgency(i: lists.Listed) -> tuple[object, ...]:
            live, age = i.state in ("open", "acknowledged"), i.opened_at.timestamp()
            return (not live, -age, i.id) if sort is Sort.LATEST else (not live, -i.severity.rank, age, i.id)

        assert [i.id for i in found] == [i.id for i in sorted(found, key=urgency)]
        assert {i.id for i in found} == {i.id for i in lists.bodies(d.db, which)}
        assert len(found) == lists.count(d.db, which) == sum(lists.count_by_model(d.db, which).values())


@pytest.mark.parametrize("after", ["", "x", "1", "1.2", "1.two.inc_a", f"1.{2**63}.two", "1.2.3.4.5"])
def test_a_place_that_no_page_gave_is_refused_or_an_id(after: str) -> None:
    with desk() as d:
        d.open("churn", 0)
        if after.count(".") < 2 or "two" in after:
            with pytest.raises(InvalidInput, match="'after' is no place in this list"):
                lists.page(d.db, Filter(), 5, Sort.LATEST, after)
        else:
            assert len(lists.page(d.db, Filter(), 5, Sort.LATEST, after).items) <= 1


def test_a_merge_hands_the_fingerprint_on_in_one_go() -> None:
    with desk() as d:
        source, target = d.open("churn", 0, key="a"), d.open("churn", 1, key="b")
        assert d.carry_out(source, Merge(target), 2) == "done"
        a, b = (Fingerprint("churn", Kind.SERVICE, key=key) for key in "ab")
        assert incidents.live(d.db, 1) == {a: frozenset({a, b}), b: frozenset({a, b})}
        assert [i.id for i in incidents.live_incidents(d.db, 1)] == [target]
        found = incidents.latest(d.db, a)
        assert found is not None
        assert found.id == target, "what breaches by the first goes to the second"
        d.ask(target, Resolve(), 3)
        assert incidents.live(d.db, 1) == {}
        found = incidents.latest(d.db, a)
        assert found is not None
        assert found.id == target, "and reopens it"
        assert d.carry_out(source, Merge(target), 4) == "already_merged"


def test_a_merge_that_cannot_be_changes_neither() -> None:
    with desk() as d:
        source, other, over = d.open("churn", 0), d.open("fraud", 1), d.open("churn", 2)
        d.ask(over, Resolve(), 3)
        before = list(lists.bodies(d.db, Filter()))
        assert d.carry_out(source, Merge(other), 4) == "not_mergeable"
        assert d.carry_out(source, Merge(over), 4) == "not_mergeable"
        assert d.carry_out(source, Merge("inc_none"), 4) == "no_such_incident"
        assert list(lists.bodies(d.db, Filter())) == before


def test_what_another_has_opened_by_since_is_not_reopened() -> None:
    with desk() as d:
        first = d.open("churn", 0, key="a")
        d.ask(first, Resolve(), 1)
        second = d.open("churn", 2, key="a")
        assert d.carry_out(first, Reopen(), 3) == "already_open"
        d.ask(second, Resolve(), 4)
        assert d.carry_out(first, Reopen(), 5) == "done"
