"""Tensors whose values follow the JSON as bytes: the binary extension of the Open Inference Protocol v2, which Triton's
clients use unasked.

Source: https://github.com/kserve/open-inference-protocol and Triton's "Binary Tensor Data Extension": row-major, little
endian, in the order of the tensors; BOOL a byte, BYTES each with its length in four bytes before it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from monitor.sources.payload import Unreadable

_MARK = b"binary_data_size"
_WHERE = 1 << 20        # bytes within which the mark stands, where there is one
_TYPES = {
    "BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


def has_binary(body: bytes) -> bool:
    """Whether a body may hold values as bytes behind its JSON."""
    return _MARK in body[:_WHERE]


def with_data(body: bytes, key: str) -> Any:
    """The JSON of a body, its tensors under ``key`` with the values that follow it.

    >>> head = b'{"inputs": [{"name": "x", "shape": [2], "datatype": "INT16", "parameters": {"binary_data_size": 4}}]}'
    >>> with_data(head + b"\\x01\\x00\\x02\\x00", "inputs")["inputs"][0]["data"]
    [1, 2]
    """
    try:
        value, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))     # a character a byte: so ``end`` is one
        head = json.loads(body[:end], parse_constant=lambda word: None if word == "NaN" else float(word))
    except (ValueError, RecursionError):
        raise Unreadable("is not JSON with the values of its tensors behind it") from None
    tensors = head.get(key) if isinstance(value, dict) else None
    for tensor in tensors if isinstance(tensors, list) else []:
        size = _size(tensor)
        if size is not None:
            part, end = body[end : end + size], end + size
            if len(part) < size:
                raise Unreadable("ends before the values of its tensors do; let the service log the whole body")
            tensor["data"] = _values(part, str(tensor.get("datatype")))
    return head


def _size(tensor: Any) -> int | None:
    parameters = tensor.get("parameters") if isinstance(tensor, Mapping) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, Mapping) else None
    return size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None


def _values(part: bytes, datatype: str) -> list[Any]:
    if datatype == "BYTES":
        return _words(part)
    kind = _TYPES.get(datatype)
    if kind is None or len(part) % np.dtype(kind).itemsize:
        raise Unreadable(f"has binary values of the datatype {datatype[:20]!a} that cannot be read; ask for JSON")
    found = np.frombuffer(part, kind).tolist()
    return [None if value != value else value for value in found] if datatype.startswith("FP") else found


def _words(part: bytes) -> list[Any]:
    out, at = [], 0
    while at + 4 <= len(part):
        (length,) = struct.unpack_from("<I", part, at)
        word = part[at + 4 : at + 4 + length]
        if len(word) < length:
            break
        out.append(word.decode("utf-8", "replace"))
        at += 4 + length
    if at != len(part):
        raise Unreadable("has BYTES whose lengths do not add up; ask for JSON")
    return out
