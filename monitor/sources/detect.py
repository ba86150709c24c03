"""Which system wrote a record, told by its fields alone."""

from __future__ import annotations

from collections.abc import Iterable

WRITTEN: tuple[tuple[str, frozenset[str]], ...] = (
    ("sagemaker", frozenset({"captureData", "eventMetadata"})),
    ("sagemaker", frozenset({"groundTruthData", "eventMetadata"})),
    ("databricks", frozenset({"databricks_request_id", "request", "response"})),
    ("kserve", frozenset({"specversion", "type", "source"})),       # a CloudEvent of KServe's or Seldon's logger
    ("kserve", frozenset({"ReqType", "Bytes", "Id"})),              # KServe's logger to a blob store, JSON
    ("kserve", frozenset({"req_type", "bytes", "id"})),             # and Parquet,
    ("kserve", frozenset({"reqType", "bytes", "id"})),              # whose names, and those of CSV, are these by now
    ("mlflow", frozenset({"request", "response"})),
)


def detect(fields: Iterable[str]) -> str | None:
    """The format of records with these fields; ``None`` for rows under the interface's own names, or any others.
    BentoML's log has no fields that would tell it from those.

    >>> detect(["captureData", "eventMetadata", "eventVersion"]), detect(["prediction_id", "features"])
    ('sagemaker', None)
    """
    found = frozenset(fields)
    return next((format_ for format_, wanted in WRITTEN if wanted <= found), None)
