"""What every codec gives: the columns of a request as they were sent, not yet typed by the declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa

from monitor.batch import Envelope, Kind, Reject
from monitor.errors import InvalidInput, MalformedBody, TooLarge
from monitor.model.checks import clean

MAX_ROWS = 1_000_000
MAX_COLUMNS = 5_000
LEAST_RATE = 1e-6
MAX_CELLS = 50_000_000      # rows times fields: a column of nulls has no bytes on the wire, and many in memory

NESTED: dict[Kind, tuple[str, ...]] = {
    "predictions": ("features", "tags", "protected"),
    "reference": ("features", "tags", "protected"),
    "outcomes": ("tags",),
}

ENVELOPE_KEYS = tuple(f.name for f in fields(Envelope))


@dataclass(frozen=True, slots=True)
class Columns:
    """``data`` maps a wire name (``features.age``) to ``n_rows`` values: a list of JSON's values, or an Arrow array.

    ``rejects`` are rows that could not be read at all; they stand in ``data`` as nulls, so that row numbers stay those
    of the request. ``untyped``: all columns are arrays of text, for the format (CSV) knows no types: the declaration
    says what is a number.
    """

    data: dict[str, list[Any] | pa.Array]
    n_rows: int
    envelope: Envelope = field(default_factory=Envelope)
    rejects: list[Reject] = field(default_factory=list)
    untyped: bool = False


def check_shape(n_rows: int, names: list[str]) -> None:
    """Refuse what would take too much memory, and names that could not be stored or shown."""
    if n_rows > MAX_ROWS:
        raise TooLarge(f"{n_rows} rows are over the {MAX_ROWS} of one batch", "Send several smaller batches")
    if len(names) > MAX_COLUMNS:
        raise TooLarge(f"{len(names)} distinct fields are over the {MAX_COLUMNS} of a batch", "Send declared fields")
    if n_rows * len(names) > MAX_CELLS:
        raise TooLarge(f"{n_rows} rows of {len(names)} fields are too many for one batch", "Send fewer rows at a time")
    for name in names:
        if not _storable(name):
            raise MalformedBody(
                f"The field name {name[:60]!a} is too long or holds a control character",
                "Name fields in at most 300 characters",
            )


@lru_cache(maxsize=10_000)      # the names of a model's fields come again with every request
def _storable(name: str) -> bool:
    return len(name) <= 300 and clean(name)


def read_envelope(found: Mapping[str, Any], query: Mapping[str, str]) -> Envelope:
    """What a batch says of itself, in its body or as query parameters; both may not differ.

    >>> read_envelope({"clock": "event"}, {"sampling_rate": "0.5"}).sampling_rate
    0.5
    """
    for key in found:
        if key not in ENVELOPE_KEYS:
            near = get_close_matches(key, (*ENVELOPE_KEYS, "rows", "columns"), n=1)
            mend = f"The nearest known is '{near[0]}'" if near else f"Known are {', '.join(ENVELOPE_KEYS)}"
            raise InvalidInput(f"'{key[:60]}' is no key of a batch", mend)
    given = {key: value for key, value in found.items() if value is not None}
    for key in ENVELOPE_KEYS:
        if key in query:
            if key in given and str(given[key]) != query[key]:
                raise InvalidInput(f"'{key}' differs between the body and the query", "Send it once")
            given[key] = query[key]
    return Envelope(
        clock=_clock(given.get("clock", "wall")),
        sampling_rate=_rate(given.get("sampling_rate", 1.0)),
        source=_text("source", given.get("source")),
        environment=_text("environment", given.get("environment")),
        schema_version=_text("schema_version", given.get("schema_version")),
    )


def _clock(value: Any) -> Literal["wall", "event"]:
    if value == "wall" or value == "event":
        return "event" if value == "event" else "wall"
    raise InvalidInput("'clock' is neither wall nor event", "Send event for a replay or a backfill, else leave it out")


def _rate(value: Any) -> float:
    try:
        rate = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        rate = -1.0
    if not LEAST_RATE <= rate <= 1.0:
        raise InvalidInput(
            f"'sampling_rate' is no number from {LEAST_RATE:g} to 1", "Send 0.1 where one row in ten is sent"
        )
    return float(f"{rate:.3g}")     # rows of each rate are counted apart: a sampler that adapts must not make thousands


def _text(key: str, value: Any) -> str | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= 256 or not text.isprintable():
        raise InvalidInput(f"'{key}' is no printable text of 1 to 256 characters", "Send a short text, or leave it out")
    return text
