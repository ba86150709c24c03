"""What turned out to be true, as the systems keep it: SageMaker's ground truth, BentoML's columns of role target, and
outcomes that name a request with a list of one truth for each of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from monitor.batch import Envelope
from monitor.codecs.columns import Columns
from monitor.errors import InvalidInput
from monitor.model import ModelSpec
from monitor.model.sources import Source
from monitor.sources import sagemaker
from monitor.sources.exchange import Exchange, gather
from monitor.sources.records import Record, instant
from monitor.sources.rows import NO_OBJECT, Misfit, Misfitting, Rows, row_ids

ACTUALS = {"regression": "actual_value", "ranking": "actual_relevance"}     # else actual_label


def ground_truth(
    records: Iterable[Record | None], envelope: Envelope, query: Mapping[str, str], spec: ModelSpec
) -> Columns:
    """SageMaker's ground truth. ``query["timestamp"]`` says when it became known, for its records do not."""
    rows, wire = Rows(), ACTUALS.get(spec.task, "actual_label")
    for record in records:
        try:
            known: datetime | None = instant(query["timestamp"], "timestamp") if "timestamp" in query else None
            if record is None:
                raise Misfitting(NO_OBJECT.field, NO_OBJECT.reason)
            id_, truths, at = sagemaker.ground_truth(record, known)
            times = [at.isoformat()] * len(truths)
            rows.add({"prediction_id": list(row_ids(id_, len(truths))), "timestamp": times, wire: truths})
        except Misfitting as error:
            rows.add(error.misfit)
    return rows.columns(envelope)


def targets(found: Iterable[tuple[Source, Exchange | Misfit]], envelope: Envelope, spec: ModelSpec) -> Columns:
    """The outcomes of records that hold the truth beside what was predicted."""
    named = [(source, one) for source, one in found if source.actual is not None]
    if not named:
        raise InvalidInput("the model's source names no column of role target", "Name it: 'actual' in the source")
    predicted, rows, wire = gather(named, frozenset(), envelope), Rows(), ACTUALS.get(spec.task, "actual_label")
    rejected = {reject.row: Misfit(reject.field, reject.reason) for reject in predicted.rejects}
    place = 0
    for source, one in named:
        if place in rejected:
            rows.add(rejected[place])
            place += 1
            continue
        assert isinstance(one, Exchange)
        assert source.actual is not None
        n = one.outputs.n_rows
        keys = {key: list(predicted.data[key][place : place + n]) for key in ("prediction_id", "timestamp")}
        rows.add({**keys, wire: one.outputs.columns.get(source.actual, [None] * n)})
        place += n
    return rows.columns(envelope)


def by_request(columns: Columns) -> Columns:
    """Outcomes that name a request, with a list of one truth for each of its rows, as one outcome for each row.

    >>> sent = Columns({"prediction_id": ["r", "s"], "actual_label": [[1, 0], 1]}, 2)
    >>> by_request(sent).data
    {'prediction_id': ['r/0', 'r/1', 's'], 'actual_label': [1, 0, 1]}
    """
    wire = next((w for w in ("actual_label", "actual_value") if _has_lists(columns.data.get(w))), None)
    if wire is None:
        return columns
    listed: dict[str, list[Any]] = {
        name: column if isinstance(column, list) else column.to_pylist() for name, column in columns.data.items()
    }
    ids, rows = listed.get("prediction_id", [None] * columns.n_rows), Rows()
    rejected = {reject.row: Misfit(reject.field, reject.reason) for reject in columns.rejects}
    for i in range(columns.n_rows):
        found = listed[wire][i]
        truths = found if isinstance(found, list) else [found]
        if i in rejected:
            rows.add(rejected[i])
        elif not truths or (isinstance(found, list) and not isinstance(ids[i], str)):
            rows.add(Misfit(wire, "is a list that is empty, or names no request; send one truth for each of its rows"))
        else:
            block = {name: [values[i]] * len(truths) for name, values in listed.items()}
            own = row_ids(ids[i], len(truths)) if isinstance(found, list) else [ids[i]]
            rows.add({**block, "prediction_id": own, wire: truths})
    return rows.columns(columns.envelope)


def _has_lists(column: object) -> bool:
    if isinstance(column, list):
        return any(isinstance(value, list) for value in column)
    kind = str(getattr(column, "type", ""))
    return kind.startswith(("list", "large_list", "fixed_size_list"))
