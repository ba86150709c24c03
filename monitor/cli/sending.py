"""Files to the service, piece by piece: what was answered, what was refused, how far it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.batch import Kind
from monitor.cli.client import Client
from monitor.cli.cursor import Cursor
from monitor.cli.failure import REFUSED, USAGE, Failure
from monitor.cli.files import (
    EVENTS,
    Declared,
    File,
    Piece,
    bare_columns,
    column_names,
    has_times,
    pieces,
    to_wire_names,
)
from monitor.cli.out import Out

PATIENCE = 300.0        # seconds that a piece is sent again while the service is away or asks to wait


@dataclass(slots=True)
class Sent:
    """``answers``: the service's, each with its file; ``refused``: pieces of which no row could be taken; ``skipped``:
    pieces that an earlier run had sent."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0

    def count(self, name: str) -> int:
        return sum(int(answer[name]) for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Job:
    """What is sent, and how: ``rows`` a request (``None``: a file in one), ``formats`` that of each file."""

    model: str
    kind: Kind
    files: Sequence[Path]
    formats: Mapping[Path, str]
    rows: int | None
    rename: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def send(out: Out, client: Client, job: Job, cursor: Cursor | None = None) -> Sent:
    """Send every piece of every file. A piece of which no row can be taken is noted, and the rest goes on."""
    sent = Sent()
    sizes = {file: file.stat().st_size for file in job.files}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,} rows"),
               TimeRemainingColumn())  # fmt: skip
    terminal = out.console.is_terminal and not out.as_json
    with Progress(*columns, console=out.console, disable=not terminal, transient=True) as progress:
        task = progress.add_task("", total=sum(sizes.values()), rows=0)
        before = rows = 0
        for file in job.files:
            progress.update(task, description=file.name)
            done = cursor.done(file) if cursor else 0
            declared = _declared(out, client, job, file)
            for number, piece in enumerate(pieces(file, job.kind, job.rows, declared, job.rename, job.formats[file])):
                rows += piece.rows
                if number < done:
                    sent.skipped += 1
                else:
                    batch = _post(client, job, file, piece, sent)
                    if cursor and batch:
                        cursor.sent(file, number + 1, batch)
                progress.update(task, completed=before + sizes[file] * piece.share, rows=rows)
            before += sizes[file]
            progress.update(task, completed=before)
    if cursor:
        cursor.finished()
    return sent


def _post(client: Client, job: Job, file: Path, piece: Piece, sent: Sent) -> str | None:
    """The batch that a piece became; ``None`` where no row of it was good."""
    headers = {"Content-Type": piece.content_type, "Idempotency-Key": piece.key}
    path = "/v1/ingest/cloudevents" if piece.content_type == EVENTS else f"/v1/models/{job.model}/{job.kind}"
    try:
        query = {**piece.query, **job.query} if piece.content_type != EVENTS else None
        answer = client.send("POST", path, query=query, content=piece.body, headers=headers).json()
    except Failure as failure:
        if job.kind == "reference" or failure.exit_code != REFUSED or not any("row" in f for f in failure.faults):
            raise
        errors = [{**fault, "row": fault["row"] + piece.first} for fault in failure.faults]
        sent.refused.append({"file": str(file), "rejected": piece.rows, "errors": errors})
        return None
    for error in answer["errors"]:
        error["row"] += piece.first
    sent.answers.append({"file": str(file), **answer})
    batches = answer.get("batches") or [answer]
    return str(batches[-1]["batch_id"])


def _declared(out: Out, client: Client, job: Job, file: Path) -> Declared:
    """What the model declares, asked for only where the file has columns that need it."""
    if job.formats[file] != "rows":
        if job.formats[file] == "kserve" and not has_times(File.of(file)):
            _timed(client, job, file)
        return Declared()
    names = column_names(file)
    for column in job.rename.keys() - set(names) if names else ():
        raise Failure(f"{file} has no column '{column}'", f"Its columns are {', '.join(names)}", USAGE)
    if job.kind == "outcomes" or not bare_columns(names, job.kind, job.rename):
        declared = Declared()
    else:
        found = client.get(f"/v1/models/{job.model}")
        features = found["declaration"].get("features") or found["features"]
        declared = Declared(tuple(features), tuple(found["declaration"].get("protected_attributes", {})))
    left = [n for n in names if not to_wire_names(n, job.kind, declared, job.rename)]
    if left:
        out.remark(f"{file}: not sent, for the model does not declare them: {', '.join(left)}")
    return declared


def _timed(client: Client, job: Job, file: Path) -> None:
    """Events without a time count as of now, so what KServe's logger wrote to a blob store needs a time of its own."""
    sources = client.get(f"/v1/models/{job.model}")["declaration"].get("sources", [])
    if not any(s.get("timestamp") for s in sources if s.get("kind") in ("kserve", "seldon")):
        mend = "Name the input that holds the time: 'timestamp' in the model's source"
        raise Failure(f"{file}: the records have no time, and the model's source names none", mend, USAGE)
