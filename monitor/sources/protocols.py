"""The protocols that model services speak, each told from the others by the body itself: V1 and MLflow JSON, the Open
Inference Protocol v2, Seldon's, CSV text, JSON lines.

The content type is a hint only: KServe's logger writes that of the request on the response.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from typing import Any

from monitor.codecs.json_text import NotJson, parse
from monitor.errors import MalformedBody
from monitor.sources.binary import has_binary, with_data
from monitor.sources.payload import MAX_ROWS, Payload, Side, Unreadable, from_columns, from_rows
from monitor.sources.tensors import from_tensors, is_tensors

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LINES = ("jsonlines", "ndjson", "jsonl", "json-seq")
_CSV = ("csv", "plain", "octet-stream")
_ROWS = {"inputs": ("instances", "dataframe_records", "inputs"), "outputs": ("predictions", "outputs")}


def read_payload(body: bytes | str, side: Side, content_type: str = "", header: bool = False) -> Payload:
    """The body of a request (``inputs``) or a response (``outputs``); ``Unreadable`` says why it is not one.

    ``header``: the first line of a CSV names its columns, as MLflow's server reads it.

    >>> read_payload(b'{"instances": [[1, 2]]}', "inputs").columns
    {'0': [1], '1': [2]}
    >>> read_payload("0.25", "outputs", "text/csv").columns
    {'0': [0.25]}
    """
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    text = data.strip()
    if not text:
        raise Unreadable("is empty; let the service log request and response")
    media = content_type.partition(";")[0].strip().lower()
    if text[:1] == b"{" and has_binary(data):
        return read_value(with_data(data.lstrip(), side), side)
    if text[:1] in b"{[":
        if any(word in media for word in _LINES):
            return from_rows([_json(line) for line in text.splitlines() if line.strip()])
        return read_value(_json_or_lines(text), side)
    if any(word in media for word in _CSV) or not media:
        return _from_csv(data, header)
    return read_value(_json(text), side) if "json" in media else _unknown(media)


def read_value(value: Any, side: Side) -> Payload:
    """A body that is decoded JSON already.

    >>> read_value({"dataframe_split": {"columns": ["age"], "data": [[40]]}}, "inputs").columns
    {'age': [40]}
    """
    match value:
        case list():
            return from_rows(value)
        case {"dataframe_split": {"columns": list(names), "data": list(rows)}} if side == "inputs":
            return _split(names, rows)
        case {"data": {"ndarray": list(rows), **rest}}:
            return _seldon(rows, rest.get("names"))
        case {"data": {"tensor": {"shape": list(shape), "values": list(values)}, **rest}}:
            tensor = {"name": "tensor", "shape": shape, "datatype": "FP64", "data": values}
            found = from_tensors([tensor], {}).laid_out()
            return _seldon([list(row) for row in zip(*found.values(), strict=True)], rest.get("names"))
        case dict():
            return _object(value, side)
        case _:
            return from_rows([value])


def _object(value: Mapping[str, Any], side: Side) -> Payload:
    for key in _ROWS[side]:
        found = value.get(key)
        if isinstance(found, list):
            return from_tensors(found, value) if is_tensors(found) else _beside(key, found, value)
        if isinstance(found, dict):
            return from_columns(found)
    if not value:
        raise Unreadable("is an empty object; let the service log the whole body")
    return from_rows([value])


def _beside(key: str, found: list[Any], value: Mapping[str, Any]) -> Payload:
    """A list of rows, with the lists of as many values that some containers write beside it."""
    others = {name: v for name, v in value.items() if name != key and isinstance(v, list) and len(v) == len(found)}
    return from_columns({key: found} | others) if others and found else from_rows(found)


def _split(names: list[Any], rows: list[Any]) -> Payload:
    payload = from_rows(rows)
    if rows and (payload.named or len(payload.columns) != len(names)):
        raise Unreadable("has rows that have not one value for each of the columns that it names; send one")
    return from_columns(dict(zip(map(str, names), payload.columns.values(), strict=False)))


def _seldon(rows: list[Any], names: Any) -> Payload:
    """``data.names`` beside ``data.ndarray`` or ``data.tensor``: names where there is one for each position."""
    payload = from_rows(rows)
    if payload.named or not isinstance(names, list) or len(names) != len(payload.columns):
        return payload
    return Payload(dict(zip(map(str, names), payload.columns.values(), strict=True)), payload.n_rows)


def _json_or_lines(text: bytes) -> Any:
    try:
        return _json(text)
    except Unreadable:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [_json(line) for line in lines]


def _json(text: bytes) -> Any:
    try:
        value, has_tokens = parse(text)
    except MalformedBody as error:
        raise Unreadable(f"is not JSON: {error.detail.partition(': ')[2] or error.detail}") from None
    return _numbers(value) if has_tokens else value


def _numbers(value: Any) -> Any:
    """A model took NaN for a missing value, as pandas writes it, and so does Vigil; an infinity stays one."""
    match value:
        case NotJson(token):
            return None if token == "NaN" else float(token)
        case dict():
            return {key: _numbers(item) for key, item in value.items()}
        case list():
            return [_numbers(item) for item in value]
        case _:
            return value


def _from_csv(data: bytes, header: bool) -> Payload:
    """Lines of values, without names as SageMaker's containers take them; an empty field is a missing value."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("is binary; let the service log JSON or CSV") from None
    if "\x00" in text:
        raise Unreadable("is binary; let the service log JSON or CSV")
    rows: list[list[Any]] = []
    try:
        for row in csv.reader(text.splitlines(), strict=True):
            if row:
                rows.append([_cell(cell) for cell in row])
            if len(rows) > MAX_ROWS:
                break
    except csv.Error as error:
        raise Unreadable(f"is not CSV: {error}") from None
    return _split(rows[0], rows[1:]) if header and rows else from_rows(rows)


def _cell(cell: str) -> Any:
    """
    >>> [_cell(c) for c in ("1", "0.5", "02139", " 7", "", "a")]
    [1, 0.5, '02139', 7, None, 'a']
    """
    bare = cell.strip()
    if _WHOLE.fullmatch(bare):
        return int(bare)
    if _DECIMAL.fullmatch(bare):
        return float(bare)
    return None if not bare or bare.lower() == "nan" else bare


def _unknown(media: str) -> Payload:
    raise Unreadable(f"is {media[:60]!a}, which cannot be read; let the service log JSON or CSV")
