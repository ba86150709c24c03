"""``application/json``: a list of rows, or an object with ``rows`` or ``columns`` and the envelope beside it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

import pyarrow as pa

from monitor.batch import Envelope, Kind, Reject
from monitor.codecs.columns import NESTED, Columns, check_shape, read_envelope
from monitor.codecs.json_shapes import Lists, decode_alike, remember, shape_of
from monitor.codecs.json_text import check_objects, find_not_json, parse, shown_path
from monitor.errors import MalformedBody, TooLarge

MAX_CELLS = 20_000_000      # rows of many shapes: each field of any row is a column of all rows


def decode_json(body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """Rows or columns, told apart by the body's own shape.

    >>> decode_json(b'[{"prediction_id": "a", "features": {"age": 40}}]', "predictions", {}).data
    {'prediction_id': ['a'], 'features.age': [40]}
    """
    check_objects(body)
    alike = decode_alike(body, NESTED[kind], lines=False)
    if alike is not None:
        return from_alike(alike[0], alike[1], read_envelope(alike[2], query))
    value, has_tokens = parse(body)
    top: dict[str, Any] = {}
    match value:
        case list():
            rows = value
        case {"rows": list(rows)} if "columns" not in value:
            top = {key: item for key, item in value.items() if key != "rows"}
        case {"columns": dict(columns)} if "rows" not in value:
            top = {key: item for key, item in value.items() if key != "columns"}
            return _from_columns(columns, has_tokens, top, query)
        case _:
            raise MalformedBody(
                "The body is neither a list of rows nor an object with a list 'rows' or an object 'columns'",
                'Send [{...}], {"rows": [{...}]} or {"columns": {"prediction_id": [...]}}',
            )
    return from_rows(rows, has_tokens, kind, read_envelope(top, query), [])


def from_rows(rows: list[Any], has_tokens: bool, kind: Kind, envelope: Envelope, rejects: list[Reject]) -> Columns:
    """The columns of rows as JSON has them. ``rejects``: those known already, whose rows are empty objects; changed."""
    check_shape(len(rows), [])      # before each row that is no object has a reject made for it
    _objects(rows, "", "the row is no object; send {name: value}", rejects)
    if has_tokens:
        for i, row in enumerate(rows):
            if found := find_not_json(row):
                rejects.append(Reject(i, shown_path(found[0]), found[1].reason))
                rows[i] = {}
    data = _pivot(rows, "")
    for name in NESTED[kind]:
        if name in data:
            inner = data.pop(name)
            _objects(inner, name, "is no object; send {name: value}", rejects)
            nested = _pivot(inner, f"{name}.")
            for both in nested.keys() & data.keys():
                raise MalformedBody(f"The field '{both[:60]}' is given twice", "Send it once: in its object or beside")
            data |= nested
    check_shape(len(rows), list(data))
    if rows and not rejects and (shape := shape_of(rows[0], NESTED[kind])) == shape_of(rows[-1], NESTED[kind]):
        remember(shape)
    return Columns(data, len(rows), envelope, rejects)


def from_alike(lists: Lists, n_rows: int, envelope: Envelope) -> Columns:
    """The columns of rows that were read by their shape."""
    check_shape(n_rows, list(lists))
    return Columns(dict(lists), n_rows, envelope)


def _objects(items: list[Any], field: str, reason: str, rejects: list[Reject]) -> None:
    """See that each item is an object: rejects those that are not, and leaves an empty one in their place."""
    if set(map(type, items)) <= {dict}:
        return
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            if item is not None or not field:       # a nested object may be null, a row may not
                rejects.append(Reject(i, field, reason))
            items[i] = {}


def _pivot(rows: list[dict[str, Any]], prefix: str) -> dict[str, list[Any] | pa.Array]:
    """Rows to columns. Rows of one shape take the fast way; else every field of any row becomes a column."""
    if not rows:
        return {}
    names = list(rows[0])
    if len(names) > 1 and set(map(len, rows)) == {len(names)}:
        try:
            # Row by row into one list and then apart by stride: twice as fast as a column at a time, as each row's
            # object is visited once while it is in the cache.
            flat = list(chain.from_iterable(map(itemgetter(*names), rows)))
            return {prefix + name: flat[i :: len(names)] for i, name in enumerate(names)}
        except KeyError:
            pass
    keys = dict.fromkeys(chain.from_iterable(rows))
    if len(keys) * len(rows) > MAX_CELLS:
        raise TooLarge(
            f"{len(rows)} rows with {len(keys)} distinct fields among them are too many for one batch",
            "Send rows that have the same fields, or fewer at a time",
        )
    return {prefix + key: [row.get(key) for row in rows] for key in keys}


def _from_columns(
    columns: dict[str, Any], has_tokens: bool, top: Mapping[str, Any], query: Mapping[str, str]
) -> Columns:
    envelope = read_envelope(top, query)
    for name, values in columns.items():
        if not isinstance(values, list):
            raise MalformedBody(f"The column '{name[:60]}' is no list", "Send a list of one value for each row")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        named = ", ".join(f"'{name[:60]}' has {len(values)}" for name, values in list(columns.items())[:20])
        raise MalformedBody(f"The columns differ in length: {named}", "Send one value for each row in every column")
    n_rows = lengths.pop() if lengths else 0
    check_shape(n_rows, list(columns))
    rejects: dict[int, Reject] = {}
    if has_tokens:
        for name, values in columns.items():
            for i, value in enumerate(values):
                if found := find_not_json(value, name):
                    rejects.setdefault(i, Reject(i, shown_path(found[0]), found[1].reason))
                    values[i] = None
    return Columns(dict(columns), n_rows, envelope, list(rejects.values()))
