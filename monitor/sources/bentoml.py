"""BentoML's monitoring log: a line for each row, its columns beside ``timestamp``, ``request_id`` and ``trace_id``.

Source: bentoml/_internal/monitoring/default.py. The columns' roles stand in another file, so the source names them; the
time is that of the service's clock, without a zone, so the source names that too; the rows of one request follow each
other under one ``request_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from zoneinfo import ZoneInfo

from monitor.model.sources import Source
from monitor.sources.exchange import Exchange
from monitor.sources.payload import Payload, from_rows
from monitor.sources.records import Record, instant, word
from monitor.sources.rows import Misfitting

RESERVED = ("timestamp", "request_id", "trace_id", "bento_name", "bento_version")


def requests(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Lines that follow each other under one id, which are the rows of one request.

    >>> [len(rows) for rows in requests([{"request_id": "1"}, {"request_id": "1"}, {"request_id": "2"}])]
    [2, 1]
    """
    for id_, group in groupby(records, key=request_id):
        rows = list(group)
        yield from [rows] if id_ is not None else [[row] for row in rows]


def exchange(source: Source, rows: list[Record]) -> Exchange:
    """The lines of one request. Raises ``Misfitting``.

    >>> line = {"age": 40, "pred": "yes", "timestamp": "2026-01-31T12:00:00", "request_id": "7", "trace_id": "9"}
    >>> found = exchange(Source("bentoml", label="pred", time_zone="UTC"), [line])
    >>> found.id, found.inputs.columns, found.time.isoformat()
    ('7', {'age': [40]}, '2026-01-31T12:00:00+00:00')
    """
    first = rows[0]
    id_ = request_id(first)
    if id_ is None and source.id == "request":
        raise Misfitting("request_id", "is missing; name the column that holds the row's own id as 'id' in the source")
    answers = {source.score, source.label, source.value, source.decision, source.actual}
    kept = [{key: value for key, value in row.items() if key not in RESERVED} for row in rows]
    asked = [{k: v for k, v in row.items() if k not in answers} for row in kept]
    return Exchange(
        id=id_ or "",
        time=instant(first.get("timestamp"), "timestamp", ZoneInfo(source.time_zone) if source.time_zone else None),
        inputs=_columns(source, asked),
        outputs=from_rows(kept),
        version=word(first, "bento_version"),
        fields={key: found for key in RESERVED if (found := word(first, key))},
    )


def _columns(source: Source, asked: list[dict[str, object]]) -> Payload:
    if not source.columns:
        return from_rows(asked)
    keep = {*source.columns, *source.protected.values(), *source.tags.values(), source.subject_key, source.timestamp,
            source.id}  # fmt: skip
    return from_rows([{name: row.get(name) for name in row if name in keep} for row in asked])


def request_id(record: Record) -> str | None:
    """BentoML writes the text of nothing where there is no request."""
    found = word(record, "request_id")
    return None if found in ("None", "0") else found
