"""One request of a model service with its response, and many of them as the columns of a batch.

A row's id is ``<request id>`` where the request has one row, and ``<request id>/<row>`` (from 0) where it has several.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.batch import Envelope
from monitor.codecs.columns import Columns
from monitor.model.sources import Source
from monitor.sources.payload import Payload, Unreadable
from monitor.sources.rows import Misfit, Misfitting, Rows, row_ids

__all__ = ["Exchange", "Misfit", "gather", "to_columns"]

NO_TIME = "is missing: the record has no time; name the input that holds it as 'timestamp' in the source"


@dataclass(frozen=True, slots=True)
class Exchange:
    """``id``: the request's. ``time``: the instant of the request with its zone; ``None`` where the record has none.
    ``version``: the model's, as the record's own field tells it. ``annotations`` and ``fields``: what else the record
    says of itself, for ``version: annotation:NAME`` and ``id: NAME``. ``sampling_rate``: over 0, up to 1; ``None``
    where the record does not tell it.
    """

    id: str
    time: datetime | None
    inputs: Payload
    outputs: Payload
    version: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    sampling_rate: float | None = None
    latency_ms: float | None = None


def to_columns(
    source: Source,
    exchanges: Iterable[Exchange | Misfit],
    features: Collection[str] = (),
    envelope: Envelope | None = None,
) -> Columns:
    """The rows of exchanges under the interface's names. ``features`` are the declared ones: an input that is a
    protected attribute, a tag, a time or an id is a feature only where it is declared as one.

    A record whose parts do not fit is one row without values, and one reject. Without an ``envelope`` the sampling
    rate is the source's.

    >>> from datetime import UTC
    >>> ask, answer = Payload({"0": [40, 41]}, 2, named=False), Payload({"0": [0.2, 0.7]}, 2, named=False)
    >>> exchange = Exchange("r", datetime(2026, 1, 31, tzinfo=UTC), ask, answer)
    >>> found = to_columns(Source("kserve", columns=("age",), score=0), [exchange])
    >>> found.data["prediction_id"], found.data["features.age"], found.data["prediction_score"]
    (['r/0', 'r/1'], [40, 41], [0.2, 0.7])
    """
    return gather(
        ((source, exchange) for exchange in exchanges),
        frozenset(features),
        envelope or Envelope(sampling_rate=source.sampling_rate or 1.0),
    )


def gather(
    found: Iterable[tuple[Source, Exchange | Misfit]], features: frozenset[str], envelope: Envelope
) -> Columns:
    """As ``to_columns``, each exchange with the source that reads it."""
    rows = Rows()
    for source, exchange in found:
        try:
            block = exchange if isinstance(exchange, Misfit) else _block(source, exchange, features)
        except Misfitting as error:
            block = error.misfit
        rows.add(block)
    return rows.columns(envelope)


def _block(source: Source, exchange: Exchange, features: frozenset[str]) -> dict[str, list[Any]]:
    n = exchange.inputs.n_rows
    if exchange.outputs.n_rows != n:
        answered = exchange.outputs.n_rows
        reason = f"has {answered} rows, and the request has {n}; one row of the response answers one of the request"
        raise Misfitting("response", reason)
    if not n:
        raise Misfitting("request", "has no rows; there is nothing that was predicted")
    inputs = _part("request", lambda: named_inputs(source, exchange.inputs))
    block = {"prediction_id": _ids(source, exchange, inputs, n)}
    if source.timestamp is not None:
        block["timestamp"] = _input(inputs, source.timestamp, "timestamp")
    elif exchange.time is not None:
        block["timestamp"] = [exchange.time.isoformat()] * n
    else:
        raise Misfitting("timestamp", NO_TIME)
    if block["prediction_id"] != [exchange.id]:
        block["request_id"] = [exchange.id] * n
    constants = {
        "model_version": _version(source, exchange),
        "role": source.role,
        "latency_ms": exchange.latency_ms,
    }
    block |= {wire: [value] * n for wire, value in constants.items() if value is not None}
    answers = _part("response", lambda: _outputs(source, exchange.outputs))
    return block | _from_inputs(source, inputs, features) | answers


def _part(where: str, read: Callable[[], dict[str, list[Any]]]) -> dict[str, list[Any]]:
    try:
        return read()
    except Unreadable as error:
        raise Misfitting(where, str(error)) from None


def named_inputs(source: Source, payload: Payload) -> dict[str, list[Any]]:
    """The inputs under their names: the payload's own, or the source's ``columns`` where it has positions only."""
    if payload.named and (not source.columns or any(name in payload.columns for name in source.columns)):
        return dict(payload.columns)
    flat = dict(payload.columns) if len(payload.columns) == len(source.columns) else payload.laid_out()
    if not source.columns:
        raise Unreadable(f"has {len(flat)} values a row without names; list their names in the source's 'columns'")
    if len(flat) != len(source.columns):
        raise Unreadable(
            f"has {len(flat)} values a row, and the source's 'columns' names {len(source.columns)}; "
            "name one column for each value"
        )
    return dict(zip(source.columns, flat.values(), strict=True))


def _ids(source: Source, exchange: Exchange, inputs: Mapping[str, list[Any]], n: int) -> list[Any]:
    if source.id == "request":
        return row_ids(exchange.id, n)
    if source.id in exchange.fields:
        return row_ids(exchange.fields[source.id], n)
    if source.id in exchange.outputs.columns:
        return exchange.outputs.columns[source.id]
    return _input(inputs, source.id, "id")


def _input(inputs: Mapping[str, list[Any]], name: str, key: str) -> list[Any]:
    if name not in inputs:
        raise Misfitting("request", f"has no input '{name}', which the source names as its {key}")
    return inputs[name]


def _version(source: Source, exchange: Exchange) -> str | None:
    asked, _, name = (source.version or "field").partition(":")
    if asked == "annotation":
        return exchange.annotations.get(name or "model_version")
    if asked == "field":
        return exchange.fields.get(name) if name else exchange.version or exchange.outputs.version
    return source.version


def _from_inputs(
    source: Source, inputs: Mapping[str, list[Any]], features: frozenset[str]
) -> dict[str, list[Any]]:
    named = {f"protected.{attribute}": name for attribute, name in source.protected.items()}
    named |= {f"tags.{tag}": name for tag, name in source.tags.items()}
    if source.subject_key is not None:
        named["subject_key"] = source.subject_key
    apart = {*named.values(), source.timestamp, source.id} - features
    out = {f"features.{name}": values for name, values in inputs.items() if name not in apart}
    for wire, name in named.items():
        if name in inputs:          # else it is missing, as any other value may be
            out[wire] = inputs[name]
    return out


def _outputs(source: Source, payload: Payload) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    if source.classes and source.score is not None:
        out["prediction_score"] = _by_class(source, payload)
    elif source.score is not None:
        out["prediction_score"] = payload.pick(source.score)
    for wire, which in (
        ("prediction_label", source.label), ("prediction_value", source.value), ("model_decision", source.decision),
    ):  # fmt: skip
        if which is not None:
            out[wire] = payload.pick(which)
    return out


def _by_class(source: Source, payload: Payload) -> list[Any]:
    """``{class: probability}`` of each row. A place is that of the first class among all values of the row."""
    assert source.score is not None
    size = len(source.classes)
    if isinstance(source.score, int):
        flat = list(payload.laid_out().values())
        part = flat[source.score : source.score + size]
        if len(part) != size:
            raise Unreadable(f"has {len(flat)} values in a row; from place {source.score} there are not {size} classes")
        return [dict(zip(source.classes, row, strict=True)) for row in zip(*part, strict=True)]
    return [_scores(source.classes, value) for value in payload.pick(source.score)]


def _scores(classes: tuple[str, ...], value: Any) -> Any:
    if not isinstance(value, list):
        return value            # a map already, or missing, or what normalise will refuse
    if len(value) != len(classes):
        raise Unreadable(f"has {len(value)} scores in a row, and the source's 'classes' names {len(classes)}")
    return dict(zip(classes, value, strict=True))
