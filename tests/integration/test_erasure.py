"""Erasure: what is held of a person goes from log, joins, halves and seal, and what was counted of many stays."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from databases import Deployment
from inprocess import declare, fold, open_vigil
from sqlalchemy import select
from state import EXACT, contents, differing

from monitor.app import App
from monitor.codecs.segment import from_ipc
from monitor.database import reading, writing
from monitor.log import erasures
from monitor.log.erasures import Erasure, Of
from monitor.log.tables import protected_segments, segments
from monitor.worker.erasing import Eraser, ask
from monitor.worker.keeping import Keeper
from monitor.worker.sealing import Stopped

ALL = (*EXACT, "models", "folded", "halves", "refusals")
WHO = "person-zerowing"
DECLARED = {
    "model": "small", "task": "binary_classification", "features": {"x": "numeric"}, "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}}, "grain": "1d",
}  # fmt: skip


def noon() -> datetime:
    return datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def vigil(deployment: Deployment) -> App:
    return started(deployment)


def started(deployment: Deployment) -> App:
    """A model with a reference and a batch of predictions; the person is in both, twice in the batch."""
    found = open_vigil(deployment, noon)
    declare(found, json.dumps(DECLARED).encode())
    send(found, "reference", [prediction(i, actual_label=i % 2, id=f"r{i}") for i in range(50)])
    send(found, "predictions", [prediction(i) for i in range(50)])
    send(found, "predictions", [prediction(0, model_version="v2"), prediction(7, model_version="v2")])
    send(found, "outcomes", [outcome(i) for i in range(40)])
    fold(found, "small")
    return found


@pytest.mark.both_databases
def test_a_person_goes_and_the_counts_stay(deployment: Deployment, vigil: App) -> None:
    before = contents(vigil.state, ALL)
    asked = erase(vigil, "subject", WHO)
    done = record(vigil)
    assert done.counts == {"reference": 2, "predictions": 3, "outcomes": 2}
    assert done.done_at is not None
    assert (done.by, done.reason) == ("ana", "request of 3 March")
    after = contents(vigil.state, ALL)
    assert {name for name in after if after[name] != before[name]} == {"kept"}
    assert len(alive(after)) == len(alive(before)) - 5
    assert WHO not in everything(vigil)
    assert '"p-zero"' not in json.dumps(after)
    assert asked.hash not in (WHO, "p-zero")
    again = remade(deployment, vigil)
    assert differing(after | {"kept": alive(after)}, again | {"kept": alive(again)}) == {}


def test_one_prediction_goes_with_its_outcome_though_it_never_came(vigil: App) -> None:
    send(vigil, "outcomes", [outcome(700)])
    fold(vigil, "small")
    erase(vigil, "prediction", "p700")
    erase(vigil, "prediction", "p3")
    counts = sorted((e.counts for e in in_log(vigil)), key=len)
    assert counts == [{"outcomes": 1}, {"predictions": 1, "outcomes": 1}]
    kept = json.dumps(alive(contents(vigil.state, ("kept",))))
    assert '"p700"' not in kept
    assert 'p3\\"' not in kept
    assert 'p4\\"' in kept


def test_what_comes_later_is_new(vigil: App) -> None:
    with_key = ask(Keeper(vigil.worker), "small", "subject", WHO, "ana", "a reason")
    send(vigil, "predictions", [prediction(0, id="later"), prediction(1, id="later1")])
    send(vigil, "outcomes", [outcome(0)])
    fold(vigil, "small")
    Eraser(vigil.keeper, "small").run()
    assert record(vigil).id == with_key.id
    assert "later" in everything(vigil)
    state = vigil.model_state("small")
    assert state is not None
    assert (state.counts or {})["duplicates"] == 1, "it came before the erasure was carried out"
    send(vigil, "outcomes", [outcome(0)])
    fold(vigil, "small")
    state = vigil.model_state("small")
    assert state is not None
    assert ((state.counts or {})["outcomes"], (state.counts or {})["orphans"]) == (41, 1), "nobody has its id any more"


def test_it_waits_for_the_fold(vigil: App) -> None:
    send(vigil, "predictions", [prediction(0, id="unfolded")])
    ask(vigil.keeper, "small", "subject", WHO, "ana", "a reason")
    assert Eraser(vigil.keeper, "small").run() == []
    fold(vigil, "small")
    assert [e.counts["predictions"] for e in (Eraser(vigil.keeper, "small").run(), in_log(vigil))[1]] == [4]


@pytest.mark.both_databases
def test_killed_between_any_two_steps_it_is_taken_up_again(
    deployment: Deployment, vigil: App
) -> None:
    ask(vigil.keeper, "small", "subject", WHO, "ana", "a reason")
    for steps in (1, 2, 5, 9, 12, 14, 15, 16, 40):
        left = [steps]

        class Breaking(Keeper):
            def pause(self) -> None:
                left[0] -= 1        # noqa: B023
                if not left[0]:     # noqa: B023
                    raise Stopped("killed")

        try:
            done = Eraser(Breaking(vigil.worker), "small").run()
        except Stopped:
            remade(deployment, vigil)
            continue
        assert len(done) == 1
        break
    assert steps > 5
    assert record(vigil).counts == {"reference": 2, "predictions": 3, "outcomes": 2}, "each row once, whatever befell"
    assert WHO not in everything(vigil)
    found = contents(vigil.state, ALL)
    again = remade(deployment, vigil)
    assert differing(found | {"kept": alive(found)}, again | {"kept": alive(again)}) == {}


def test_a_batch_tells_how_many_of_its_rows_were_erased(vigil: App) -> None:
    batch = send(vigil, "predictions", [prediction(0, id="last")])
    fold(vigil, "small")
    erase(vigil, "subject", WHO)
    told = vigil.log.batch(batch)
    assert told is not None
    assert (told["rows"], told["erased"], told["there"]) == (0, 1, False)


def test_the_list_erases_again_from_a_restored_copy(tmp_path: Path, vigil: App) -> None:
    erase(vigil, "subject", WHO)
    known = in_log(vigil)
    older = open_vigil(tmp_path / "restored", noon)        # a copy from before the erasure
    declare(older, json.dumps(DECLARED).encode())
    send(older, "reference", [prediction(i, actual_label=i % 2, id=f"r{i}") for i in range(50)])
    send(older, "predictions", [prediction(i) for i in range(50)])
    fold(older, "small")
    for _ in range(2):
        with writing(older.log.engine) as db:
            for erasure in known:
                erasures.ask_again(db, erasure)
        Eraser(older.keeper, "small").run()
        assert WHO not in everything(older)
        assert record(older).counts == {"reference": 2, "predictions": 2}
    older.stop()


def test_a_new_reference_after_an_erasure_counts_what_is_left(
    deployment: Deployment, vigil: App
) -> None:
    erase(vigil, "subject", WHO)
    send(vigil, "reference", [prediction(i, actual_label=i % 2, id=f"s{i}") for i in range(60)])
    fold(vigil, "small")
    state = vigil.model_state("small")
    assert state is not None
    assert (state.counts or {})["predictions"] == 52 - 3
    found = contents(vigil.state, ALL)
    again = remade(deployment, vigil)
    assert differing(found | {"kept": alive(found)}, again | {"kept": alive(again)}) == {}


def test_rows_that_wait_for_a_reference_go_too(deployment: Deployment) -> None:
    vigil = open_vigil(deployment, noon)
    declare(vigil, json.dumps(DECLARED).encode())
    send(vigil, "predictions", [prediction(i) for i in range(50)])
    fold(vigil, "small")
    erase(vigil, "subject", WHO)
    assert record(vigil).counts == {"predictions": 2}
    send(vigil, "reference", [prediction(i, actual_label=i % 2, id=f"r{i}") for i in range(50)])
    fold(vigil, "small")
    found = contents(vigil.state, ALL)
    assert len(alive(found)) == 48
    again = remade(deployment, vigil)
    assert differing(found | {"kept": alive(found)}, again | {"kept": alive(again)}) == {}


def test_on_sqlite_nothing_of_it_is_in_the_files(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    vigil = started(deployment)
    send(vigil, "predictions", [prediction(0, id="unpacked-needle", tags={"t": WHO})])
    fold(vigil, "small")
    with sqlite3.connect(deployment.folder / "vigil-log.db") as db:
        (payload,) = db.execute("SELECT payload FROM segments ORDER BY seq DESC LIMIT 1").fetchone()
    erase(vigil, "subject", WHO)
    for name in ("vigil-log.db", "vigil-log.db-wal"):
        assert payload[200:260] not in (deployment.folder / name).read_bytes()


def erase(vigil: App, of: Of, whom: str) -> Erasure:
    asked = ask(vigil.keeper, "small", of, whom, "ana", "request of 3 March")
    (done,) = Eraser(vigil.keeper, "small").run()
    assert done.id == asked.id
    return asked


def in_log(vigil: App) -> list[Erasure]:
    with reading(vigil.log.engine) as db:
        return erasures.of_model(db, "small")


def record(vigil: App) -> Erasure:
    (found,) = in_log(vigil)
    return found


def everything(vigil: App) -> str:
    """All that the log holds of rows, as text."""
    with reading(vigil.log.engine) as db:
        payloads = [*db.execute(select(segments.c.payload)).scalars()]
        payloads += [*db.execute(select(protected_segments.c.payload)).scalars()]
        told = [list(row) for row in db.execute(select(erasures.erasures))]
    return json.dumps([from_ipc(payload).to_pylist() for payload in payloads] + told, default=str)


def alive(found: dict[str, list[str]]) -> list[str]:
    """The rows kept under ids that say something, in their order."""
    rows = sorted((r["kind"], r["place"], r) for r in map(json.loads, found["kept"]) if r["id"])
    return [json.dumps({k: v for k, v in r.items() if k != "place"}, sort_keys=True) for *_, r in rows]


def remade(deployment: Deployment, vigil: App) -> dict[str, list[str]]:
    """The state made again from seal and log, in the same place: the test's Vigil goes on with it."""
    vigil.state.dispose()
    deployment.drop_state()
    other = open_vigil(deployment, noon)
    fold(other, "small")
    found = contents(other.state, ALL)
    other.stop()
    vigil.worker.joins = type(vigil.worker.joins)()
    return found


def send(vigil: App, kind: str, rows: list[dict[str, Any]]) -> str:
    body = json.dumps(rows).encode()
    return asyncio.run(vigil.intake.take("small", kind, "application/json", body, {}, None)).batch_id  # type: ignore[arg-type]


def prediction(number: int, id: str = "", **more: Any) -> dict[str, Any]:
    mine = number in (0, 30)
    return {
        "prediction_id": id or ("p-zero" if number == 0 else f"p{number}"),
        "timestamp": f"2026-06-30T{number % 24:02}:00:00Z",
        "features": {"x": number / 10},
        "prediction_score": number % 10 / 10,
        "protected": {"sex": "fm"[number % 2]},
        "subject_key": WHO if mine else f"person-{number}",
    } | more


def outcome(number: int) -> dict[str, Any]:
    return {"prediction_id": "p-zero" if number == 0 else f"p{number}", "timestamp": "2026-07-01T10:00:00Z",
            "actual_label": number % 2}  # fmt: skip
