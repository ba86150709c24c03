"""A rebuild takes many steps: what each reads is bounded, and whoever asks between them changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from databases import Deployment
from rebuilds import MODEL, Rebuilds, rows
from state import differing

from incidents.commands import Acknowledge, Comment, command_to_json
from incidents.events import Actor, ActorKind
from incidents.incident import State
from incidents.machine import DecisionReason
from monitor.access import Principal
from monitor.errors import BeingRebuilt, NotFound
from monitor.log.port import Segment
from monitor.worker import loop
from monitor.worker.commands import Reason, Recorded

DAILY = {"grain": "1d", "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"}}
NUMERIC = {"features": {"x": "numeric"}}
ANA = Actor("ana", ActorKind.PERSON)
PERSON = Principal("ana", "person", frozenset({"operate"}), None)


@pytest.fixture
def small(deployment: Deployment, clock: Any) -> Iterator[Rebuilds]:
    found = Rebuilds(deployment, clock)
    yield found
    found.vigil.stop()


@pytest.fixture
def before(small: Rebuilds, clock: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the state was, with a drift and a comment on it; now a rebuild has come so far that ticks and commands of
    later days still wait."""
    small.begin(**NUMERIC, **DAILY)
    for day in range(6):
        start, shift = clock.at, 0 if day < 3 else 30
        clock.move(days=1)
        small.send("predictions", rows(start + timedelta(hours=1), 150, lambda i, by=shift: i + by, 1_000 * day))
        small.fold()
        clock.move(minutes=10)
        small.vigil.worker.tick(MODEL)
    assert comment(small, "one") is DecisionReason.DONE
    found = small.contents
    small.lose()
    with monkeypatch.context() as slow:
        slow.setattr(loop, "SEGMENTS_A_READ", 2)
        small.vigil.worker.step(MODEL)
    return found


def comment(small: Rebuilds, text: str, incident: str | None = None) -> Reason:
    return small.vigil.worker.command(MODEL, incident or small.incident, command_to_json(Comment(text)), ANA)


@pytest.mark.both_databases
def test_a_clock_that_is_read_during_a_rebuild_skips_nothing(small: Rebuilds, before: dict[str, list[str]]) -> None:
    ticks, tick_cursor = small.vigil.log.ticks(MODEL), small.state.tick_cursor
    assert len(ticks) > 3
    assert small.state.cursor < ticks[-1].after_seq, "some wait"
    assert not small.vigil.worker.tick(MODEL)
    assert small.state.tick_cursor == tick_cursor
    assert small.vigil.log.ticks(MODEL) == ticks
    small.fold()
    assert differing(before, small.contents) == {}
    assert small.vigil.log.ticks(MODEL) == ticks


@pytest.mark.both_databases
def test_a_command_during_a_rebuild_is_recorded_and_taken_where_it_stands(
    small: Rebuilds, before: dict[str, list[str]]
) -> None:
    (incident,) = {c.incident for c in small.vigil.log.commands(MODEL)}
    with pytest.raises(BeingRebuilt, match="are being made again"):
        small.vigil.incident(incident)
    with pytest.raises(NotFound):
        small.vigil.incident("i_any")
    assert small.vigil.command(incident, Acknowledge("two"), PERSON) == (None, Recorded.RECORDED)
    small.fold()
    after = small.contents
    assert differing(before, after).keys() == {"incidents", "incident_events", "models"}
    assert small.vigil.incident(incident).state is State.ACKNOWLEDGED
    assert comment(small, "three") is DecisionReason.DONE
    after = small.contents
    small.lose()
    assert small.vigil.command(incident, Comment("four"), PERSON) == (None, Recorded.RECORDED), "nothing is there"
    small.fold()
    again = small.contents
    told = [json.loads(e)["body"]["data"].get("text") for e in set(again["incident_events"])
            - set(after["incident_events"])]  # fmt: skip
    assert told == ["four"]
    small.lose()
    small.fold()
    assert differing(again, small.contents) == {}


@pytest.mark.both_databases
def test_the_log_reads_on_until_it_has_so_many_rows(small: Rebuilds) -> None:
    small.begin(**NUMERIC)
    for i, n in enumerate((2, 2, 30, 2)):
        small.send("predictions", rows(small.clock.at - timedelta(hours=1), n, first=100 * i))
    read, reference = small.vigil.log.read, small.state.cursor

    def held(most: int, after: int = reference) -> list[int]:
        return [s.rows for s in read(MODEL, after, 10, most)]

    assert held(1) == held(2) == [2]
    assert held(3) == held(4) == [2, 2]
    assert held(5) == held(34) == [2, 2, 30]
    assert held(35) == held(1_000) == [2, 2, 30, 2]
    assert held(10, after=read(MODEL, reference, 2)[-1].seq) == [30], "one is read however large it is"


def test_a_step_reads_no_more_rows_than_it_folds(
    small: Rebuilds, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.begin(**NUMERIC)
    for i in range(6):
        small.send("predictions", rows(clock.at - timedelta(hours=1), 5, first=5 * i))
    read, held = small.vigil.log.read, list[int]()

    def noted(*asked: Any) -> list[Segment]:
        found = read(*asked)
        held.append(sum(s.rows for s in found))
        return found

    monkeypatch.setattr(small.vigil.log, "read", noted)
    monkeypatch.setattr(loop, "ROWS_A_COMMIT", 8)
    small.fold()
    assert max(held) == 10
