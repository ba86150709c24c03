"""Databricks inference tables: a row for each request, with request and response as JSON text.

Source: https://docs.databricks.com/aws/en/ai-gateway/inference-tables-serving-endpoints (``request_time``, a timestamp,
and ``served_entity_id``), and machine-learning/model-serving/inference-tables of the tables that ended in March 2026
(``timestamp_ms``, milliseconds since 1970, and ``request_metadata``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.sources.exchange import Exchange
from monitor.sources.records import Record, inner, instant, need_word, number, payload, word
from monitor.sources.rows import Misfitting

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDS = ("client_request_id", "databricks_request_id")


def exchange(record: Record) -> Exchange:
    """One row of a table, with either set of columns. Raises ``Misfitting``, also where the service answered with an
    error: nothing was predicted then.

    >>> row = {"databricks_request_id": "d-1", "timestamp_ms": 1700000000123, "status_code": 200,
    ...        "request": '{"dataframe_records": [{"age": 40}]}', "response": '{"predictions": [0.2]}'}
    >>> found = exchange(row)
    >>> found.id, found.time.isoformat(), found.inputs.columns
    ('d-1', '2023-11-14T22:13:20.123000+00:00', {'age': [40]})
    """
    status = word(record, "status_code")
    if status != "200":
        raise Misfitting("status_code", "is not 200: the service predicted nothing; such a request is left out")
    about = inner(record, "request_metadata")
    named = {"model_name": word(about, "model_name"), "endpoint_name": word(about, "endpoint_name")}
    named |= {key: word(record, key) for key in (*_IDS, "served_entity_id", "requester")}
    errors = record.get("logging_error_codes")
    for side in ("request", "response"):
        if record.get(side) is None and errors:
            raise Misfitting(side, "is not in the table: it was over the size that is logged")
    return Exchange(
        id=need_word(record, *_IDS),
        time=_time(record),
        inputs=payload(record.get("request"), "request", "inputs"),
        outputs=payload(record.get("response"), "response", "outputs"),
        version=word(record, "served_entity_id") or word(about, "model_version"),
        fields={key: value for key, value in named.items() if value is not None},
        sampling_rate=_rate(record),
        latency_ms=next((ms for key in _LATENCY if (ms := number(record, key)) is not None), None),
    )


_LATENCY = ("execution_duration_ms", "execution_time_ms")


def said(record: Record) -> dict[str, str]:
    """What a row says of whose traffic it is, as a source's selectors name it."""
    found = {
        "endpoint": word(inner(record, "request_metadata"), "endpoint_name"),
        "served_entity": word(record, "served_entity_id"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _time(record: Record) -> datetime:
    ms: Any = record.get("timestamp_ms")
    if ms is None:
        # Spark writes instants without a zone in Parquet, and means UTC; a text must say its own.
        found = record.get("request_time")
        return instant(found, "request_time", UTC if isinstance(found, datetime) else None)
    if isinstance(ms, bool) or not isinstance(ms, int) or not 0 <= ms < 2**53:
        raise Misfitting("timestamp_ms", "is no whole number of milliseconds since 1970")
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        raise Misfitting("timestamp_ms", "is beyond the year 9999; check that it is in milliseconds") from None


def _rate(record: Record) -> float | None:
    rate = number(record, "sampling_fraction")
    if rate is None:
        return None
    if not 0 < rate <= 1:
        raise Misfitting("sampling_fraction", "is not over 0 and up to 1")
    return rate
