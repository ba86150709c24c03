"""Captures on disk: whose they are by their path and first record, and where a piece of them must not be cut."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from monitor.cli.failure import USAGE, Failure
from monitor.cli.files.opened import ENDINGS, File, bare_of
from monitor.cli.files.texts import document_rows
from monitor.sources.detect import detect

FORMATS = ("rows", "kserve", "sagemaker", "databricks", "mlflow", "bentoml")
_LONGEST = 1 << 26      # characters of a field of CSV
_HOUR = re.compile(r"(\d{4})/(\d\d)/(\d\d)/(\d\d)")


def files_of(paths: tuple[Path, ...]) -> list[Path]:
    """Files as they were named, and of folders all that have a known ending, in the order of their names, which is that
    of time in a capture's folders."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        within = sorted(p for p in path.rglob("*") if p.is_file() and _known(p))
        if not within:
            raise Failure(f"'{path}' holds no file with a known ending", f"Known are {', '.join(ENDINGS)}", USAGE)
        found += within
    return found


def _known(path: Path) -> bool:
    return bare_of(path).suffix in ENDINGS and not path.name.startswith((".", "_"))


def format_of(file: File) -> str:
    """The format of a file by its first record; ``rows`` where it is none that is known."""
    if file.form == "csv":
        return "kserve" if detect(next(_csv_rows(file), ())) == "kserve" else "rows"
    return detect(file.names() or first_record(file)) or "rows"


def first_record(file: File) -> Mapping[str, Any]:
    """The first object of a file of lines or of a document; empty where there is none."""
    found: Any = None
    if file.form == "ndjson":
        with file.stream() as stream:
            line = stream.readline(1 << 24)
        try:
            found = msgspec.json.decode(line)
        except msgspec.DecodeError:
            return {}
    elif file.form == "json":
        value = file.document()
        found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, dict) else {}


def has_times(file: File) -> bool:
    """Whether recorded events have a time; what KServe's logger writes to a blob store has none."""
    return "time" in first_record(file)


def said_by_path(path: Path, format_: str) -> dict[str, str]:
    """What the folders of a SageMaker capture say: ``ENDPOINT/VARIANT/yyyy/mm/dd/hh`` of a capture, and of ground truth
    the hour in which it was collected.

    >>> said_by_path(Path("s/churn/AllTraffic/2022/02/14/17/a.jsonl"), "sagemaker")
    {'timestamp': '2022-02-14T17:00:00Z', 'endpoint': 'churn', 'variant': 'AllTraffic'}
    """
    text = path.as_posix()
    found = _HOUR.search(text)
    if format_ != "sagemaker" or found is None:
        return {}
    before = [part for part in text[: found.start()].split("/") if part]
    said = {"timestamp": f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:00:00Z"}
    return said | (dict(zip(("endpoint", "variant"), before[-2:], strict=True)) if len(before) > 1 else {})


class _Fraction(msgspec.Struct):
    sampling_fraction: float | None = None


class _Request(msgspec.Struct):
    request_id: str | int | None = None


def fraction_of(line: bytes) -> object:
    """The sampling fraction of a row of an inference table: rows of two never share a request."""
    try:
        return msgspec.json.decode(line, type=_Fraction).sampling_fraction
    except msgspec.DecodeError:
        return None


def request_of(line: bytes) -> object:
    """The request that a line of BentoML's log belongs to."""
    try:
        return msgspec.json.decode(line, type=_Request).request_id
    except msgspec.DecodeError:
        return None


def events_of(file: File) -> Iterator[dict[str, Any]]:
    """KServe's and Seldon's events in a file, as CloudEvents in structured mode: they may stand there as such, or as
    the records that KServe's logger writes to a blob store."""
    if file.form == "json":
        yield from map(_event, document_rows(file, single=True)[0])
    elif file.form == "ndjson":
        with file.stream() as stream:
            for line in stream:
                if line.strip():
                    yield _event(msgspec.json.decode(line))
    elif file.form == "csv":
        yield from _csv_events(file)
    else:
        with file.seekable() as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=1_000):
                yield from map(_event, batch.to_pylist())


def _csv_rows(file: File) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST)
    with file.stream() as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        try:
            yield from csv.reader(text)
        except csv.Error as error:
            raise Failure(f"{file.path} cannot be read: {error}", "See that it is whole", USAGE) from error


def _csv_events(file: File) -> Iterator[dict[str, Any]]:
    rows = _csv_rows(file)
    names = next(rows, [])
    for row in rows:
        record = dict(zip(names, row, strict=False))
        yield _event(record | {"bytes": record.get("bytes", record.get("Bytes", "")).strip('"')})


def _event(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise Failure("a record is no object", "Name files of CloudEvents, or those of KServe's blob logger", USAGE)
    if "specversion" in record:
        return record
    # "InferenceService" in JSON; "inference_service", and by now "inferenceService", in Parquet and CSV
    own = {key.replace("_", "").lower(): value for key, value in record.items() if value not in (None, "")}
    data = own.get("bytes", "")
    return {
        "specversion": "1.0", "id": own.get("id"), "type": own.get("reqtype"), "source": "blob",
        "datacontenttype": own.get("contenttype") or "application/json",
        "data_base64": base64.b64encode(data).decode() if isinstance(data, bytes) else data,
        "inferenceservicename": own.get("inferenceservice"), "namespace": own.get("namespace"),
        "component": own.get("component"), "endpoint": own.get("endpoint"),
        "annotations": _json(own.get("annotations")), "metadata": _json(own.get("metadata")),
    }  # fmt: skip


def _json(found: Any) -> str | None:
    if isinstance(found, str):          # it is JSON's text already
        return found
    if isinstance(found, list):         # a map, as Arrow reads it
        found = dict(found)
    return msgspec.json.encode(found).decode() if found else None
