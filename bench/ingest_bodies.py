"""Request bodies of the ingest benchmarks, made on the fly: 25 numeric features of low entropy, random UUIDs as ids.

The features are whole numbers of few distinct values, as in the census. A batch is a function of its number, so that
the outcomes of a batch name the ids of its predictions without keeping them. Features and scores are made once, as a
few templates; in JSON ids and times are patched into these at fixed places: the client costs little beside the service.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

MODEL = "bench"
FEATURES = tuple(f"f{i:02d}" for i in range(25))
DISTINCT = tuple((2, 3, 5, 9, 24, 51, 100)[i % 7] for i in range(25))
DECLARATION = {
    "model": MODEL, "task": "binary_classification", "features": dict.fromkeys(FEATURES, "numeric"), "favourable": 1,
}  # fmt: skip
START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 250_000        # of event time, so that a bucket of an hour holds about a batch of Arrow
ARROW = "application/vnd.apache.arrow.stream"
TEMPLATES = 8
_MARK_ID, _MARK_TIME = "#" * 36, "@" * 20
_HYPHENS = (8, 13, 18, 23)

Chars = np.ndarray[Any, np.dtype[np.uint8]]


def ids(number: int, n: int) -> Chars:
    """The ids of batch ``number``: random UUIDs (version 4) as text, shape (n, 36).

    >>> bytes(ids(1, 2)[0]) == bytes(ids(1, 2)[0]), chr(ids(1, 1)[0, 14]), len(bytes(ids(7, 1)[0]).decode())
    (True, '4', 36)
    """
    raw = np.random.default_rng([number, 36]).integers(0, 256, (n, 16), np.uint8)
    raw[:, 6] = raw[:, 6] & 15 | 64
    raw[:, 8] = raw[:, 8] & 63 | 128
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    hexed = np.empty((n, 32), np.uint8)
    hexed[:, ::2], hexed[:, 1::2] = digits[raw >> 4], digits[raw & 15]
    out = np.full((n, 36), ord("-"), np.uint8)
    out[:, [i for i in range(36) if i not in _HYPHENS]] = hexed
    return out


def values(number: int, n: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The features of a batch, int64 of shape (25, n), and its scores, float64 of shape (n,) with four decimals."""
    rng = np.random.default_rng([number, 25])
    # The smaller of two draws: some values are far more frequent than others, as they are in real data.
    drawn = np.minimum(rng.random((25, n), np.float32), rng.random((25, n), np.float32))
    features = (drawn * np.array(DISTINCT, np.float32)[:, None]).astype(np.int64)
    return features, np.round(rng.random(n), 4)


def instant(row: int) -> datetime:
    """The event time of a row, counted from the first of the run."""
    return START + timedelta(seconds=row * 86_400 // ROWS_A_DAY)


def arrow_predictions(number: int, n: int) -> bytes:
    named = {"prediction_id": _text(ids(number, n)), "timestamp": _times(number, n)}
    return _stream(named | _columns(number % TEMPLATES, n))


@lru_cache(maxsize=TEMPLATES)
def _columns(which: int, n: int) -> dict[str, pa.Array]:
    """Features and scores of a template."""
    features, score = values(which, n)
    columns = {"prediction_score": pa.array(score)}
    return columns | {f"features.{name}": pa.array(features[i]) for i, name in enumerate(FEATURES)}


def arrow_outcomes(number: int, n: int) -> bytes:
    """The outcomes of the batch of that number, a day later."""
    label = (np.random.default_rng([number, 2]).random(n) < 0.3).astype(np.int64)
    times = _times(number, n, later=timedelta(days=1))
    return _stream({"prediction_id": _text(ids(number, n)), "timestamp": times, "actual_label": label})


def arrow_reference(n: int) -> bytes:
    """A reference of ``n`` rows with outcomes, from before the run."""
    features, score = values(2**31, n)
    label = (np.random.default_rng(3).random(n) < score).astype(np.int64)
    columns = {"prediction_id": _text(ids(2**31, n)), "prediction_score": score, "actual_label": label}
    return _stream(columns | {f"features.{name}": features[i] for i, name in enumerate(FEATURES)})


def json_rows(number: int, n: int) -> bytes:
    return _patched("rows", number, n)


def json_columns(number: int, n: int) -> bytes:
    return _patched("columns", number, n)


def one_row(number: int, at: str) -> bytes:
    """A single row. Its time is the client's ``at``, 20 characters of RFC 3339."""
    body, id_at, time_at = _template("rows", number % TEMPLATES, 1)
    found = bytearray(body)
    found[id_at[0] : id_at[0] + 36] = _id_text(number)
    found[time_at[0] : time_at[0] + 20] = at.encode()
    return bytes(found)


def _id_text(number: int) -> bytes:
    text = np.random.bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}".encode()


def _text(chars: Chars) -> pa.StringArray:
    n, width = chars.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * width)
    return pa.StringArray.from_buffers(n, offsets.buffers()[1], pa.py_buffer(np.ascontiguousarray(chars)))


def _times(number: int, n: int, later: timedelta = timedelta()) -> pa.TimestampArray:
    seconds = (number * n + np.arange(n)) * 86_400 // ROWS_A_DAY + int((START + later).timestamp())
    return pa.array(seconds * 1_000_000).cast(pa.timestamp("us", "UTC"))


def _stream(columns: dict[str, Any]) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _patched(form: str, number: int, n: int) -> bytes:
    body, id_at, time_at = _template(form, number % TEMPLATES, n)
    found = np.frombuffer(body, np.uint8).copy()
    found[id_at[:, None] + np.arange(36)] = ids(number, n)
    seconds = (number * n + np.arange(n)) * 86_400 // ROWS_A_DAY
    text = np.datetime_as_string(np.datetime64(START.replace(tzinfo=None), "s") + seconds.astype("timedelta64[s]"))
    found[time_at[:, None] + np.arange(20)] = np.char.add(text, "Z").astype("S20").view(np.uint8).reshape(n, 20)
    return found.tobytes()


@lru_cache(maxsize=2 * TEMPLATES)
def _template(form: str, which: int, n: int) -> tuple[bytes, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A body with marks for ids and times, and where in it these stand."""
    features, score = values(which, n)
    if form == "columns":
        columns = {"prediction_id": [_MARK_ID] * n, "timestamp": [_MARK_TIME] * n, "prediction_score": score.tolist()}
        columns |= {f"features.{name}": features[i].tolist() for i, name in enumerate(FEATURES)}
        body = json.dumps({"columns": columns}, separators=(",", ":")).encode()
    else:
        listed = zip(features.T.tolist(), score.tolist(), strict=True)
        rows = [
            {"prediction_id": _MARK_ID, "timestamp": _MARK_TIME, "prediction_score": s,
             "features": dict(zip(FEATURES, values, strict=True))} for values, s in listed
        ]  # fmt: skip
        body = json.dumps(rows, separators=(",", ":")).encode()
    return body, _places(body, _MARK_ID.encode()), _places(body, _MARK_TIME.encode())


def _places(body: bytes, mark: bytes) -> np.ndarray[Any, Any]:
    found, at = [], body.find(mark)
    while at >= 0:
        found.append(at)
        at = body.find(mark, at + len(mark))
    return np.array(found)
