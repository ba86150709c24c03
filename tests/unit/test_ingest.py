"""From bytes to a durable segment: what is kept of a batch, and what of it is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.codecs.segment import from_ipc
from monitor.database import open_database
from monitor.errors import Conflict, InvalidInput, NoGoodRow, NotFound, TooLarge
from monitor.ingest import Intake, Receipt
from monitor.log.sql import SqlLog
from monitor.log.tables import metadata
from monitor.log.writer import LogWriter
from monitor.model import ModelSpec, Source
from monitor.model.declaration import MAX_DIMENSIONS
from monitor.model.parse import MAX_FEATURES

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SPEC = ModelSpec("m", "binary_classification", features={"x": "numeric"}, favourable="1")


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    engine = open_database(f"sqlite:///{tmp_path / 'log.db'}", durable=True)
    metadata.create_all(engine)
    log = SqlLog(engine)
    log.declare("m", 0, "ana", SPEC.to_dict())
    writer = LogWriter(log, lambda _: None)
    writer.start()
    yield Intake(log, writer, lambda: NOW, max_rows=10)
    writer.stop()
    engine.dispose()


def row(i: int = 0, **more: Any) -> dict[str, Any]:
    return {"prediction_id": f"p{i}", "timestamp": "2026-07-01T00:00:00Z", "prediction_score": 0.5,
            "features": {"x": i}, **more}  # fmt: skip


def take(intake: Intake, rows: Any, model: str = "m", inferred: Any = None, key: str | None = None,
         kind: Any = "predictions", query: Any = None, **more: Any) -> Receipt:  # fmt: skip
    body = json.dumps(rows).encode()
    return asyncio.run(intake.take(model, kind, "application/json", body, query or {}, inferred, key, **more))


def test_a_segment_holds_the_good_rows_and_how_they_were_typed(intake: Intake) -> None:
    receipt = take(intake, [row(0), {}, row(2)], query={"clock": "event", "source": "s", "sampling_rate": "0.5"})
    assert (receipt.accepted, receipt.rejected, receipt.repeated) == (2, 1, False)
    (segment,) = intake.log.read("m", 0, 10)
    assert (segment.parts[0].batch_id, segment.rows, segment.event_clock, segment.declaration) == (
        receipt.batch_id, 2, True, 1,
    )  # fmt: skip
    assert segment.parts[0].envelope == {"source": "s", "sampling_rate": 0.5}
    assert from_ipc(segment.payload)["prediction_id"].to_pylist() == ["p0", "p2"]
    assert segment.protected is None
    assert [r["row"] for r in intake.log.rejects("m")] == [1]


def test_the_answer_has_notes_and_repeated_only_where_there_are_any(intake: Intake) -> None:
    assert set(take(intake, [row()]).as_dict()) == {"batch_id", "accepted", "rejected", "errors"}
    first = take(intake, [row(other=1)], key="k").as_dict()
    assert first["notes"] == {"undeclared": {"other": 1}}
    assert take(intake, [row(other=1)], key="k").as_dict() == first | {"repeated": True}


def test_two_requests_with_one_key_at_once_are_one_batch(intake: Intake) -> None:
    async def both() -> list[Receipt]:
        body = json.dumps([row()]).encode()
        send = [intake.take("m", "predictions", "application/json", body, {}, None, "k") for _ in range(4)]
        return list(await asyncio.gather(*send))

    receipts = asyncio.run(both())
    assert len({r.batch_id for r in receipts}) == 1
    assert sorted(r.repeated for r in receipts) == [False, True, True, True]
    assert len(intake.log.read("m", 0, 10)) == 1


def test_what_is_not_taken(intake: Intake) -> None:
    with pytest.raises(NotFound, match=r"no model 'x' is declared.*declared are: m"):
        take(intake, [row()], model="x")
    with pytest.raises(TooLarge, match="11 rows"):
        take(intake, [row(i) for i in range(11)])
    with pytest.raises(NoGoodRow, match="no row of the batch") as refused:
        take(intake, [{}])
    assert refused.value.rejects[0]["row"] == 0
    with pytest.raises(NoGoodRow, match="1 row is not valid"):
        take(intake, [row(), {}], atomic=True)
    with pytest.raises(NoGoodRow, match="has no rows"):
        take(intake, [])
    assert intake.log.head() == {}
    assert take(intake, [row()], atomic=True).accepted == 1


def test_features_come_from_the_declaration_else_from_the_reference(intake: Intake) -> None:
    bare = ModelSpec("bare", "binary_classification", favourable="1")
    intake.log.declare("bare", 0, "ana", bare.to_dict())
    with pytest.raises(Conflict, match="no features and has no reference"):
        take(intake, [row()], model="bare")
    take(intake, [row(actual_label=1)], model="bare", kind="reference")
    take(intake, [{"prediction_id": "p", "timestamp": "2026-07-01T00:00:00Z", "actual_label": 1}], model="bare",
         kind="outcomes")  # fmt: skip
    take(intake, [row()], model="bare", inferred={"x": "categorical"})
    typed = [from_ipc(s.payload).schema for s in intake.log.read("bare", 0, 10)]
    assert [str(s.field("features.x").type) if "features.x" in s.names else None for s in typed] == [
        "double", None, "dictionary<values=string, indices=int32, ordered=0>",
    ]  # fmt: skip


def test_a_new_declaration_is_used_at_once(intake: Intake) -> None:
    take(intake, [row()])
    assert take(intake, [row(other=1)]).notes == {"undeclared": {"other": 1}}
    wider = ModelSpec("m", "binary_classification", features={"x": "categorical"}, favourable="1")
    intake.log.declare("m", 1, "ana", wider.to_dict())
    intake.forget("m")
    take(intake, [row()])
    assert [s.declaration for s in intake.log.read("m", 0, 10)] == [1, 1, 2]


def test_what_a_reference_lets_one_infer_is_held_to_what_may_be_declared(tmp_path: Path, intake: Intake) -> None:
    intake.log.declare("m", 0, "ana", ModelSpec("m", "binary_classification").to_dict())
    wide = row(features={f"f{i}": i for i in range(MAX_FEATURES + 1)})
    long = row(features={"v": [0.0] * (MAX_DIMENSIONS + 1)})
    for bad, said in ((wide, "the reference has 2001 features"), (long, "feature 'v' is an embedding")):
        with pytest.raises(TooLarge, match=said) as error:
            take(intake, [bad], kind="reference")
        assert "Declare the features that are to be watched" in error.value.mend


def test_records_of_another_system_are_read_as_the_declared_source_says(intake: Intake) -> None:
    features = dict.fromkeys("abc", "numeric")
    of_sagemaker = Source("sagemaker", columns=("a", "b", "c"), score=0)
    intake.log.declare("m", 0, "ana", replace(SPEC, features=features, sources=(of_sagemaker,)).to_dict())  # type: ignore[arg-type]
    sent = (FIXTURES / "sagemaker-capture.jsonl").read_bytes()
    taken = asyncio.run(intake.take("m", "predictions", "application/x-ndjson", sent, {"format": "sagemaker"}, None))
    assert taken.accepted > 0
    with pytest.raises(InvalidInput, match="declares no source of kind mlflow"):
        asyncio.run(intake.take("m", "predictions", "application/x-ndjson", sent, {"format": "mlflow"}, None))


def test_an_outcome_may_name_a_request_with_the_truth_of_each_of_its_rows(intake: Intake) -> None:
    truths = [{"prediction_id": "r", "timestamp": "2026-07-01T00:00:00Z", "actual_label": [1, 0]}]
    assert take(intake, truths, kind="outcomes").accepted == 2
    (segment,) = intake.log.read("m", 0, 10)
    assert from_ipc(segment.payload)["prediction_id"].to_pylist() == ["r/0", "r/1"]


def test_small_requests_of_one_moment_are_one_segment_and_large_ones_their_own(intake: Intake) -> None:
    intake.max_rows = 10_000

    async def at_once() -> list[Receipt]:
        sizes = enumerate((1, 2, 3_000, 1))
        bodies = [json.dumps([row(100 * i + j) for j in range(size)]).encode() for i, size in sizes]
        return list(await asyncio.gather(
            *(intake.take("m", "predictions", "application/json", body, {}, None) for body in bodies)
        ))  # fmt: skip

    asyncio.run(at_once())      # the first of a model waits for its declaration
    before = len(intake.log.read("m", 0, 100))
    receipts = asyncio.run(at_once())
    assert [r.accepted for r in receipts] == [1, 2, 3_000, 1]
    segments = intake.log.read("m", 0, 100)[before:]
    assert sorted(tuple(p.rows for p in s.parts) for s in segments) == [(1, 2, 1), (3_000,)]
    assert len({r.batch_id for r in receipts}) == 4
