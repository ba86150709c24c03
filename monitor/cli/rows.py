"""``vigil reference load`` and ``vigil ingest``: files of rows, and what model services recorded, to the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.batch import Kind
from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.cursor import Cursor, folder
from monitor.cli.failure import REFUSED, USAGE, Failure
from monitor.cli.files import FORMATS, File, files_of, format_of
from monitor.cli.out import Out
from monitor.cli.root import reference, vigil
from monitor.cli.sending import PATIENCE, Job, Sent, send
from monitor.cli.waiting import wait_folded

_rename = click.option(
    "--rename", multiple=True, metavar="COLUMN=FIELD", help="What a column of the file is: score=prediction_score."
)
_clock = click.option(
    "--clock", type=click.Choice(["wall", "event"]), default="wall", show_default=True,
    help="'event' marks a replay or backfill.",
)  # fmt: skip
_wait = click.option("--wait", is_flag=True, help="Until all of it is folded, so that a report has it.")
_file = click.Path(path_type=Path, exists=True, dir_okay=False)
_place = click.Path(path_type=Path, exists=True)


@on_service(reference, "load", patience=PATIENCE, example="""\
vigil reference load census-employment data/census/reference.parquet \\
    --rename score=prediction_score --rename prediction=prediction_label --rename label=actual_label""")
@click.argument("model")
@click.argument("file", type=_file)
@_rename
@_wait
def load(out: Out, client: Client, model: str, file: Path, rename: tuple[str, ...], wait: bool) -> None:
    """Load FILE as the reference of MODEL.

    Parquet, Arrow, CSV or JSON, packed or not, outcome columns inline. A column that is no field of the interface is
    taken as the feature or protected attribute of its name. Another reference replaces the one before, and all that was
    sent is measured against it anew.
    """
    sent = send(out, client, Job(model, "reference", [file], {file: "rows"}, None, _renames(rename)))
    if wait:
        wait_folded(client, [model])
    _tell(out, model, "reference", sent)


@on_service(vigil, "ingest", patience=PATIENCE, example="""\
vigil ingest census-employment predictions data/census/predictions.parquet --clock event \\
    --rename score=prediction_score --rename prediction=prediction_label
vigil ingest churn predictions captures/churn/AllTraffic --format sagemaker --sampling-rate 0.2""")
@click.argument("model")
@click.argument("kind", type=click.Choice(["predictions", "outcomes"]))
@click.argument("files", type=_place, nargs=-1, required=True)
@click.option(
    "--format", "format_", type=click.Choice(["auto", *FORMATS]), default="auto", show_default=True,
    help="Who wrote the files; 'rows' has the interface's own names. 'auto' looks at the first record of each.",
)  # fmt: skip
@_rename
@_clock
@click.option("--rows", type=click.IntRange(1, 100_000), default=10_000, show_default=True, help="Rows a request.")
@click.option("--sampling-rate", type=float, metavar="RATE", help="The share of all requests that the files hold.")
@click.option("--at", metavar="TIME", help="When ground truth became known, where its folder does not say so.")
@click.option("--cursor", type=click.Path(path_type=Path), metavar="FILE", help="Where to note how far it has come.")
@click.option("--again", is_flag=True, help="From the start, whatever an earlier run had sent.")
@_wait
def ingest(
    out: Out,
    client: Client,
    model: str,
    kind: Kind,
    files: tuple[Path, ...],
    format_: str,
    rename: tuple[str, ...],
    clock: str,
    rows: int,
    sampling_rate: float | None,
    at: str | None,
    cursor: Path | None,
    again: bool,
    wait: bool,
) -> None:
    """Send FILES, or all files of folders, as predictions or outcomes of MODEL.

    Rows: Parquet (.parquet), Arrow (.arrow, .arrows, .ipc, .feather), JSON (.json), one object a line (.jsonl, .ndjson,
    .log), CSV (.csv), each also packed (.gz, .zst). Columns are mapped as in 'vigil reference load'; JSON is sent under
    its own names. Captures of KServe, SageMaker, MLflow, Databricks and BentoML are read as the model's 'sources' say.

    Large files go in pieces. A run that was killed goes on where it stopped, and the same rows sent again count once.
    While the service asks to wait, it is waited for. Rejected rows are listed; the exit code is 1 where no row of some
    request was good.
    """
    named, found = _renames(rename), files_of(files)
    formats = {file: format_ if format_ != "auto" else format_of(File.of(file)) for file in found}
    query = {"clock": clock} | ({"timestamp": at} if at else {})
    query |= {"sampling_rate": str(sampling_rate)} if sampling_rate is not None else {}
    job = Job(model, kind, found, formats, rows, named, query)
    sent = send(out, client, job, _cursor(client, job, cursor, again))
    if wait:
        wait_folded(client, [model])
    _tell(out, model, kind, sent)


def _cursor(client: Client, job: Job, path: Path | None, again: bool) -> Cursor:
    run = {"url": client.url, "model": job.model, "kind": job.kind, "rows": job.rows, "rename": dict(job.rename),
           "query": dict(job.query), "files": [str(f.resolve()) for f in job.files],
           "formats": sorted(set(job.formats.values()))}  # fmt: skip

    def known(batch: str) -> bool:
        try:
            client.get(f"/v1/batches/{batch}")
        except Failure:
            return False
        return True

    cursor = Cursor(path, known) if path else Cursor.of(folder(), run, known)
    if again:
        cursor.finished()
        return Cursor(cursor.path, known)
    return cursor


def _renames(pairs: tuple[str, ...]) -> dict[str, str]:
    """
    >>> _renames(("score=prediction_score",))
    {'score': 'prediction_score'}
    """
    named = {}
    for pair in pairs:
        column, _, field = pair.partition("=")
        if not column or not field:
            raise Failure(f"--rename '{pair}' is not COLUMN=FIELD", "Write --rename score=prediction_score", USAGE)
        named[column] = field
    return named


def _tell(out: Out, model: str, kind: Kind, sent: Sent) -> None:
    accepted, refused = sent.count("accepted"), sum(int(r["rejected"]) for r in sent.refused)
    rejected = sent.count("rejected") + refused
    again = sum(a["accepted"] for a in sent.answers if a.get("repeated"))
    said: dict[str, Any] = {"accepted": accepted, "rejected": rejected, "repeated": again, "skipped": sent.skipped}
    out.value(said | {"batches": sent.answers, "refused": sent.refused})
    out.line(f"{model}: {accepted:,} rows of {kind} accepted, {rejected:,} rejected")
    if again:
        out.line(f"{again:,} of them had been sent before, and count once")
    if sent.skipped:
        out.line(f"{sent.skipped:,} requests were sent by an earlier run, and not again")
    for answer in [*sent.answers, *sent.refused]:
        for e in answer["errors"]:
            out.remark(f"  {answer['file']}, row {e['row']}: {e['field']}: {e['reason']}")
    if sent.count("rejected"):
        out.remark(f"GET /v1/models/{model}/rejects lists all rejected rows")
    if sent.refused:
        mend = "Mend the rows that are listed; what was good is taken, and counts once when it is sent again"
        raise Failure(f"no row of {len(sent.refused)} requests could be taken", mend, REFUSED)
