"""SageMaker data capture, and the ground truth that is merged with it.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html and
model-monitor-model-quality-merge.html. A line of a capture holds request and response as text in one of three
encodings; times are ISO 8601; the id is ``inferenceId`` where the caller gave one, else ``eventId``.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from monitor.sources.exchange import Exchange
from monitor.sources.payload import Payload, Side
from monitor.sources.records import Record, inner, instant, need_word, payload, word
from monitor.sources.rows import Misfitting

_MEDIA = {"CSV": "text/csv", "JSON": "application/json"}


def exchange(record: Record) -> Exchange:
    """One line of a capture. Raises ``Misfitting``.

    >>> line = {"captureData": {"endpointInput": {"data": "40,1", "encoding": "CSV"},
    ...                         "endpointOutput": {"data": "0.25", "encoding": "CSV"}},
    ...         "eventMetadata": {"eventId": "e-1", "inferenceTime": "2022-02-14T17:25:49Z"}}
    >>> found = exchange(line)
    >>> found.id, found.inputs.columns, found.outputs.columns
    ('e-1', {'0': [40], '1': [1]}, {'0': [0.25]})
    """
    about, captured = inner(record, "eventMetadata"), inner(record, "captureData")
    attributes = about.get("customAttributes")
    return Exchange(
        id=need_word(about, "inferenceId", "eventId"),
        time=instant(about.get("inferenceTime"), "eventMetadata.inferenceTime"),
        inputs=_decoded(inner(captured, "endpointInput"), "captureData.endpointInput", "inputs"),
        outputs=_decoded(inner(captured, "endpointOutput"), "captureData.endpointOutput", "outputs"),
        annotations=_annotations(attributes if isinstance(attributes, list) else []),
        fields={key: found for key in ("inferenceId", "eventId") if (found := word(about, key))},
    )


def _annotations(attributes: list[Any]) -> dict[str, str]:
    """``["version=3"]`` as names and values: what the caller said in the custom attributes of the invocation."""
    pairs = (item.split("=", 1) for text in attributes if isinstance(text, str) for item in text.split(","))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def ground_truth(record: Record, known: datetime | None) -> tuple[str, list[Any], datetime]:
    """The request's id, the truth of each of its rows, and when it became known: the record holds no time, so ``known``
    must tell it (the hour in the path of its file). Some public code writes ``inferenceId`` for ``eventId``.

    >>> ground_truth({"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "e-1"}},
    ...              datetime(2022, 3, 1))[:2]
    ('e-1', [1])
    """
    about = inner(record, "eventMetadata")
    id_ = need_word(about, "eventId", "inferenceId")
    if known is None:
        raise Misfitting(
            "timestamp", "is missing, for ground truth holds no time; add ?timestamp=, the hour that its path names"
        )
    found = _decoded(inner(record, "groundTruthData"), "groundTruthData", "outputs")
    flat = found.laid_out()
    if len(flat) != 1 and found.n_rows != 1:
        raise Misfitting("groundTruthData", "has several values in each of several rows; send one label for each row")
    return id_, [v for values in flat.values() for v in values], known


def _decoded(part: Record, where: str, side: Side) -> Payload:
    encoding, data = part.get("encoding"), part.get("data")
    media = str(part.get("observedContentType") or "")
    if not isinstance(data, str):
        raise Misfitting(where, "is missing; capture input and output (CaptureOptions)")
    if encoding == "BASE64":
        return payload(_unpacked(data, where), where, side, media)
    if encoding not in _MEDIA:
        raise Misfitting(where, "has an encoding that is none of CSV, JSON and BASE64")
    return payload(data, where, side, media if encoding == "JSON" and "lines" in media else _MEDIA[encoding])


def _unpacked(data: str, where: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise Misfitting(where, "is no base64, which its encoding says it is") from None
