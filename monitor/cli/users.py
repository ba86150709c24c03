"""``vigil users`` and ``vigil audit``: people's accounts and what was done, on the machine itself."""

from __future__ import annotations

import sys
from typing import Any

import click

from monitor.access import Keys
from monitor.cli.admin import open_keys
from monitor.cli.command import on_machine
from monitor.cli.failure import Failure
from monitor.cli.out import Out, minute
from monitor.cli.root import audit, users
from monitor.clock import system_clock
from monitor.database import reading
from monitor.log.audit import at_the_machine
from monitor.log.audit import verify as verify_trail
from monitor.log.people import Account
from monitor.people import People
from monitor.people.accounts import New, by_name
from monitor.people.roles import ROLES
from monitor.settings import Settings
from monitor.times import from_micros

_ROLE = click.option("--role", type=click.Choice(ROLES), required=True, help="What the person may do.")
_STDIN = click.option("--password-stdin", is_flag=True, help="Take the password from stdin, and print none.")


def open_people(settings: Settings) -> People:
    """The people, in a database that is made where there is none yet: the first of them comes before the first
    start."""
    keys: Keys = open_keys(settings)
    return People(keys.engine, system_clock, keys)


@on_machine(users, "create", example="vigil users create ana --role admin --email ana@example.org")
@click.argument("name")
@_ROLE
@click.option("--email", help="Where notifications reach the person.")
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Only this model; all where absent.")
@click.option("--sensitive", is_flag=True, help="Let the person read rows with protected attributes.")
@_STDIN
def create(
    out: Out,
    settings: Settings,
    name: str,
    role: str,
    email: str | None,
    models: tuple[str, ...],
    sensitive: bool,
    password_stdin: bool,
) -> None:
    """Make an account for the person NAME, who signs in with it. A first password is printed once, and nowhere kept."""
    given = _from_stdin() if password_stdin else None
    new = New(name, role, email, frozenset(models) or None, sensitive)
    account, password = open_people(settings).create(new, at_the_machine(), given)
    _made(out, account, None if given else password)


@on_machine(users, "list", example="vigil users list --json")
def list_users(out: Out, settings: Settings) -> None:
    """Show who has an account."""
    found = open_people(settings).list()
    out.value({"users": [{"name": a.name, **a.rights, "seen_at": _when(seen)} for a, seen in found]})
    columns = ("name", "role", "email", "models", "signs in", "last seen", "")
    rows = [
        (
            a.name, f"{a.role}, sensitive" if a.sensitive else a.role, a.email or "",
            "all" if a.models is None else " ".join(sorted(a.models)), a.issuer or "password",
            minute(_when(seen)), "ended" if a.disabled_at else "",
        )
        for a, seen in found
    ]  # fmt: skip
    out.table(columns, rows)


@on_machine(users, "role", example="vigil users role ben --role responder")
@click.argument("name")
@_ROLE
def role(out: Out, settings: Settings, name: str, role: str) -> None:
    """Give a person another role. It signs the person out everywhere."""
    _change(out, settings, name, {"role": role}, f"has the role {role}")


@on_machine(users, "disable", example="vigil users disable ben")
@click.argument("name")
def disable(out: Out, settings: Settings, name: str) -> None:
    """End a person's account: its sessions, its links, and the keys that act as the person."""
    _change(out, settings, name, {"disabled": True}, "may not sign in any more")


@on_machine(users, "enable", example="vigil users enable ben")
@click.argument("name")
def enable(out: Out, settings: Settings, name: str) -> None:
    """Let a person sign in again whose account was ended."""
    _change(out, settings, name, {"disabled": False}, "may sign in again")


@on_machine(users, "password", example="vigil users password ana")
@click.argument("name")
@_STDIN
def password(out: Out, settings: Settings, name: str, password_stdin: bool) -> None:
    """Give a person a new password, which is printed once, and sign the person out everywhere."""
    given = _from_stdin() if password_stdin else None
    people = open_people(settings)
    account = _named(people, name)
    made = people.set_password(account.id, at_the_machine(), given)
    _made(out, account, None if given else made)


@on_machine(audit, "verify", example="vigil audit verify --seen 4161de44...")
@click.option("--seen", metavar="HASH", help="The last hash, as it was noted earlier: it shows a cut at the end.")
def verify(out: Out, settings: Settings, seen: str | None) -> None:
    """See whether the audit trail is as it was written. Exit code 1 where it is not."""
    engine = open_keys(settings).engine
    with reading(engine) as db:
        found = verify_trail(db, seen)
    engine.dispose()
    if found.why:
        where = "" if found.broken is None else f" at entry {found.broken}"
        raise Failure(f"the audit trail does not hold{where}: {found.why}", f"{found.entries:,} entries before it hold")
    out.value({"entries": found.entries, "head": found.head})
    out.line(f"the audit trail holds: {found.entries:,} entries, the last with the hash\n{found.head}")


def _change(out: Out, settings: Settings, name: str, changes: dict[str, Any], done: str) -> None:
    people = open_people(settings)
    account = people.change(_named(people, name).id, changes, at_the_machine())
    out.value({"name": account.name, **account.rights})
    out.line(f"{account.name} {done}")


def _made(out: Out, account: Account, password: str | None) -> None:
    out.value({"name": account.name, "role": account.role, "email": account.email, "password": password})
    if password is None:
        out.line(f"{account.name} signs in with the password that was given")
        return
    out.line(password)
    out.remark(f"This password of {account.name} is shown once. It is changed at /account once signed in.")


def _named(people: People, name: str) -> Account:
    with reading(people.engine) as db:
        return by_name(db, name)


def _from_stdin() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _when(at: int | None) -> str | None:
    return None if at is None else from_micros(at).isoformat()
