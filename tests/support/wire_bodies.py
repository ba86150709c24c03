"""The same rows as a body of each format. A row maps wire names (``features.age``) to values, times as ``datetime``."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def as_json_row(row: Row) -> Row:
    out: dict[str, Any] = {}
    for name, value in row.items():
        value = value.isoformat() + "Z" if isinstance(value, datetime) else value
        outer, dot, inner = name.partition(".")
        if dot:
            out.setdefault(outer, {})[inner] = value
        else:
            out[name] = value
    return out


def columns_body(sent: list[Row]) -> bytes:
    columns = {name: [row[name] for row in sent] for name in sent[0]}
    columns["timestamp"] = [t.isoformat() + "Z" for t in columns["timestamp"]]
    return json.dumps({"columns": columns}).encode()


def ndjson_body(sent: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in sent).encode()


def csv_body(sent: list[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(sent[0])
    for row in sent:
        values = [row[name] for name in sent[0]]
        writer.writerow([v.isoformat() + "Z" if isinstance(v, datetime) else v for v in values])
    return text.getvalue().encode()


def arrow_table(sent: list[Row], nested: bool) -> pa.Table:
    columns: dict[str, Any] = {name: pa.array([row[name] for row in sent]) for name in sent[0]}
    columns["timestamp"] = columns["timestamp"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    columns["protected.sex"] = pa.array([row["protected.sex"] for row in sent], pa.string()).dictionary_encode()
    if nested:
        names = [name for name in columns if name.startswith("features.")]
        arrays = [columns.pop(name) for name in names]
        columns["features"] = pa.StructArray.from_arrays(arrays, [name.removeprefix("features.") for name in names])
    return pa.table(columns)


def arrow_body(sent: list[Row], per_batch: int, nested: bool) -> bytes:
    table = arrow_table(sent, nested)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=per_batch)
    return bytes(sink.getvalue())


def parquet_body(sent: list[Row], per_group: int, nested: bool, page: str) -> bytes:
    sink = io.BytesIO()
    pq.write_table(arrow_table(sent, nested), sink, row_group_size=per_group, data_page_version=page)
    return sink.getvalue()


def bodies(sent: list[Row]) -> dict[str, bytes]:
    """One body for each content type."""
    as_rows = [as_json_row(row) for row in sent]
    return {
        "application/json": json.dumps(as_rows).encode(),
        "application/x-ndjson": ndjson_body(as_rows),
        "application/vnd.apache.arrow.stream": arrow_body(sent, 2, False),
        "application/vnd.apache.parquet": parquet_body(sent, 2, False, "1.0"),
        "text/csv": csv_body(sent),
    }
