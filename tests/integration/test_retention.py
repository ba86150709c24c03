"""Retention: what is too old goes, while ingest runs, and the state is still what the log and the seal make of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import Deployment
from inprocess import declare, fold, open_vigil
from sqlalchemy import func, select
from state import EXACT, contents, differing, kept_rows

from incidents.commands import Comment
from monitor.access import Principal
from monitor.app import App
from monitor.database import reading
from monitor.errors import Conflict
from monitor.log import cuts, seals
from monitor.log.tables import rejects, segments
from monitor.queries import batch_result, window_data
from monitor.store import lists
from monitor.store.lists import Filter
from monitor.store.tables import key_rows
from monitor.worker.keeping import Keeper
from monitor.worker.retention import Ages, Retention
from monitor.worker.sealing import Stopped

PERSON = Principal("ana", "person", frozenset({"operate"}), None)
ALL = (*EXACT, "models", "folded", "halves", "refusals")
AGES = Ages(timedelta(days=8), timedelta(days=2), timedelta(days=60), timedelta(days=10))
DECLARED = {
    "model": "small",
    "task": "binary_classification",
    "features": {"x": "numeric", "k": "categorical"},
    "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}},
    "grain": "1d",
    "label_delay": "3d",
    "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"},
}


@dataclass
class Days:
    """A small model that is sent to day by day, with a clock that the days move."""

    at: datetime = datetime(2026, 3, 2, tzinfo=UTC)
    number: int = 0
    clock: str = "wall"
    vigil: App = field(init=False)

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, days: int, shift: float = 0.0) -> None:
        """Days, each with predictions, with outcomes of the day before, and a row sent twice."""
        for _ in range(days):
            n, start = self.number, self.at
            rows = [_prediction(f"p{n}-{i}", start, i, shift) for i in range(120)]
            again = [_prediction(f"p{n - 1}-{i}", start - timedelta(days=1), i, shift) for i in range(2)]
            self.at += timedelta(days=1)
            _send(self.vigil, "predictions", [*rows, *again], self.clock)
            if n:
                outcomes = [_outcome(f"p{n - 1}-{i}", self.at, i) for i in range(120)]
                _send(self.vigil, "outcomes", outcomes, self.clock)
            self.number += 1
            fold(self.vigil, "small")
            self.vigil.worker.tick("small")


@pytest.fixture
def days(deployment: Deployment) -> Days:
    return started(deployment)


def started(deployment: Deployment) -> Days:
    found = Days()
    found.vigil = open_vigil(deployment, found)
    declare(found.vigil, json.dumps(DECLARED).encode())
    start = found.at - timedelta(days=30)
    rows = [{**_prediction(f"r{i}", start, i, 0.0), "actual_label": int(i % 10 > 4)} for i in range(400)]
    _send(found.vigil, "reference", rows)
    return found


@pytest.mark.both_databases
def test_a_state_made_again_from_a_seal_is_the_same(deployment: Deployment, days: Days) -> None:
    days.pass_by(4)
    days.pass_by(6, shift=4.0)
    for incident in days.vigil.ask(lambda db: [i.id for i in lists.bodies(db, Filter(state="live"))]):
        days.vigil.command(incident, Comment("seen"), PERSON)
    retention(days).keeper.seal("small")
    days.pass_by(3)
    first = contents(days.vigil.state, ALL)
    assert any("Drift in x" in i for i in first["incident_events"])
    again = remade(deployment, days)
    assert differing(first, again) == {}
    days.pass_by(3)
    retention(days).keeper.seal("small")      # what changed since is all that is written anew
    first = contents(days.vigil.state, ALL)
    assert differing(first, remade(deployment, days)) == {}


@pytest.mark.both_databases
def test_what_is_too_old_goes_and_the_rest_stays_as_it_was(deployment: Deployment, days: Days) -> None:
    days.pass_by(12)
    before, points = contents(days.vigil.state, ALL), count(days, segments)
    went = retention(days).run("small")
    assert went["rows"] > 2 * 240
    assert went["protected_segments"] > 0
    assert count(days, segments) < points
    after = contents(days.vigil.state, ALL)
    assert {name for name in after if after[name] != before[name]} == {"kept", "models"}, "counts and points stay"
    blind = blind_upto(days)
    assert blind > 0
    told = {(row["seq"] <= blind, row["digest"] == 0, row["group1"] == 0) for row in entries(days)}
    assert told == {(True, True, True), (False, False, False)}
    days.pass_by(2)
    after = contents(days.vigil.state, ALL)
    assert same_but_places(after, remade(deployment, days)) == {}
    assert retention(days).run("small").get("rows", 0) == 2 * 242


def test_a_commit_of_the_state_that_fails_is_made_up_for(
    deployment: Deployment, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's part is durable before the state's: what the log says was cut is cut from the state the next time."""
    days.pass_by(10)
    days.at += timedelta(days=65)
    days.pass_by(1)
    with monkeypatch.context() as patch:
        patch.setattr("monitor.worker.retention.models.save", broken)
        with pytest.raises(OSError, match="power"):
            retention(days).run("small")
    assert contents(days.vigil.state, ("summaries",))["summaries"]
    retention(days).run("small")
    found = contents(days.vigil.state, ALL)
    assert len(found["summaries"]) < 3
    assert same_but_places(found, remade(deployment, days)) == {}


def test_a_replay_is_cut_by_its_arrival(deployment: Deployment, days: Days) -> None:
    days.clock = "event"
    days.pass_by(12)
    before = contents(days.vigil.state, ALL)
    assert retention(days).run("small")["rows"] > 2 * 240
    after = contents(days.vigil.state, ALL)
    assert {name for name in after if after[name] != before[name]} == {"kept", "models"}
    days.pass_by(2)
    after = contents(days.vigil.state, ALL)
    assert same_but_places(after, remade(deployment, days)) == {}


def test_a_cut_that_is_broken_off_is_taken_up_again(deployment: Deployment, days: Days) -> None:
    days.pass_by(12)
    for steps in (0, 2, 8):
        some = retention(days)
        some.keeper.pause = stops_after(steps)     # type: ignore[method-assign]
        try:
            some.run("small")
        except Stopped:
            assert differing_counts(days, remade(deployment, days)) == {}
    retention(days).run("small")
    found = contents(days.vigil.state, ALL)
    assert same_but_places(found, remade(deployment, days)) == {}


def test_a_new_reference_after_a_cut_keeps_the_points_that_were_measured(deployment: Deployment, days: Days) -> None:
    days.pass_by(12)
    retention(days).run("small")
    before = contents(days.vigil.state, ("points",))["points"]
    start = days.at - timedelta(days=30)
    rows = [{**_prediction(f"s{i}", start, i, 0.1), "actual_label": int(i % 10 > 4)} for i in range(400)]
    _send(days.vigil, "reference", rows)
    fold(days.vigil, "small")
    days.pass_by(1)
    state = days.vigil.model_state("small")
    assert state is not None
    with reading(days.vigil.log.engine) as db:
        cut_to = cuts.find(db, "small").cut_to
    assert state.measured_from >= cut_to > 0
    after = {p["id"]: p for p in map(json.loads, contents(days.vigil.state, ("points",))["points"])}
    for point in map(json.loads, before):
        kept = after[point["id"]]
        if point["start"] < state.measured_from:
            assert kept == point, "nothing that was cut is measured anew"
    watch = days.vigil.worker.watch(state)
    with pytest.raises(Conflict, match="cut by retention"):
        days.vigil.ask(window_data, state, watch, state.measured_from - 86_400_000_000, state.measured_from)
    retention(days).run("small")
    found = contents(days.vigil.state, ALL)
    assert same_but_places(found, remade(deployment, days)) == {}


def test_a_state_that_lags_behind_its_seal_is_made_again(deployment: Deployment, days: Days) -> None:
    days.pass_by(8)
    old = days.vigil.model_state("small")
    assert old is not None
    days.pass_by(3)
    retention(days).run("small")
    with reading(days.vigil.log.engine) as db:
        seal = seals.find(db, "small")
    assert seal is not None
    found = contents(days.vigil.state, ALL)
    with days.vigil.state.begin() as db:       # as if the last commits had been lost in a power cut
        db.exec_driver_sql(f"UPDATE models SET cursor = {old.cursor}")
    fold(days.vigil, "small")
    assert same_but_places(found, contents(days.vigil.state, ALL)) == {}


def test_rejects_summaries_and_batches_go_by_their_own_ages(deployment: Deployment, days: Days) -> None:
    first = _send(days.vigil, "predictions", [_prediction("a", days.at, 0, 0.0), {"prediction_id": "b"}])
    fold(days.vigil, "small")
    days.pass_by(1)
    days.at += timedelta(days=11)
    days.pass_by(1)
    assert retention(days).run("small")["rejects"] == 1
    assert count(days, rejects) == 0
    days.at += timedelta(days=15)
    days.pass_by(1)
    retention(days).run("small")
    told = days.vigil.log.batch(first)
    assert told is not None
    assert (told["rows"], told["there"]) == (1, False)
    assert days.vigil.ask(batch_result, first) is not None
    days.at += timedelta(days=60)
    days.pass_by(1)
    retention(days).run("small")
    assert days.vigil.log.batch(first) is None
    assert days.vigil.ask(batch_result, first) is None
    found = contents(days.vigil.state, ALL)
    assert len(found["summaries"]) < 4
    assert same_but_places(found, remade(deployment, days)) == {}


@pytest.mark.both_databases
def test_what_comes_while_it_is_cut_is_counted_as_ever(tmp_path: Path, deployment: Deployment, days: Days) -> None:
    """Ingest and fold on one thread, retention on another; the other Vigil keeps everything."""
    undisturbed = started(Deployment(tmp_path / "undisturbed"))
    undisturbed.pass_by(14)
    sender = threading.Thread(target=days.pass_by, args=(14,))
    sender.start()
    cut: Counter[str] = Counter()
    some = retention(days)
    while sender.is_alive():
        cut.update(some.run("small"))
    cut.update(some.run("small"))
    assert cut["rows"] > 2 * 240
    names = tuple(name for name in ALL if name not in ("kept", "models", "folded", "refusals"))
    assert differing(contents(undisturbed.vigil.state, names), contents(days.vigil.state, names)) == {}
    undisturbed.vigil.stop()
    found = contents(days.vigil.state, ALL)
    assert same_but_places(found, remade(deployment, days)) == {}


def test_of_two_that_keep_house_one_waits(days: Days) -> None:
    days.pass_by(12)
    one, other = retention(days), retention(days)
    with one.keeper.holding("small") as mine:
        assert mine
        assert other.run("small") == {}
        assert not any(other.keeper._held)
        days.at += timedelta(minutes=2)     # as if it had been killed
        assert other.run("small")["rows"] > 0
        with pytest.raises(Stopped, match="another process"), other.keeper.holding("small"):
            one.keeper.pause()
    assert one.run("small") == {}


def test_on_postgresql_whole_days_are_dropped(on_postgres: Deployment) -> None:
    days = started(on_postgres)
    days.pass_by(12)
    some = retention(days)
    with reading(days.vigil.log.engine) as backup:      # nobody waits for it
        backup.execute(select(func.count()).select_from(segments))
        assert some.drop_days(["small"]) == 0
    assert some.drop_days(["small"]) > 4
    some.run("small")
    found = contents(days.vigil.state, ALL)
    assert same_but_places(found, remade(on_postgres, days)) == {}


def retention(days: Days) -> Retention:
    return Retention(Keeper(days.vigil.worker), AGES)


def broken(*_: Any) -> None:
    raise OSError("the power is gone")


def stops_after(steps: int) -> Callable[[], None]:
    left = [steps]

    def pause() -> None:
        if not left[0]:
            raise Stopped("stopped")
        left[0] -= 1

    return pause


def remade(deployment: Deployment, days: Days) -> dict[str, list[str]]:
    """The state made again from seal and log, after all of it is gone; the model goes on from there."""
    days.vigil.stop()
    deployment.drop_state()
    days.vigil = open_vigil(deployment, days)
    fold(days.vigil, "small")
    return contents(days.vigil.state, ALL)


def same_but_places(a: dict[str, list[str]], b: dict[str, list[str]]) -> dict[str, Any]:
    """What differs, whatever number the first row under an id has."""
    return differing(a | {"kept": placed(a["kept"])}, b | {"kept": placed(b["kept"])})


def placed(kept: list[str]) -> list[str]:
    rows = sorted((r["kind"], r["place"], r) for r in map(json.loads, kept) if r["id"])
    return [json.dumps({k: v for k, v in r.items() if k != "place"}, sort_keys=True) for _, _, r in rows]


def differing_counts(days: Days, again: dict[str, list[str]]) -> dict[str, Any]:
    """Nothing that was measured or counted is touched by a cut that was broken off."""
    names = ("summaries", "points", "verdicts", "incidents", "incident_events", "windows", "folded")
    found = contents(days.vigil.state, names)
    return differing(found, {name: again[name] for name in names})


def entries(days: Days) -> list[dict[str, Any]]:
    with reading(days.vigil.state) as db:
        found = db.execute(select(key_rows.c.data).where(key_rows.c.kind == "entries")).scalars()
        return [row for data in found for row in kept_rows(data)]


def blind_upto(days: Days) -> int:
    with reading(days.vigil.log.engine) as db:
        return cuts.find(db, "small").blind_upto


def count(days: Days, table: Any) -> int:
    with reading(days.vigil.log.engine) as db:
        return int(db.execute(select(func.count()).select_from(table)).scalar_one())


def _send(vigil: App, kind: str, rows: list[dict[str, Any]], clock: str = "wall") -> str:
    body = json.dumps(rows).encode()
    taken = vigil.intake.take("small", kind, "application/json", body, {"clock": clock}, None)  # type: ignore[arg-type]
    return asyncio.run(taken).batch_id


def _prediction(id_: str, start: datetime, i: int, shift: float) -> dict[str, Any]:
    return {
        "prediction_id": id_,
        "timestamp": (start + timedelta(minutes=i)).isoformat(),
        "features": {"x": (i * 7 % 40) / 10 + shift, "k": "ab"[i % 2]},
        "prediction_score": (i * 3 % 10) / 10,
        "protected": {"sex": "fm"[i // 2 % 2]},
        "subject_key": f"person-{i % 20}",
    }


def _outcome(id_: str, at: datetime, i: int) -> dict[str, Any]:
    return {"prediction_id": id_, "timestamp": (at - timedelta(hours=1)).isoformat(), "actual_label": int(i % 10 > 4)}
