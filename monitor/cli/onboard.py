"""``vigil onboard``: the draft of a model's declaration from what its service recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

from monitor.cli.command import on_machine
from monitor.cli.failure import USAGE, Failure
from monitor.cli.files import File, format_of
from monitor.cli.files.captures import events_of, said_by_path
from monitor.cli.files.texts import document_rows
from monitor.cli.out import Out
from monitor.cli.root import vigil
from monitor.codecs import Columns
from monitor.errors import InvalidInput
from monitor.events import cloudevents, families
from monitor.model.sources import KINDS, SELECTORS
from monitor.settings import Settings
from monitor.sources import databricks, mlflow, sagemaker
from monitor.sources.draft import Recorded, draft
from monitor.sources.exchange import Exchange
from monitor.sources.payload import Unreadable
from monitor.sources.protocols import read_payload, read_value
from monitor.sources.records import Record, records_of
from monitor.sources.rows import Misfitting

MOST = 1_000        # records that are looked at
MEDIA = "application/cloudevents+json"
_READ: Mapping[str, Callable[[Record], Exchange]] = {
    "sagemaker": sagemaker.exchange,
    "databricks": databricks.exchange,
    "mlflow": mlflow.exchange,
}


@on_machine(vigil, "onboard", example="""\
vigil onboard captures/churn/AllTraffic/2026/02/14/17/a.jsonl --out churn.yaml
vigil onboard request.json response.json --kind kserve""")
@click.argument("files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True)
@click.option(
    "--kind", type=click.Choice([k for k in KINDS if k != "bentoml"]), help="Who recorded it, where FILES do not tell."
)
@click.option("--model", metavar="NAME", help="What the model shall be called.")
@click.option("--out", "to", type=click.Path(path_type=Path), metavar="FILE", help="Where to write the draft.")
def onboard(
    out: Out, _settings: Settings, files: tuple[Path, ...], kind: str | None, model: str | None, to: Path | None
) -> None:
    """Draft a model's declaration from FILES that its service recorded.

    FILES: CloudEvents of KServe's or Seldon's logger, or what KServe's logger writes to a blob store; a SageMaker
    capture; rows of a Databricks inference table; lines {"request", "response"}; or two files, a request and its
    response. Lines of the draft that are marked FILL IN need a person; then 'vigil model apply' takes it.
    """
    recorded = _recorded(files, kind, model)
    if not recorded.exchanges:
        why = recorded.unread[0] if recorded.unread else "there is no record in it"
        raise Failure(f"{files[0]} holds no request with its response: {why}", "Record both, and give both", USAGE)
    text = draft(recorded)
    counts = {"requests": len(recorded.exchanges), "unread": len(recorded.unread)}
    out.value({"kind": recorded.kind, **counts, "draft": text})
    if to is not None:
        to.write_text(text, "utf-8")
        out.line(f"{to} is written; fill in its marked lines, then: vigil model apply {to}")
    else:
        out.line(text.rstrip())


def _recorded(files: tuple[Path, ...], kind: str | None, model: str | None) -> Recorded:
    opened = [File.of(path) for path in files]
    formats = {format_of(file) for file in opened}
    if len(opened) == 2 and formats == {"rows"}:
        exchange = _of_two(opened[0], opened[1])
        return Recorded(kind or _kind_of(exchange), [exchange], model=model, bodies=True)
    if len(formats) > 1 or formats == {"rows"}:
        mend = "Give a capture, CloudEvents, or two files: the request and the response"
        raise Failure(f"{files[0]} is no record of a model service that is known", mend, USAGE)
    found = formats.pop()
    if found == "kserve":
        return _of_events(opened, model)
    exchanges, unread, said = [], [], said_by_path(files[0], found)
    for record in islice((record for file in opened for record in _records(file)), MOST):
        try:
            exchanges.append(_READ[found](record))
            said |= {"endpoint": e} if found == "databricks" and (e := databricks.said(record).get("endpoint")) else {}
        except Misfitting as error:
            unread.append(f"{error.misfit.field} {error.misfit.reason}")
    said = {key: value for key, value in said.items() if key in SELECTORS[kind or found]}
    return Recorded(kind or found, exchanges, said, unread, model)


def _records(file: File) -> Iterator[Record]:
    if file.form == "ndjson":
        with file.stream() as stream:
            for line in stream:
                if line.strip() and isinstance(record := _json(file, line), dict):
                    yield {key: value for key, value in record.items() if value is not None}
    elif file.form == "json":
        yield from (r for r in document_rows(file, single=True)[0] if isinstance(r, dict))
    else:
        with file.seekable() as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=MOST):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                yield from records_of(Columns(columns, batch.num_rows))


def _of_two(request: File, response: File) -> Exchange:
    try:
        asked, answered = read_value(request.document(), "inputs"), read_value(response.document(), "outputs")
    except Unreadable as error:
        raise Failure(f"the request or the response {error}", "Give the two bodies as they were sent", USAGE) from error
    if asked.n_rows != answered.n_rows:
        mend = "Give first the request, then its response"
        raise Failure(f"the request has {asked.n_rows} rows and the response {answered.n_rows}", mend, USAGE)
    return Exchange(asked.id or "request", None, asked, answered)


def _kind_of(exchange: Exchange) -> str:
    """Two bodies alone: those of the Open Inference Protocol and of V1 are KServe's, others MLflow's."""
    return "mlflow" if exchange.inputs.named and exchange.inputs.id is None else "kserve"


def _of_events(files: list[File], model: str | None) -> Recorded:
    """Events in pairs by their id, in whatever order they stand."""
    halves: dict[str, dict[str, cloudevents.Event]] = {}
    said: dict[str, str] = {}
    kinds: list[str] = []
    unread = []
    for event in islice((event for file in files for event in events_of(file)), 2 * MOST):
        try:
            body = json.dumps(event).encode()
            found, refused = cloudevents.decode([(b"content-type", MEDIA.encode())], body, 1)
            if refused:
                raise cloudevents.Refused(refused[0].field, refused[0].reason)
            one = found[0]
            logged = families.read(one)
        except (ValueError, InvalidInput) as error:
            unread.append(str(error))
            continue
        halves.setdefault(logged.id, {})[logged.side] = one
        said |= logged.said
        kinds.append(logged.kind)
    exchanges = []
    for id_, pair in halves.items():
        try:
            if len(pair) < 2:
                raise Unreadable(f"of one id has a {next(iter(pair))} alone")
            asked, answered = pair["request"], pair["response"]
            inputs = read_payload(asked.data, "inputs", asked.content_type)
            outputs = read_payload(answered.data, "outputs", answered.content_type)
            exchanges.append(Exchange(id_, asked.time or answered.time, inputs, outputs,
                                      annotations=families.annotations_of(asked.attributes)))  # fmt: skip
        except Unreadable as error:
            unread.append(f"an event {error}")
    kind = kinds[0] if kinds else "kserve"
    return Recorded(kind, exchanges, {k: v for k, v in said.items() if k in SELECTORS[kind]}, unread, model)


def _json(file: File, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{file.path} is not JSON: {error}", "It must have one object a line", USAGE) from error
