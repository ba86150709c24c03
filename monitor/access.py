"""Keys: who may do what. A key's secret is shown once; only its hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine, insert, select, update

from monitor.clock import Now
from monitor.database import reading, writing
from monitor.errors import Forbidden, NotDurable, NotFound, Unauthenticated
from monitor.log.tables import keys
from monitor.times import from_micros, to_micros

Scope = Literal["ingest", "read", "sensitive", "operate", "export", "admin"]
SCOPES: tuple[Scope, ...] = ("ingest", "read", "sensitive", "operate", "export", "admin")

_FRESH = 1.0        # seconds for which a key is taken to be as it was: another process may revoke it
_MOST_KNOWN = 1_000
_USED_EVERY = 60 * 1_000_000       # how often "last used" is written, in microseconds: a request need not wait for it


@dataclass(frozen=True, slots=True)
class Principal:
    """Who stands behind a request. ``models`` ``None``: all of them."""

    owner: str
    kind: Literal["person", "machine"]
    scopes: frozenset[str]
    models: frozenset[str] | None

    def require(self, scope: Scope, model: str | None = None) -> None:
        """Raise ``Forbidden`` where the key lacks the scope or the model. ``admin`` implies every scope but
        ``sensitive``, which is only ever given by name."""
        implied = "admin" in self.scopes and scope != "sensitive"
        if scope not in self.scopes and not implied:
            raise Forbidden(f"this key lacks the scope '{scope}'", "Ask an administrator for a key that has it")
        if model is not None and self.models is not None and model not in self.models:
            raise Forbidden(f"this key is not for the model '{model}'", "Use a key that names it")

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
    ) -> str:
        """Make a key, and return its text, which is nowhere kept."""
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
        with writing(self.engine) as db:
            db.execute(insert(keys).values(**row))
        return f"vgl_{prefix}_{secret}"

    def verify(self, token: str) -> Principal:
        """Whose key it is; ``Unauthenticated`` for one that is unknown, revoked or expired, without saying which."""
        read_at = time.monotonic()
        word, _, rest = token.partition("_")
        prefix, _, secret = rest.partition("_")
        at = to_micros(self.now())
        with reading(self.engine) as db:
            row = db.execute(select(keys).where(keys.c.prefix == prefix)).mappings().first()
        good = row is not None and word == "vgl" and hmac.compare_digest(row["hash"], _hash(secret))
        self._known.pop(token, None)
        if row is None or not good or row["revoked_at"] or (row["expires_at"] and row["expires_at"] <= at):
            raise Unauthenticated("this key is not valid", "Send 'Authorization: Bearer vgl_...' with a key that is")
        if (row["last_used_at"] or 0) + _USED_EVERY < at:
            with suppress(NotDurable), writing(self.engine) as db:      # a full disk must not shut readers out
                db.execute(update(keys).where(keys.c.prefix == prefix).values(last_used_at=at))
        models = None if row["models"] is None else frozenset(row["models"])
        found = Principal(row["owner"], row["kind"], frozenset(row["scopes"]), models)
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

    def revoke(self, prefix: str) -> None:
        """Make a key invalid: here at once, in other processes within two seconds."""
        with writing(self.engine) as db:
            found = db.execute(
                update(keys).where(keys.c.prefix == prefix).values(revoked_at=to_micros(self.now()))
            ).rowcount
        self._known.clear()
        if not found:
            raise NotFound(f"there is no key with the prefix '{prefix}'", "'vigil keys list' shows them")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
