"""A body of records, in one system's own format, as the columns of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from monitor.batch import Envelope, Kind
from monitor.codecs import decode as decode_table
from monitor.codecs.columns import Columns
from monitor.errors import InvalidInput
from monitor.model import ModelSpec
from monitor.model.sources import SELECTORS, Source
from monitor.sources import bentoml, databricks, mlflow, sagemaker
from monitor.sources.exchange import Exchange, gather
from monitor.sources.outcomes import ground_truth, targets
from monitor.sources.records import Record, records_of
from monitor.sources.rows import NO_OBJECT, Misfit, Misfitting

FORMATS = ("sagemaker", "databricks", "mlflow", "bentoml")
_READ: Mapping[str, Callable[[Record], Exchange]] = {
    "sagemaker": sagemaker.exchange,
    "databricks": databricks.exchange,
    "mlflow": mlflow.exchange,
}
Found = Iterator[tuple[Source, Exchange | Misfit]]


def decode(
    format: str, content_type: str, body: bytes, kind: Kind, query: Mapping[str, str], spec: ModelSpec
) -> Columns:
    """The rows of a body under the interface's names, read as the model's sources of this kind say.

    ``query`` may hold envelope keys, what the path of the records said (``endpoint``, ``variant``, ``monitor``), and
    ``timestamp``, the time at which SageMaker's ground truth became known. Raises as the codecs do, and
    ``InvalidInput`` for a format or a kind of rows that is not taken, a model without such a source, and records of
    several sampling rates.

    >>> decode("sage", "application/json", b"[]", "predictions", {}, ModelSpec("m", "regression"))
    Traceback (most recent call last):
    monitor.errors.InvalidInput: the format 'sage' is not known. Send one of sagemaker, databricks, mlflow, bentoml
    """
    if format not in FORMATS:
        raise InvalidInput(f"the format {format[:40]!r} is not known", f"Send one of {', '.join(FORMATS)}")
    table = decode_table(content_type, body, "outcomes", query)
    bad = {reject.row for reject in table.rejects}
    records = [None if i in bad else record for i, record in enumerate(records_of(table))]
    if kind == "outcomes" and format == "sagemaker":
        return ground_truth(records, table.envelope, query, spec)
    sources = [source for source in spec.sources if source.kind == format]
    if not sources:
        mend = f"Declare how it is read: sources: [{{kind: {format}, ...}}], or let 'vigil onboard' draft it"
        raise InvalidInput(f"'{spec.model}' declares no source of kind {format}", mend)
    if kind == "outcomes" and format != "bentoml":
        raise InvalidInput(f"{format} keeps no outcomes", "Send them under the interface's names, without 'format'")
    read = _lines if format == "bentoml" else _records
    found = list(read(format, records, sources, query))
    if kind == "outcomes":
        return targets(found, table.envelope, spec)
    return gather(found, frozenset(spec.features), _envelope(table.envelope, found, query))


def _records(
    format: str, records: Iterable[Record | None], sources: list[Source], query: Mapping[str, str]
) -> Found:
    """A request in each record."""
    path = {key: query[key] for key in SELECTORS[format] if key in query}
    for record in records:
        said = path | (databricks.said(record) if record is not None and format == "databricks" else {})
        source = _source(sources, said)
        if record is None:
            yield sources[0], NO_OBJECT
        elif source is None:
            reason = f"belongs to no source of this model: {_shown(said)}; declare one that takes it"
            yield sources[0], Misfit("", reason)
        else:
            try:
                exchange = _READ[format](record)
                yield source, replace(exchange, fields={**said, **exchange.fields})
            except Misfitting as error:
                yield source, error.misfit


def _lines(format: str, records: Iterable[Record | None], sources: list[Source], query: Mapping[str, str]) -> Found:
    """A row in each record, and a request in those that follow each other under one id."""
    source = _source(sources, {key: query[key] for key in SELECTORS[format] if key in query})
    if source is None:
        raise InvalidInput("none of the model's sources takes these records", "Say whose they are: ?monitor=NAME")
    for rows in bentoml.requests(record or {} for record in records):
        try:
            yield source, bentoml.exchange(source, rows)
        except Misfitting as error:
            yield from [(source, error.misfit)] * len(rows)


def _source(sources: list[Source], said: Mapping[str, str]) -> Source | None:
    """The source that names most of what a record says of itself."""
    takes = [source for source in sources if source.takes(said)]
    return max(takes, key=lambda source: len(source.selectors), default=None)


def _shown(said: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value[:60]!a}" for key, value in said.items()) or "it says nothing of whose it is"


def _envelope(
    envelope: Envelope, found: Iterable[tuple[Source, Exchange | Misfit]], query: Mapping[str, str]
) -> Envelope:
    """The sampling rate of the batch: what was sent with it, else what its records or their sources say."""
    if "sampling_rate" in query:
        return envelope
    rates = {e.sampling_rate or s.sampling_rate or 1.0 for s, e in found if isinstance(e, Exchange)}
    if len(rates) > 1:
        mend = "Send the records of each rate in a batch of their own"
        raise InvalidInput(f"the records are sampled at {len(rates)} different rates", mend)
    return replace(envelope, sampling_rate=rates.pop()) if rates else envelope
