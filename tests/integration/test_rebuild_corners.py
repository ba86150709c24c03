"""Law 1 for groups: segments that are folded together give what they give one by one, whatever they hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from databases import Deployment
from events import KServe
from rebuilds import Rebuilds, Value, outcomes, rows
from sqlalchemy import Engine, event
from state import differing

from monitor.access import Principal
from monitor.store import summaries
from monitor.times import to_micros

NUMERIC = {"features": {"x": "numeric"}}
SOURCES = [
    {"kind": "kserve", "inferenceservice": "churn", "namespace": "prod", "component": "predictor",
     "version": "annotation:model_version", "columns": ["x"], "score": 0},
]  # fmt: skip
RETYPED: dict[str, tuple[Value, Value]] = {
    "a number, then a category": (float, lambda i: "abc"[i % 3]),
    "a category, then a number": (lambda i: "abc"[i % 3], float),
    "embeddings of two lengths": (lambda i: [i / 7, 1.0], lambda i: [i / 7, 1.0, i / 3]),
}


@pytest.fixture
def small(deployment: Deployment, clock: Any) -> Iterator[Rebuilds]:
    found = Rebuilds(deployment, clock)
    yield found
    found.vigil.stop()


@pytest.mark.parametrize("case", RETYPED)
def test_rows_that_were_typed_by_two_references_fold_together(case: str, small: Rebuilds, clock: Any) -> None:
    before, after = RETYPED[case]
    small.begin(before)
    clock.move(seconds=1)
    small.send_reference(after)
    small.send("predictions", rows(clock.at - timedelta(hours=1), 5, before, 1_000))    # it is not folded yet
    small.fold()
    clock.move(seconds=1)
    small.send("predictions", rows(clock.at - timedelta(hours=1), 5, after, 2_000))
    small.fold()
    one_by_one = small.contents
    small.lose()
    small.fold()
    assert small.state.counts
    assert small.state.counts["predictions"] == 10
    assert differing(one_by_one, small.contents) == {}


@pytest.mark.both_databases
def test_a_correction_beside_its_outcome_gives_what_it_gives_alone(small: Rebuilds, clock: Any) -> None:
    small.begin(**NUMERIC, streams=[{"stream": "error", "detector": "page_hinkley"}])
    small.send("predictions", rows(clock.at - timedelta(hours=1), 20))
    small.fold()
    for label, ids in ((0, range(20)), (1, range(20)), (0, ["orphan"]), (1, ["orphan"]), (0, range(5, 15))):
        clock.move(seconds=1)
        small.send("outcomes", outcomes(clock.at - timedelta(minutes=5), label, *ids))
        small.fold()
    one_by_one = small.contents
    assert small.state.counts
    assert small.state.counts["corrections"] == 31
    small.lose()
    small.fold()
    together = small.contents
    assert differing(one_by_one, together) == {}
    assert [json.loads(row)["counts"].get("joined", 0) for row in together["folded"]].count(20) == 1


@pytest.mark.both_databases
def test_a_backfill_of_many_buckets_asks_for_a_few_at_a_time(
    small: Rebuilds, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.begin(**NUMERIC)
    for first in (0, 1_000):        # the second time all buckets are there
        clock.move(seconds=1)
        sent = rows(clock.at, 40, first=first)
        small.send("predictions", [row | {"timestamp": _hours_before(clock.at, i)} for i, row in enumerate(sent)])
        small.fold()
    at_once = small.contents
    small.lose()
    monkeypatch.setattr(summaries, "MOST_BUCKETS", 7)
    named = _values_named(small.vigil.state)
    small.fold()
    assert 7 <= max(named) < 40
    assert differing(at_once, small.contents) == {}


def _hours_before(at: datetime, hours: int) -> str:
    return (at - timedelta(hours=hours + 1)).isoformat()


def _values_named(engine: Engine) -> list[int]:
    """How many values each question to the summaries names from now on."""
    found: list[int] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if not many and "SELECT" in statement and "summaries" in statement:
            found.append(len(parameters))

    event.listen(engine, "before_cursor_execute", note)
    return found


@pytest.mark.parametrize("kind", ["predictions", "outcomes", "events"])
def test_after_a_group_the_clock_stands_at_the_latest_arrival(kind: str, small: Rebuilds, clock: Any) -> None:
    small.begin(**NUMERIC, sources=SOURCES)
    start = clock.at
    for seconds in (10, 1_200, 600):        # as of two services whose clocks differ
        clock.at = start + timedelta(seconds=seconds)
        if kind == "predictions":
            small.send(kind, rows(start - timedelta(hours=1), 5, first=seconds))
        elif kind == "outcomes":
            small.send(kind, outcomes(start - timedelta(hours=1), 1, seconds))
        else:
            _send_event(small, f"r-{seconds}")
    small.fold()
    assert small.state.clock == to_micros(start + timedelta(seconds=1_200))


def _send_event(small: Rebuilds, id_: str) -> None:
    sent = KServe().request(id_, [[1.0]])
    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()]
    who = Principal("key", "machine", frozenset({"ingest"}), None)
    asyncio.run(small.vigil.events.take(headers, sent.body, who))
