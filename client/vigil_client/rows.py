"""What a caller hands over with one row, made safe to keep: identities, copies of maps, and their weight.

Runs in the caller's thread, so nothing here looks at a value closer than it must.
"""

from __future__ import annotations

import operator
import sys
import uuid
from collections.abc import Mapping
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

from vigil_client.batch import NESTED
from vigil_client.values import Now

PREDICTION = (
    "prediction_score", "prediction_label", "prediction_value", "model_version", "role", "model_decision",
    "latency_ms", "status", "subject_key", "request_id", "trace_id",
)  # fmt: skip
OUTCOME = ("actual_label", "actual_value", "actual_relevance", "final_decision")
FIELDS = {
    "predictions": frozenset(("prediction_id", "timestamp", *PREDICTION, *NESTED)),
    "outcomes": frozenset(("prediction_id", "timestamp", *OUTCOME, "tags")),
}
"""What a row of each kind may name."""

ROW_WEIGHT = 150        # bytes of a row in the queue, beside what it holds
KEY_WEIGHT = 50         # a name, which each request that was read from JSON has anew
VALUE_WEIGHT = 32
_ATOMS = frozenset((int, float, bool, type(None), Now))


class Unclear(TypeError):
    """A call that cannot be understood. Its text names types and fields, never values."""


def text_id(value: Any) -> str:
    """An identity as text; a new one where there is none. Whole numbers of any library are written as such.

    >>> text_id(7), text_id("a"), len(text_id(None))
    ('7', 'a', 36)
    """
    if type(value) is str and value:
        return value
    if value is None or value != value or value == "":
        return str(uuid.uuid4())
    try:
        return str(operator.index(value))
    except TypeError:
        return str(value)


def keeps(prediction_id: str, rate: float) -> bool:
    """Whether a sample of that rate has this prediction: the same answer wherever and whenever it is asked.

    >>> keeps("a", 1.0), sum(keeps(str(i), 0.1) for i in range(10_000))
    (True, 1029)
    """
    if rate >= 1.0:
        return True
    digest = blake2b(prediction_id.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < rate * 2.0**64


def copied(given: Any) -> tuple[dict[Any, Any], int]:
    """A map's own copy, and about how many bytes it takes. What is mutable within is copied too where it can be.

    Raises ``Unclear`` for what is no map.
    """
    try:
        found = dict(given)
    except (TypeError, ValueError):
        raise Unclear(f"{type(given).__name__} is no map from name to value") from None
    size = sys.getsizeof(found) + KEY_WEIGHT * len(found)
    for key, value in found.items():
        kind = type(value)
        if kind in _ATOMS:
            size += VALUE_WEIGHT
        elif kind is str:
            size += 49 + len(value)
        else:
            found[key], more = _kept(value)
            size += more
    return found, size


def _kept(value: Any) -> tuple[Any, int]:
    try:
        copy = getattr(value, "copy", None)
        value = copy() if callable(copy) else value
        return value, weight(value)
    except Exception:       # a foreign object's own method failed: the row goes on, and this value is read later
        return value, VALUE_WEIGHT


def weight(value: Any) -> int:
    """About how many bytes any value takes."""
    size = sys.getsizeof(value)
    if isinstance(value, (list, tuple, set, dict)):
        size += VALUE_WEIGHT * len(value)
    nbytes = getattr(value, "nbytes", 0)
    return size + (nbytes if isinstance(nbytes, int) else 0)


def known(kind: str, more: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields that there are, and what is to be told of the others, which are left out: a slip costs no row.

    >>> known("predictions", {"status": "ok", "latency": 3})
    ({'status': 'ok'}, ["predictions have no field 'latency'; 'latency_ms'?"])
    """
    fields = {name: value for name, value in more.items() if value is not None and name in FIELDS[kind]}
    notes = []
    for name in more:
        if name not in FIELDS[kind]:
            near = get_close_matches(name, FIELDS[kind], n=1)
            notes.append(f"{kind} have no field '{name[:60]}'" + (f"; '{near[0]}'?" if near else ""))
    return fields, notes
