"""``vigil reference load`` and ``vigil ingest``: files of rows to the service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from monitor.batch import Kind
from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.failure import USAGE, Failure
from monitor.cli.files import Declared, bare_columns, column_names, pieces, to_wire_names
from monitor.cli.out import Out
from monitor.cli.root import reference, vigil
from monitor.cli.waiting import wait_folded

PATIENCE = 60.0     # seconds that a piece is sent again while the service is away or asks to wait

_rename = click.option(
    "--rename", multiple=True, metavar="COLUMN=FIELD", help="What a column of the file is: score=prediction_score."
)
_clock = click.option(
    "--clock", type=click.Choice(["wall", "event"]), default="wall", show_default=True,
    help="'event' marks a replay or backfill.",
)  # fmt: skip
_wait = click.option("--wait", is_flag=True, help="Until all of it is folded, so that a report has it.")
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@on_service(reference, "load", patience=PATIENCE, example="""\
vigil reference load census-employment data/census/reference.parquet \\
    --rename score=prediction_score --rename prediction=prediction_label --rename label=actual_label""")
@click.argument("model")
@click.argument("file", type=_file)
@_rename
@_wait
def load(out: Out, client: Client, model: str, file: Path, rename: tuple[str, ...], wait: bool) -> None:
    """Load FILE as the reference of MODEL.

    Parquet, Arrow or JSON, outcome columns inline. A column that is no field of the interface is taken as the feature
    or protected attribute of its name. Another reference replaces the one before, and all that was sent is measured
    against it anew.
    """
    answers = _send(out, client, model, "reference", [file], None, rename, {})
    if wait:
        wait_folded(client, [model])
    _tell(out, model, "reference", answers)


@on_service(vigil, "ingest", patience=PATIENCE, example="""\
vigil ingest census-employment predictions data/census/predictions.parquet --clock event \\
    --rename score=prediction_score --rename prediction=prediction_label""")
@click.argument("model")
@click.argument("kind", type=click.Choice(["predictions", "outcomes"]))
@click.argument("files", type=_file, nargs=-1, required=True)
@_rename
@_clock
@click.option("--rows", type=click.IntRange(1, 100_000), default=10_000, show_default=True, help="Rows a request.")
@_wait
def ingest(
    out: Out,
    client: Client,
    model: str,
    kind: Kind,
    files: tuple[Path, ...],
    rename: tuple[str, ...],
    clock: str,
    rows: int,
    wait: bool,
) -> None:
    """Send FILES as predictions or outcomes of MODEL.

    Formats: Parquet (.parquet), Arrow (.arrow, .arrows, .ipc, .feather), JSON (.json, .jsonl, .ndjson). Columns are
    mapped as in 'vigil reference load'; JSON is sent under its own names. The same file sent again counts once.
    Rejected rows are listed, and do not change the exit code unless no row of a request was good.
    """
    answers = _send(out, client, model, kind, files, rows, rename, {"clock": clock})
    if wait:
        wait_folded(client, [model])
    _tell(out, model, kind, answers)


def _send(
    out: Out,
    client: Client,
    model: str,
    kind: Kind,
    files: Iterable[Path],
    rows: int | None,
    rename: tuple[str, ...],
    query: dict[str, str],
) -> list[dict[str, Any]]:
    named = _renames(rename)
    answers = []
    terminal = out.console.is_terminal and not out.as_json
    with Progress(console=out.console, disable=not terminal, transient=True) as progress:
        for file in files:
            declared = _declared(out, client, model, kind, file, named)
            task = progress.add_task(file.name, total=None)
            for piece in pieces(file, kind, rows, declared, named):
                headers = {"Content-Type": piece.content_type, "Idempotency-Key": piece.key}
                path = f"/v1/models/{model}/{kind}"
                answer = client.send("POST", path, query=query, content=piece.body, headers=headers).json()
                for error in answer["errors"]:
                    error["row"] += piece.first
                answers.append({"file": str(file), **answer})
                progress.advance(task, piece.rows)
    return answers


def _declared(out: Out, client: Client, model: str, kind: Kind, file: Path, rename: dict[str, str]) -> Declared:
    """What the model declares, asked for only where the file has columns that need it."""
    names = column_names(file)
    for column in rename.keys() - set(names) if names else ():
        raise Failure(f"{file} has no column '{column}'", f"Its columns are {', '.join(names)}", USAGE)
    if kind == "outcomes" or not bare_columns(names, kind, rename):
        declared = Declared()
    else:
        found = client.get(f"/v1/models/{model}")
        features = found["declaration"].get("features") or found["features"]
        declared = Declared(tuple(features), tuple(found["declaration"].get("protected_attributes", {})))
    left = [n for n in names if not to_wire_names(n, kind, declared, rename)]
    if left:
        out.remark(f"{file}: not sent, for the model does not declare them: {', '.join(left)}")
    return declared


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


def _tell(out: Out, model: str, kind: Kind, answers: list[dict[str, Any]]) -> None:
    accepted, rejected = (sum(a[name] for a in answers) for name in ("accepted", "rejected"))
    again = sum(a["accepted"] for a in answers if a.get("repeated"))
    out.value({"accepted": accepted, "rejected": rejected, "repeated": again, "batches": answers})
    out.line(f"{model}: {accepted:,} rows of {kind} accepted, {rejected:,} rejected")
    if again:
        out.line(f"{again:,} of them had been sent before, and count once")
    for answer in answers:
        for e in answer["errors"]:
            out.remark(f"  {answer['file']}, row {e['row']}: {e['field']}: {e['reason']}")
    if rejected:
        out.remark(f"GET /v1/models/{model}/rejects lists all rejected rows")
