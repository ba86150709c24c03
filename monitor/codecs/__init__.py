"""One codec for each wire format, ``bytes -> Columns``; ``normalise`` then types them by the declaration to a Batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.batch import Kind
from monitor.codecs.arrow import decode_arrow
from monitor.codecs.columns import Columns
from monitor.codecs.csv_body import decode_csv
from monitor.codecs.infer import infer_features
from monitor.codecs.json_body import decode_json
from monitor.codecs.ndjson import decode_ndjson
from monitor.codecs.normalise import normalise
from monitor.codecs.parquet import decode_parquet
from monitor.codecs.segment import from_ipc, to_ipc
from monitor.errors import UnsupportedFormat

__all__ = ["FORMATS", "Columns", "decode", "from_ipc", "infer_features", "normalise", "to_ipc"]

FORMATS: dict[str, Callable[[bytes, Kind, Mapping[str, str]], Columns]] = {
    "application/json": decode_json,
    "application/x-ndjson": decode_ndjson,
    "application/ndjson": decode_ndjson,
    "application/jsonl": decode_ndjson,
    "application/vnd.apache.arrow.stream": decode_arrow,
    "application/vnd.apache.parquet": decode_parquet,
    "text/csv": decode_csv,
}


def decode(content_type: str, body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """The columns of a request's body. ``query`` may hold envelope keys; others are the caller's and are not looked at.

    Raises ``UnsupportedFormat``, ``MalformedBody``, ``TooLarge``, or ``InvalidInput`` for a wrong envelope.

    >>> decode("text/xml", b"", "predictions", {})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    monitor.errors.UnsupportedFormat: The content type 'text/xml' is not taken here. Send one of application/json, ...
    """
    media, _, parameters = content_type.partition(";")
    codec = FORMATS.get(media.strip().lower())
    if codec is None:
        mend = f"Send one of {', '.join(FORMATS)}"
        raise UnsupportedFormat(f"The content type {media.strip()[:100]!a} is not taken here", mend)
    for parameter in parameters.lower().split(";"):
        name, _, charset = parameter.strip().partition("=")
        if name != "charset" or charset.strip('"') in ("utf-8", "utf8", "us-ascii"):
            continue
        raise UnsupportedFormat("The charset is not taken here", "Send text encoded as UTF-8")
    return codec(body, kind, query)
