"""``vigil notify``: try a channel, see what was sent and what could not be, and send that again."""

from __future__ import annotations

import os
from secrets import token_hex
from typing import Any

import click
from sqlalchemy import Engine

from incidents.incident import State
from incidents.notices import Notice, NoticeKind
from incidents.routing import Route
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.cli.command import on_machine
from monitor.cli.failure import REFUSED, UNREACHABLE, USAGE, Failure
from monitor.cli.out import Out, minute
from monitor.cli.root import notify
from monitor.clock import system_clock
from monitor.database import open_database, reading, writing
from monitor.log import notifications
from monitor.log.sql import SqlLog
from monitor.senders import queue
from monitor.senders.channels.base import Extra, open_channel
from monitor.senders.routes import Routes, routes_of_file
from monitor.settings import Settings
from monitor.times import from_micros, to_micros

TIMEOUT = 15.0      # seconds, as in earnest
MOST = 1_000


@on_machine(notify, "test", example="vigil notify test slack\nvigil notify test pagerduty --model credit")
@click.argument("channel")
@click.option("--model", metavar="MODEL", help="As declared for this model; else as VIGIL_NOTIFY_FILE says.")
def try_channel(out: Out, settings: Settings, channel: str, model: str | None) -> None:
    """Really send a test message to CHANNEL, the name of a route, and say what the receiver answered.

    Run it where the service runs, with its environment: addresses and secrets stand there. Exit code 1 where it was
    refused, 3 where nothing answers or the same may go well later.
    """
    route = _route(_routes(settings, model), channel)
    opened = open_channel(route, os.environ, settings)
    notice = _notice(model or "test", channel)
    body = opened.body(notice, Extra(url=settings.public_url))
    result = opened.send(f"ntf_test_{token_hex(8)}", body, TIMEOUT)
    out.value({"channel": channel, "kind": route.kind.value, "ok": result.ok, "status": result.status,
               "retry": result.retry, "detail": result.detail})  # fmt: skip
    if not result.ok:
        later = f"; it asks to wait for {result.retry_after:g} s" if result.retry_after else ""
        mend = f"See {_where(route)}, and what the receiver's own log says{later}"
        raise Failure(f"{channel} ({route.kind}): {result.detail}", mend, UNREACHABLE if result.retry else REFUSED)
    out.line(f"{channel} ({route.kind}): {result.detail}")


@on_machine(notify, "list", example="vigil notify list --state dead")
@click.option("--state", type=click.Choice(["waiting", "delivered", "dropped", "dead"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
def list_notifications(out: Out, settings: Settings, state: str | None, limit: int) -> None:
    """Show notifications, the latest first: to whom, what, how often it was tried."""
    with reading(_log(settings)) as db:
        found = [_as_text(row) for row in notifications.newest(db, state, limit)]
    out.value({"notifications": found})
    columns = ("id", "channel", "model", "incident", "says", "step", "state", "attempts", "due", "next")
    names = ("id", "channel", "model", "incident", "kind", "step", "state", "attempts")
    rows = [(*(row[n] for n in names), minute(row["due_at"]), minute(row["next_at"])) for row in found]
    out.table(columns, rows)


@on_machine(notify, "retry", example="vigil notify retry ntf_0123456789abcdef01234567")
@click.argument("id")
def retry(out: Out, settings: Settings, id: str) -> None:
    """Send a dead letter again. ID is that of 'vigil notify list --state dead'."""
    with writing(_log(settings)) as db:
        there = queue.retry(db, id, to_micros(system_clock()))
    if not there:
        raise Failure(f"no dead letter has the id '{id}'", "'vigil notify list --state dead' shows them")
    out.value({"retried": id})
    out.line(f"{id} is tried again")


def _log(settings: Settings) -> Engine:
    return open_database(settings.log_url, durable=True)


def _routes(settings: Settings, model: str | None) -> tuple[Route, ...]:
    default = routes_of_file(settings.notify_file)
    if model is None:
        return default
    log = SqlLog(_log(settings))
    if log.declaration(model) is None:
        raise Failure(f"no model '{model}' is declared", "'vigil model list' shows them")
    return Routes(log, default)(model)


def _route(routes: tuple[Route, ...], name: str) -> Route:
    for route in routes:
        if route.name == name:
            return route
    known = ", ".join(route.name for route in routes)
    mend = f"There are {known}" if known else "Name a --model that declares 'notify', or set VIGIL_NOTIFY_FILE"
    raise Failure(f"there is no channel '{name}' here", mend, USAGE)


def _where(route: Route) -> str:
    """Where the receiver is named, without what it is."""
    named = [name for name in (route.url_env, route.key_env, route.secret_env) if name]
    return ", ".join(named) if named else "VIGIL_SMTP_URL"


def _notice(model: str, channel: str) -> Notice:
    at = system_clock()
    return Notice(
        id=f"ntc_test_{token_hex(8)}", kind=NoticeKind.TEST, at=at, incident=f"test_{token_hex(8)}", model=model,
        fingerprint=Fingerprint(model, Kind.SERVICE), episode=0, severity=Severity.INFO, state=State.OPEN,
        title=f"this is a test of the channel '{channel}', and nothing is wrong",
        summary="Sent by 'vigil notify test'.", started_at=at, opened_at=at,
    )  # fmt: skip


def _as_text(row: dict[str, Any]) -> dict[str, Any]:
    instants = {name: from_micros(row[name]).isoformat() for name in ("due_at", "next_at")}
    return {**row, **instants}
