"""``vigil keys``, ``config`` and ``metrics``: what an administrator does on the machine itself."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Literal

import click

from detectors.catalogue import CATALOGUE
from monitor.access import SCOPES, STALE, Keys
from monitor.cli.catalogue import catalogue_page
from monitor.cli.command import on_machine
from monitor.cli.out import Out, minute
from monitor.cli.root import config, keys, metrics
from monitor.clock import system_clock
from monitor.database import open_database
from monitor.migrate import migrate
from monitor.model.words import parse_duration
from monitor.settings import Settings
from monitor.times import from_micros, to_micros


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def open_keys(settings: Settings) -> Keys:
    """The keys, in a log that is made where there is none yet, and brought to this version where it is older: the first
    key comes before the first start, and after an upgrade one may too."""
    migrate(settings, names=("log",))
    return Keys(open_database(settings.log_url, durable=True), system_clock)


@on_machine(keys, "create", example="vigil keys create ana --scope read --scope operate --expires 90d")
@click.argument("owner")
@click.option("--kind", type=click.Choice(["person", "machine"]), default="person", show_default=True,
              help="Only a person may acknowledge, resolve and close.")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES),
              help="What it may do; give it once for each.")
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Only for this model; all where absent.")
@click.option("--expires", type=_Duration(), metavar="DURATION", help="How long it is valid, such as 90d.")
def create(
    out: Out,
    settings: Settings,
    owner: str,
    kind: Literal["person", "machine"],
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    expires: timedelta | None,
) -> None:
    """Make a key for OWNER. It is printed once and nowhere kept: only its hash is."""
    expires_at = None if expires is None else to_micros(system_clock() + expires)
    allowed = frozenset(models) or None
    key = open_keys(settings).create(owner, kind, frozenset(scopes), allowed, expires_at)
    until = None if expires_at is None else from_micros(expires_at).isoformat()
    made = {"key": key, "owner": owner, "kind": kind, "scopes": sorted(scopes), "expires_at": until}
    out.value({**made, "models": None if allowed is None else sorted(allowed)})
    out.line(key)
    out.remark("This key is shown once. Put it into VIGIL_KEY, or send it as 'Authorization: Bearer ...'.")


@on_machine(keys, "list", example="vigil keys list --json")
def list_keys(out: Out, settings: Settings) -> None:
    """Show the keys without their secrets, the newest first."""
    found = open_keys(settings).list()
    out.value({"keys": found})
    columns = ("prefix", "owner", "kind", "scopes", "models", "created", "expires", "last used", "revoked")
    rows = [
        (
            k["prefix"], k["owner"], k["kind"], " ".join(k["scopes"]),
            "all" if k["models"] is None else " ".join(k["models"]),
            *(minute(k[name]) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")),
        )
        for k in found
    ]  # fmt: skip
    out.table(columns, rows)


@on_machine(keys, "revoke", example="vigil keys revoke 3f9a01bc")
@click.argument("prefix")
def revoke(out: Out, settings: Settings, prefix: str) -> None:
    """End a key: once this is done no service takes it. PREFIX is the part between 'vgl_' and the next '_'."""
    open_keys(settings).revoke(prefix)
    time.sleep(STALE)
    out.value({"revoked": prefix})
    out.line(f"{prefix} is revoked")


@on_machine(config, "check", example="vigil config check --config vigil.toml")
def check(out: Out, settings: Settings) -> None:
    """See whether the settings can be used; exit code 2 and the mend where they cannot."""
    out.value({"valid": True})
    out.line("the settings are valid")


@on_machine(config, "show", example="vigil config show --json")
def show(out: Out, settings: Settings) -> None:
    """Show the settings in force, with secrets masked."""
    found = settings.shown()
    out.value(found)
    out.table(("setting", "value"), list(found.items()))


@on_machine(metrics, "list", example="vigil metrics list --json")
@click.option("--markdown", is_flag=True, help="Print the page docs/catalogue.md.")
def list_metrics(out: Out, settings: Settings, markdown: bool) -> None:
    """List every metric: unit, which way is worse, what it needs, what it rests on."""
    entries = CATALOGUE.values()
    out.value({"metrics": [asdict(e) for e in entries]})
    if markdown:
        click.echo(catalogue_page(), nl=False)
        return
    rows = [(e.name, e.family, e.unit, e.direction or "neither", ", ".join(e.needs), e.description) for e in entries]
    out.table(("metric", "family", "unit", "worse", "needs", "what it is"), rows)
