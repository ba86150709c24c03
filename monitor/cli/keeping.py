"""``vigil retention``, ``erase`` and ``rebuild``: what is kept, what is taken away, and the state made again."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from detectors.scope import rfc3339
from monitor.cli.command import on_machine
from monitor.cli.failure import USAGE, Failure
from monitor.cli.out import Out, minute
from monitor.cli.root import erase, retention, vigil
from monitor.database import reading, writing
from monitor.log import cuts, erasures, seals
from monitor.log.erasures import Erasure, Of
from monitor.log.sql import SqlLog
from monitor.logs import configure
from monitor.settings import Settings
from monitor.times import from_micros

if TYPE_CHECKING:
    from monitor.app import App

PAUSE = 0.2         # seconds between two looks at what another process does
_MODEL = click.option("--model", metavar="MODEL", help="Only this model; all where absent.")


@on_machine(retention, "show", example="vigil retention show --json")
@_MODEL
def show(out: Out, settings: Settings, model: str | None) -> None:
    """Show how long what is kept, what was cut of each model, and when it was sealed."""
    with _app(settings) as app:
        found = [_shown(app.log, name) for name in _names(app, model)]
    ages = {name: getattr(settings, f"retention_{name}_days") for name in ("raw", "protected", "summaries", "rejects")}
    out.value({"days": ages, "models": found})
    out.line(", ".join(f"{name} {days} days" for name, days in ages.items()))
    columns = ("model", "sealed", "up to segment", "rows cut up to", "protected up to", "rows cut")
    rows = [(m["model"], minute(m["sealed_at"]), m["sealed_upto"], m["rows_upto"], m["protected_upto"],
             m["cut"].get("rows", 0)) for m in found]  # fmt: skip
    out.table(columns, rows)


@on_machine(retention, "run", example="vigil retention run --model credit")
@_MODEL
def run(out: Out, settings: Settings, model: str | None) -> None:
    """Cut now what is too old. The worker does it every hour by itself."""
    with _app(settings) as app:
        names, went = _names(app, model), {}
        for name in app.log.models():       # a state that lags behind its seal cannot be cut
            app.worker.restore(name)
        parts = app.retention.drop_days(app.log.models())
        for name in names:
            went[name] = app.retention.run(name)
    out.value({"cut": went, "parts_dropped": parts})
    for name, of in went.items():
        out.line(f"{name}: " + (", ".join(f"{n:,} {what}" for what, n in of.items()) or "nothing is too old"))


@on_machine(erase, "request", example="vigil erase request --model credit --subject 8c1f --reason 'ticket 4711'")
@click.option("--model", required=True, metavar="MODEL", help="The model whose log is searched.")
@click.option("--subject", metavar="KEY", help="The subject_key of the person.")
@click.option("--prediction", metavar="ID", help="A prediction_id.")
@click.option("--reason", required=True, help="Why; it is recorded. The name is not.")
def request(
    out: Out, settings: Settings, model: str, subject: str | None, prediction: str | None, reason: str
) -> None:
    """Erase what is held of a person or a prediction, and record that it was done. It may run beside the service."""
    if (subject is None) == (prediction is None):
        raise Failure("an erasure is of a person or of a prediction", "Give --subject or --prediction", USAGE)
    of: Of = "subject" if prediction is None else "prediction"
    with _app(settings) as app:
        asked = app.ask_erasure(model, of, str(subject or prediction), _user(), reason)
        _carry_out(out, app, [asked])
        done = next(e for e in app.erasures(model) if e.id == asked.id)
    out.value(done.as_dict())
    out.line(f"{done.id}: " + (", ".join(f"{n:,} {kind}" for kind, n in done.counts.items()) or "nothing was there"))


@on_machine(erase, "list", example="vigil erase list --out erasures.json")
@_MODEL
@click.option("--out", "file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the list that a restored backup needs ('vigil erase reapply').")
def list_erasures(out: Out, settings: Settings, model: str | None, file: Path | None) -> None:
    """Show what was erased, by whom and why; or write it to a file, with the hashes that stand for whom."""
    with _app(settings) as app, reading(app.log.engine) as db:
        found = erasures.of_model(db, model)
    if file is not None:
        _write(file, found)
        out.remark(f"{file} has {len(found)} erasures. Keep it apart from the backups, and as safe as the database")
    out.value({"erasures": [e.as_dict() for e in found]})
    out.table(("erasure", "model", "of", "at", "by", "reason", "done", "rows"), [
        (e.id, e.model, e.of, minute(_rfc(e.at)), e.by, e.reason, minute(_rfc(e.done_at)), sum(e.counts.values()))
        for e in found
    ])  # fmt: skip


@on_machine(erase, "reapply", example="vigil erase reapply --list erasures.json")
@click.option("--list", "file", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="What 'vigil erase list --out' wrote.")
def reapply(out: Out, settings: Settings, file: Path) -> None:
    """Erase again, from a database that was restored from a backup, all that the list names."""
    known = _read(file)
    with _app(settings) as app:
        there = set(app.log.models())
        mine = [e for e in known if e.model in there]
        with writing(app.log.engine) as db:
            for erasure in mine:
                erasures.ask_again(db, erasure)
        _carry_out(out, app, mine)
        with reading(app.log.engine) as db:
            rows = {e.id: sum(e.counts.values()) for e in erasures.of_model(db) if e.id in {m.id for m in mine}}
    out.value({"erasures": len(mine), "rows": rows})
    out.line(f"{len(mine)} erasures carried out again, {sum(rows.values()):,} rows in all")


@on_machine(vigil, "rebuild", example="vigil rebuild --model credit")
@_MODEL
def rebuild(out: Out, settings: Settings, model: str | None) -> None:
    """Delete a model's state and make it again from its seal and the log. Stop the service and the worker first."""
    from monitor.worker.restoring import forget

    with _app(settings) as app, _progress(out) as progress:
        for name in _names(app, model):
            head = app.log.head().get(name, 0)
            task = progress.add_task(name, total=max(head, 1))
            state = app.model_state(name)
            if state is not None:
                forget(app.state, state.id)

            def told(done: int, _of: int, task: TaskID = task) -> None:
                progress.update(task, completed=done)

            app.worker.restore(name, told)
            while app.worker.step(name):
                now = app.model_state(name)
                progress.update(task, completed=now.cursor if now is not None else 0)
            progress.update(task, completed=max(head, 1))
        names = _names(app, model)
    out.value({"rebuilt": names})
    out.line(f"made again: {', '.join(names)}")


@contextmanager
def _app(settings: Settings) -> Iterator[App]:
    from monitor.app import App  # not at the top: what needs no worker need not wait for all of it

    configure("warning", settings.log_format)
    app = App(settings)
    try:
        yield app
    finally:
        app.stop()


@contextmanager
def _progress(out: Out) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    terminal = out.console.is_terminal and not out.as_json
    with Progress(*columns, console=out.console, disable=not terminal, transient=True) as progress:
        yield progress


def _names(app: App, model: str | None) -> list[str]:
    names = app.log.models()
    if model is not None and model not in names:
        raise Failure(f"no model '{model}' is declared", f"Declared are {', '.join(names) or 'none'}")
    return names if model is None else [model]


def _carry_out(out: Out, app: App, asked: list[Erasure]) -> None:
    """Carry out erasures; rows that are not folded yet are folded here, or by the worker that runs already."""
    from monitor.worker.erasing import Eraser

    models = sorted({e.model for e in asked})
    with _progress(out) as progress:
        task = progress.add_task("erasing", total=len(models) or 1)
        for name in models:
            app.worker.restore(name)
            while True:
                Eraser(app.keeper, name).run()
                with reading(app.log.engine) as db:
                    if not erasures.pending(db, name):
                        break
                if not app.worker.step(name):
                    time.sleep(PAUSE)
            progress.advance(task)


def _shown(log: SqlLog, name: str) -> dict[str, Any]:
    with reading(log.engine) as db:
        seal, cut = seals.find(db, name), cuts.find(db, name)
    return {
        "model": name,
        "sealed_at": None if seal is None else _rfc(seal.at),
        "sealed_upto": None if seal is None else seal.seq,
        "rows_upto": cut.rows_upto,
        "protected_upto": cut.blind_upto,
        "summaries_upto": cut.summaries_upto,
        "measured_from": _rfc(cut.measured_from or None),
        "cut": cut.counts,
    }


def _write(file: Path, found: list[Erasure]) -> None:
    """The list holds the key of its hashes: nobody but its owner may read it."""
    said = [asdict(e) | {"key": base64.b64encode(e.key).decode()} for e in found]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as to:
        os.fchmod(to.fileno(), 0o600)       # of a file that was there before too
        json.dump({"version": 1, "erasures": said}, to, indent=1)


def _read(file: Path) -> list[Erasure]:
    try:
        said = json.loads(file.read_text("utf-8"))
        return [Erasure(**e | {"key": base64.b64decode(e["key"])}) for e in said["erasures"]]
    except (ValueError, TypeError, KeyError) as error:
        mend = "Give the file that 'vigil erase list --out' wrote"
        raise Failure(f"{file} is no list of erasures", mend, USAGE) from error


def _rfc(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(from_micros(instant))


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"
