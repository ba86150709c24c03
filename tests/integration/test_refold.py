"""A new reference folds the whole log anew: keys are written now and then, and what comes of it is the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from databases import Deployment
from rebuilds import Rebuilds, outcomes, rows
from state import differing

from monitor.store.keys.runs import Runs
from monitor.worker import loop

NUMERIC = {"features": {"x": "numeric"}}
SEGMENTS, ROWS = 8, 6


@pytest.fixture
def small(deployment: Deployment, clock: Any) -> Iterator[Rebuilds]:
    found = Rebuilds(deployment, clock)
    yield found
    found.vigil.stop()


def fill(small: Rebuilds, clock: Any) -> None:
    """Segments of one batch each: half of each one's ids were in the one before, whose outcomes come in between."""
    small.begin(**NUMERIC)
    for i in range(SEGMENTS):
        clock.move(minutes=1)
        small.send("predictions", rows(clock.at - timedelta(hours=2), ROWS, first=i * ROWS // 2))
        small.send("outcomes", outcomes(clock.at - timedelta(minutes=30), i % 2, *range(i * 3, i * 3 + 2)))
    small.fold()


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs were held unwritten at each time that some were added."""
    add, held = Runs.add, list[int]()

    def noted(runs: Runs, *added: Any) -> None:
        add(runs, *added)
        held.append(len(runs.new))

    monkeypatch.setattr(Runs, "add", noted)
    return held


@pytest.mark.both_databases
@pytest.mark.parametrize("limit", ["segments", "rows"])
def test_a_refold_holds_few_keys_unwritten_and_finds_all_that_it_wrote(
    small: Rebuilds, clock: Any, unwritten: list[int], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small, clock)
    clock.move(minutes=1)
    small.send_reference(lambda i: i + 0.5)
    unwritten.clear()
    monkeypatch.setattr(loop, *(("UNWRITTEN", 4) if limit == "segments" else ("ROWS_A_COMMIT", 4 * (ROWS + 2) // 2)))
    small.fold()
    assert len(unwritten) == 2 * SEGMENTS, "all were folded anew"
    assert max(unwritten) in (2, 3), "some together, and never all of them"
    flushed = small.contents
    counts = small.state.counts
    assert counts is not None
    assert counts["predictions"] == (SEGMENTS + 1) * ROWS // 2
    assert counts.get("duplicates", 0) + counts.get("conflicts", 0) == (SEGMENTS - 1) * ROWS // 2
    monkeypatch.undo()
    small.lose()
    small.fold()
    assert differing(flushed, small.contents) == {}
