"""Requests to MLflow's scoring server, and their answers, a line each: ``{"request_id", "timestamp", "request",
"response"}``, and where they are known ``model_version``, ``latency_ms`` and ``content_type`` of the request.

MLflow's server keeps no log of its own, so the line is Vigil's; request and response are as the server took and gave
them (https://mlflow.org/docs/latest/genai/serving/ and mlflow/pyfunc/scoring_server): ``dataframe_split``,
``dataframe_records``, ``instances``, ``inputs``, or CSV with a line of names; ``predictions``.
"""

from __future__ import annotations

from monitor.sources.exchange import Exchange
from monitor.sources.records import Record, instant, need_word, number, payload, word

_IDS = ("request_id", "client_request_id", "id")


def exchange(record: Record) -> Exchange:
    """One line. Raises ``Misfitting``.

    >>> line = {"request_id": "r-1", "timestamp": "2026-01-31T12:00:00Z",
    ...         "request": {"dataframe_split": {"columns": ["age"], "data": [[40]]}}, "response": {"predictions": [1]}}
    >>> exchange(line).inputs.columns
    {'age': [40]}
    """
    return Exchange(
        id=need_word(record, *_IDS),
        time=None if record.get("timestamp") is None else instant(record["timestamp"], "timestamp"),
        inputs=payload(record.get("request"), "request", "inputs", word(record, "content_type") or "", header=True),
        outputs=payload(record.get("response"), "response", "outputs"),
        version=word(record, "model_version"),
        fields={key: found for key in _IDS if (found := word(record, key))},
        latency_ms=number(record, "latency_ms"),
    )
