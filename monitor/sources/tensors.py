"""Tensors of the Open Inference Protocol v2, of several names, shapes and datatypes, as columns.

Source: https://github.com/kserve/open-inference-protocol, "Inference Request JSON Object" and "Tensor Data".
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.sources.payload import MAX_ROWS, Payload, Unreadable

KEYS = frozenset({"name", "shape", "datatype", "data"})


def is_tensors(found: Any) -> bool:
    """Whether a list holds tensors, and not rows that happen to be objects."""
    return isinstance(found, list) and bool(found) and all(
        isinstance(item, dict) and {"name", "shape", "datatype"} <= item.keys() for item in found
    )  # fmt: skip


def from_tensors(tensors: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> Payload:
    """The first dimension counts the rows, and must be the same in all. A row's further values are one list.

    >>> tensor = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
    >>> from_tensors([tensor], {"id": "r-1"}).columns
    {'x': [[1, 2], [3, 4]]}
    """
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        name = str(tensor["name"])[:300]
        if name in columns:
            raise Unreadable(f"has two tensors named '{name[:60]}'; give each a name of its own")
        columns[name] = _rows(tensor, name[:60])
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        said = ", ".join(f"'{name[:60]}' has {len(values)}" for name, values in list(columns.items())[:10])
        raise Unreadable(f"has tensors of different first dimensions: {said}; the first counts the rows")
    return Payload(
        columns, lengths.pop() if lengths else 0, True, _text(body.get("id")), _text(body.get("model_name")),
        _text(body.get("model_version")),
    )  # fmt: skip


def _rows(tensor: Mapping[str, Any], name: str) -> list[Any]:
    shape, data, parameters = tensor["shape"], tensor.get("data"), tensor.get("parameters")
    if data is None:
        raise Unreadable(f"has the tensor '{name}' without data; let the service log the whole body")
    if not isinstance(shape, list) or len(shape) > 16 or not all(_is_size(d) for d in shape):
        raise Unreadable(f"has the tensor '{name}' with a shape that is no list of whole numbers")
    flat = _flat(data)
    if math.prod(shape) != len(flat):
        raise Unreadable(f"has {len(flat)} values in the tensor '{name}', where its shape asks for {math.prod(shape)}")
    if tensor["datatype"] == "BYTES":
        encoded = isinstance(parameters, Mapping) and parameters.get("content_type") == "base64"
        flat = [_word(value, encoded, name) for value in flat]
    n_rows, width = (shape[0], math.prod(shape[1:])) if shape else (1, 1)
    if n_rows > MAX_ROWS:
        raise Unreadable(f"has {n_rows} rows; send at most {MAX_ROWS} in one request")
    return flat if width == 1 else [flat[k * width : (k + 1) * width] for k in range(n_rows)]


def _is_size(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= 10**9


def _flat(data: Any) -> list[Any]:
    """Row-major values; data may be flat already, nested by its shape, or a bare value."""
    found: list[Any] = data if isinstance(data, list) else [data]
    while found and isinstance(found[0], list):
        if not all(isinstance(inner, list) for inner in found):
            raise Unreadable("has a tensor whose data are nested to different depths; send them flat")
        found = [value for inner in found for value in inner]
    return found


def _word(value: Any, encoded: bool, name: str) -> Any:
    if not encoded or not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:      # of the alphabet, the padding or the text in it
        raise Unreadable(f"has BYTES in the tensor '{name}' that are no text; leave it out of the features") from None


def _text(found: Any) -> str | None:
    return found[:300] if isinstance(found, str) and found else None
