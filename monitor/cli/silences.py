"""``vigil silence``: hold calls for a while, and see what is held."""

from __future__ import annotations

import click

from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.out import Out, minute
from monitor.cli.root import silence

_maintenance = click.option("--maintenance", is_flag=True, help="A maintenance window, which another person approves.")


@on_service(silence, "create", example="vigil silence create model=credit --until 2026-08-01T12:00Z --why 'moving'")
@click.argument("matchers", nargs=-1, required=True)
@click.option("--until", required=True, metavar="TIME", help="When it ends.")
@click.option("--since", metavar="TIME", help="When it begins; now where absent.")
@click.option("--why", required=True, help="Goes into the audit trail.")
@_maintenance
def create(
    out: Out, client: Client, matchers: tuple[str, ...], until: str, since: str | None, why: str, maintenance: bool
) -> None:
    """Call nobody about incidents that match all of MATCHERS.

    Each is model=, kind=, severity=, attribute=, segment= or incident= and a value.
    """
    named = dict(_matcher(text) for text in matchers)
    body = {"matchers": named, "starts_at": since, "ends_at": until, "why": why}
    made = client.post(_path(maintenance), {name: value for name, value in body.items() if value is not None})
    out.value(made)
    out.line(f"{made['id']}: nobody is called until {minute(made['ends_at'])}")


@on_service(silence, "list", example="vigil silence list --state on")
@click.option("--state", type=click.Choice(["coming", "on", "over"]), help="Only these.")
@_maintenance
def list_silences(out: Out, client: Client, state: str | None, maintenance: bool) -> None:
    """List silences, the latest start first."""
    path = _path(maintenance)
    found = client.get(path, state=state)[path.removeprefix("/v1/").replace("-", "_")]
    out.value({"silences": found})
    rows = [
        (s["id"], s["state"], " ".join(f"{k}={v}" for k, v in s["matchers"].items()), minute(s["starts_at"]),
         minute(s["ends_at"]), s["by"], s["approved_by"] or "", s["why"])
        for s in found
    ]  # fmt: skip
    out.table(("id", "state", "for", "from", "to", "by", "approved by", "why"), rows)


@on_service(silence, "end", example="vigil silence end sil_0123456789abcdef")
@click.argument("id")
@_maintenance
def end(out: Out, client: Client, id: str, maintenance: bool) -> None:
    """End the silence ID now."""
    ended = client.post(f"{_path(maintenance)}/{id}/end", {})
    out.value(ended)
    out.line(f"{id} ends at {minute(ended['ends_at'])}")


def _path(maintenance: bool) -> str:
    return "/v1/maintenance-windows" if maintenance else "/v1/silences"


def _matcher(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}' is no matcher; write it as model=credit")
    return name, value
