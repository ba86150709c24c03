"""Keys: who may do what. A key's secret is shown once; only its hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select, update

from monitor.clock import Now
from monitor.database import reading, writing
from monitor.errors import Forbidden, NotDurable, NotFound, Unauthenticated
from monitor.log.audit import Author, at_the_machine, note
from monitor.log.people import accounts, canonical, find_account
from monitor.log.tables import keys
from monitor.times import from_micros, to_micros

Scope = Literal["ingest", "read", "sensitive", "operate", "approve", "export", "admin"]
SCOPES: tuple[Scope, ...] = ("ingest", "read", "sensitive", "operate", "approve", "export", "admin")

_FRESH = 1.0        # seconds for which a key is taken to be as it was: another process may revoke it
STALE = 2 * _FRESH  # and after which none that answers takes it any more, however it asks
_MOST_KNOWN = 1_000
_USED_EVERY = 60 * 1_000_000       # how often "last used" is written, in microseconds: a request need not wait for it


@dataclass(frozen=True, slots=True)
class Principal:
    """Who stands behind a request. ``models`` ``None``: all of them. ``id`` is of the person's account, empty where
    there is none; ``role`` is given where the person signed in by it, and ``None`` where a key was sent."""

    owner: str
    kind: Literal["person", "machine"]
    scopes: frozenset[str]
    models: frozenset[str] | None
    id: str = ""
    role: str | None = None

    def may(self, scope: Scope, model: str | None = None) -> bool:
        """Whether it has the scope, and the model where one is named. ``admin`` implies every scope but
        ``sensitive``, which is only ever given by name."""
        has = scope in self.scopes or ("admin" in self.scopes and scope != "sensitive")
        return has and (model is None or self.models is None or model in self.models)

    def require(self, scope: Scope, model: str | None = None) -> None:
        """Raise ``Forbidden`` where it ``may`` not."""
        whose = "this key" if self.role is None else f"the role '{self.role}'"
        if not self.may(scope):
            mend = "Ask an administrator for a key that has it" if self.role is None else "Ask an administrator for it"
            raise Forbidden(f"{whose} lacks the scope '{scope}'", mend)
        if not self.may(scope, model):
            if self.role is not None:
                raise Forbidden(f"the model '{model}' is not among yours", "Ask an administrator for it")
            raise Forbidden(f"this key is not for the model '{model}'", "Use a key that names it")

    def require_administrator(self) -> None:
        """Raise ``Forbidden`` for all but an administrator of every model: people and keys belong to no model."""
        self.require("admin")
        if self.models is not None:
            raise Forbidden("this needs an administrator of all models", "Ask one who has no models named")

    def author(self, source: str) -> Author:
        """As the audit trail names it."""
        return Author({"id": self.owner, "kind": self.kind}, source)

    def require_person(self) -> None:
        if self.kind != "person":
            raise Forbidden("only a person may do this, and this is a machine's key", "Use a key of kind 'person'")


class Keys:
    """Keys in the log's database. A secret of 256 random bits needs no slow hash: there is nothing to guess."""

    def __init__(self, engine: Engine, now: Now) -> None:
        self.engine = engine
        self.now = now
        self._known: dict[str, tuple[float, int | None, Principal]] = {}

    def create(
        self,
        owner: str,
        kind: Literal["person", "machine"],
        scopes: frozenset[str],
        models: frozenset[str] | None = None,
        expires_at: int | None = None,
        by: Author | None = None,
    ) -> str:
        """Make a key, and return its text, which is nowhere kept. ``by`` whom: at the machine where nobody is named."""
        unknown = scopes - set(SCOPES)
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: no such scope; the scopes are {', '.join(SCOPES)}")
        prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        row = {
            "prefix": prefix,
            "hash": _hash(secret),
            "kind": kind,
            "owner": owner,
            "scopes": sorted(scopes),
            "models": None if models is None else sorted(models),
            "created_at": to_micros(self.now()),
            "expires_at": expires_at,
        }
        author = by or at_the_machine()
        told = {name: row[name] for name in ("owner", "kind", "scopes", "models")}
        told["expires_at"] = None if expires_at is None else from_micros(expires_at).isoformat()
        with writing(self.engine) as db:
            db.execute(insert(keys).values(**row))
            note(db, to_micros(self.now()), author.who, "key.create", prefix, None, told, author.source)
        return f"vgl_{prefix}_{secret}"

    def verify(self, token: str) -> Principal:
        """Whose key it is; ``Unauthenticated`` for one that is unknown, revoked or expired, without saying which."""
        read_at = time.monotonic()
        word, _, rest = token.partition("_")
        prefix, _, secret = rest.partition("_")
        at = to_micros(self.now())
        self._known.pop(token, None)
        with reading(self.engine) as db:
            row = db.execute(select(keys).where(keys.c.prefix == prefix)).mappings().first()
            good = row is not None and word == "vgl" and hmac.compare_digest(row["hash"], _hash(secret))
            found = _principal(db, row, at) if row is not None and good else None
        if row is None or found is None:
            raise Unauthenticated("this key is not valid", "Send 'Authorization: Bearer vgl_...' with a key that is")
        if (row["last_used_at"] or 0) + _USED_EVERY < at:
            with suppress(NotDurable), writing(self.engine) as db:      # a full disk must not shut readers out
                db.execute(update(keys).where(keys.c.prefix == prefix).values(last_used_at=at))
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[token] = (read_at + _FRESH, row["expires_at"], found)
        return found

    def recent(self, token: str) -> Principal | None:
        """Whose key it is, where it was verified a moment ago; no database is asked, which a hot path need not wait
        for. ``None`` where ``verify`` must be asked."""
        until, expires_at, found = self._known.get(token, (0.0, None, None))
        at = time.monotonic()
        if found is None or until + _FRESH < at or (expires_at and expires_at <= to_micros(self.now())):
            return None
        if until < at:      # who is told to verify it does so for all who come until then
            self._known[token] = (at + _FRESH, expires_at, found)
            return None
        return found

    def of_prefix(self, db: Connection, prefix: str) -> Principal | None:
        """Whose key has a prefix, where it is valid: for a session that was begun with it."""
        row = db.execute(select(keys).where(keys.c.prefix == prefix)).mappings().first()
        return None if row is None else _principal(db, row, to_micros(self.now()))

    def list(self) -> list[dict[str, Any]]:
        """Every key without its hash, the newest first; instants as text."""
        with reading(self.engine) as db:
            rows = db.execute(select(keys).order_by(keys.c.created_at.desc())).mappings().all()
        shown = []
        for row in rows:
            out = {k: v for k, v in row.items() if k != "hash"}
            for name in ("created_at", "expires_at", "revoked_at", "last_used_at"):
                out[name] = None if out[name] is None else from_micros(out[name]).isoformat()
            shown.append(out)
        return shown

    def revoke(self, prefix: str, by: Author | None = None) -> None:
        """Make a key invalid: here at once, in other processes within two seconds."""
        at, author = to_micros(self.now()), by or at_the_machine()
        with writing(self.engine) as db:
            found = db.execute(update(keys).where(keys.c.prefix == prefix).values(revoked_at=at)).rowcount
            if found:
                note(db, at, author.who, "key.revoke", prefix, None, None, author.source)
        self._known.clear()
        if not found:
            raise NotFound(f"there is no key with the prefix '{prefix}'", "'vigil keys list' shows them")


def _principal(db: Connection, row: Mapping[Any, Any], at: int) -> Principal | None:
    """Whose a key is; ``None`` where it is revoked or has expired. A person's key is that of the account of its owner,
    where there is one: two keys do not make two people, and a key ends with its person."""
    if row["revoked_at"] or (row["expires_at"] and row["expires_at"] <= at):
        return None
    models = None if row["models"] is None else frozenset(row["models"])
    owner, id = row["owner"], ""
    if row["kind"] == "person" and (account := find_account(db, accounts.c.name == canonical(owner))) is not None:
        if account.disabled_at is not None:
            return None
        owner, id = account.name, account.id
    return Principal(owner, row["kind"], frozenset(row["scopes"]), models, id)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
