"""Accounts: made, changed and ended, each change with its entry in the audit trail; within ``writing`` of the log."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from monitor.errors import Conflict, InvalidInput, NotFound
from monitor.log.audit import Author, note
from monitor.log.people import Account, accounts, canonical, find_account
from monitor.people import sessions
from monitor.people.roles import checked

_NAME = re.compile(r"[^\W_][\w.@+' -]{0,126}[\w.]|[^\W_]")
_EMAIL = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,189}")


@dataclass(frozen=True, slots=True)
class New:
    """What an account is made of. ``hash`` is of its password; ``issuer`` and ``subject`` of who vouches for it."""

    name: str
    role: str
    email: str | None = None
    models: frozenset[str] | None = None
    sensitive: bool = False
    hash: str | None = None
    issuer: str | None = None
    subject: str | None = None


def create(db: Connection, at: int, new: New, by: Author) -> Account:
    """Make an account. ``Conflict`` where the name or the address is another's."""
    row = {
        "id": f"acc_{secrets.token_hex(8)}", "name": checked_name(new.name), "role": checked(new.role),
        "email": checked_email(new.email), "models": None if new.models is None else sorted(new.models),
        "sensitive": new.sensitive, "password_hash": new.hash, "issuer": new.issuer, "subject": new.subject,
        "created_at": at,
    }  # fmt: skip
    _no_other(db, name=row["name"], email=row["email"])
    db.execute(insert(accounts).values(**row))
    made = by_id(db, str(row["id"]))
    note(db, at, by.who, "person.create", made.name, None, made.rights, by.source)
    return made


def change(db: Connection, at: int, account: Account, changes: dict[str, Any], by: Author) -> Account:
    """Change some of ``role models sensitive email pagerduty_id disabled``. A new role, a narrower right and an end
    sign the person out everywhere; the last administrator stays one."""
    values = _values(at, account, changes)
    _no_other(db, account, email=values.get("email"), pagerduty_id=values.get("pagerduty_id"))
    loses = values.get("disabled_at") or values.get("role", "admin") != "admin"
    if account.role == "admin" and account.disabled_at is None and loses and _administrators(db) == 1:
        raise Conflict(f"'{account.name}' is the last administrator", "Make another person one first")
    if values:
        db.execute(update(accounts).where(accounts.c.id == account.id).values(**values))
    changed = by_id(db, account.id)
    if changed.rights != account.rights:
        note(db, at, by.who, "person.change", account.name, account.rights, changed.rights, by.source)
        if {"role", "models", "sensitive", "disabled_at"} & set(values):
            sessions.end_all(db, account)
    return changed


def set_password(db: Connection, at: int, account: Account, hash: str, by: Author) -> None:
    """Give an account a new password, and sign the person out everywhere."""
    db.execute(update(accounts).where(accounts.c.id == account.id).values(password_hash=hash))
    sessions.end_all(db, account)
    note(db, at, by.who, "person.password", account.name, None, None, by.source)


def by_id(db: Connection, id: str) -> Account:
    found = find_account(db, accounts.c.id == id)
    if found is None:
        raise NotFound(f"there is no person '{id[:64]}'", "GET /v1/people lists them")
    return found


def by_name(db: Connection, name: str) -> Account:
    found = find_account(db, accounts.c.name == canonical(name))
    if found is None:
        raise NotFound(f"there is no person '{name[:128]}'", "'vigil users list' shows them")
    return found


def listed(db: Connection) -> list[Account]:
    """Every account, in the order of names, those that were ended last."""
    query = select(accounts).order_by(accounts.c.disabled_at.is_not(None), accounts.c.name)
    return [Account.of(row) for row in db.execute(query).mappings()]


def checked_name(name: str) -> str:
    """A name as accounts have it.

    >>> checked_name(" Ana.Ruiz@example.org ")
    'ana.ruiz@example.org'
    """
    found = canonical(name)
    if not _NAME.fullmatch(found):
        raise InvalidInput(
            "a person's name has 1 to 128 letters, digits and . @ + ' - _, and begins with a letter or digit",
            "Take the name by which the person is known, or the address",
        )
    return found


def checked_email(email: str | None) -> str | None:
    """An address in lower case, by which people are compared; nothing where it is empty.

    >>> checked_email("Ana@Example.org"), checked_email(" ")
    ('ana@example.org', None)
    """
    found = canonical(email or "")
    if found and not _EMAIL.fullmatch(found):
        raise InvalidInput("'email' is no address", "Write it as name@host")
    return found or None


def _values(at: int, account: Account, changes: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in changes.items():
        match key:
            case "role":
                values["role"] = checked(value)
            case "email":
                values["email"] = checked_email(value)
            case "models":
                values["models"] = None if value is None else sorted(value)
            case "disabled":
                values["disabled_at"] = (account.disabled_at or at) if value else None
            case "sensitive":
                values["sensitive"] = value
            case "pagerduty_id":
                values["pagerduty_id"] = (value or "").strip() or None
            case _:
                raise AssertionError(f"'{key}' is nothing that is changed")
    now = account.rights | {"disabled_at": account.disabled_at}
    return {key: value for key, value in values.items() if now[key] != value}


def _no_other(db: Connection, account: Account | None = None, **unique: Any) -> None:
    """``Conflict`` where a value that only one may have is another's. The database holds it too."""
    for key, value in unique.items():
        other = None if value is None else find_account(db, accounts.c[key] == value)
        if other is not None and (account is None or other.id != account.id):
            raise Conflict(f"there is a person with this {key} already: '{other.name}'", "Take another one")


def _administrators(db: Connection) -> int:
    query = select(func.count()).select_from(accounts)
    found = db.execute(query.where(accounts.c.role == "admin", accounts.c.disabled_at.is_(None))).scalar_one()
    return int(found)

