"""The one door of people: who signs in how, who stands behind a session, and who may act by a link."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, select, update

from monitor.access import Keys, Principal
from monitor.clock import Now
from monitor.database import reading, writing
from monitor.errors import Forbidden, InvalidInput, NotDurable, Unauthenticated, VigilError
from monitor.log.audit import Author, note
from monitor.log.people import Account, accounts, canonical, find_account, load_secret, make_secret
from monitor.people import accounts as register
from monitor.people import sessions
from monitor.people.attempts import Attempts
from monitor.people.links import Link, csrf, make_link, opened, read_link, signed
from monitor.people.passwords import Passwords, check, new_password
from monitor.people.roles import Role, scopes
from monitor.times import span_micros, to_micros

logger = structlog.get_logger("vigil.people")

FREE_TRIES = 10     # failures of one address that cost nothing: many people may share one


@dataclass(frozen=True, slots=True)
class Vouched:
    """A person whom a provider vouches for, and the role that its claims give."""

    issuer: str
    subject: str
    name: str
    email: str | None
    role: Role


class People:
    """Accounts, sessions and links in the log's database. ``session`` and ``link``: how long these are good."""

    def __init__(
        self,
        engine: Engine,
        now: Now,
        keys: Keys,
        session: timedelta = timedelta(hours=12),
        link: timedelta = timedelta(hours=1),
    ) -> None:
        self.engine, self.now, self.keys = engine, now, keys
        self.session, self.link = session, link
        self._passwords = Passwords()
        self._names, self._addresses = Attempts(now), Attempts(now, FREE_TRIES)

    def sign_in(self, name: str, password: str, address: str) -> str:
        """A new session's token, for the right password.

        Raises ``Unauthenticated`` without saying what was wrong, and ``Overloaded`` for tries that come too fast.
        """
        name = canonical(name)[:128]
        self._addresses.begin(address)
        self._names.begin(name)
        with reading(self.engine) as db:
            row = db.execute(select(accounts).where(accounts.c.name == name)).mappings().first()
        known = None if row is None or row["disabled_at"] else row["password_hash"]
        if not self._passwords.verify(known, password) or row is None:
            logger.warning("sign-in failed", name=name, address=address)
            raise Unauthenticated("the name or the password is not right", "Try again, or ask an administrator")
        self._names.forget(name)
        self._addresses.undo(address)
        newer = self._passwords.hash(password) if self._passwords.is_outdated(row["password_hash"]) else None
        with writing(self.engine) as db:
            if newer is not None:
                db.execute(update(accounts).where(accounts.c.id == row["id"]).values(password_hash=newer))
            return self._begin(db, Account.of(row), "password")

    def sign_in_by_key(self, token: str) -> str:
        """A session of a key that may read; it ends with the key at the latest."""
        who = self.keys.verify(token)
        who.require("read")
        prefix = token.split("_")[1]
        at = to_micros(self.now())
        until = at + span_micros(self.session)
        with writing(self.engine) as db:
            return sessions.begin(db, at, until, key=prefix)

    def sign_in_vouched(self, who: Vouched) -> str:
        """A session of whom a provider vouches for. An account is made for whoever comes first, and has the role of
        the provider's claims from then on."""
        at, by = to_micros(self.now()), Author({"id": who.issuer, "kind": "provider"}, "oidc")
        mine = (accounts.c.issuer == who.issuer, accounts.c.subject == who.subject)
        with writing(self.engine) as db:
            account = find_account(db, *mine)
            if account is None:
                new = register.New(who.name, who.role, who.email, issuer=who.issuer, subject=who.subject)
                account = register.create(db, at, new, by)
            elif account.disabled_at is not None:
                raise Forbidden(f"the account of '{account.name}' was ended", "Ask an administrator")
            elif account.role != who.role:
                account = register.change(db, at, account, {"role": who.role}, by)
            return self._begin(db, account, "oidc")

    def verify(self, token: str) -> Principal:
        """Who stands behind a session; ``Unauthenticated`` where it has ended."""
        at = to_micros(self.now())
        with reading(self.engine) as db:
            row = sessions.find(db, token, at)
            found = None if row is None else self._principal(db, row["account"], row["key_prefix"])
        if row is None or found is None:
            raise Unauthenticated("you are not signed in any more", "Sign in again")
        if sessions.is_stale(row, at):
            with suppress(NotDurable), writing(self.engine) as db:      # a full disk must not shut readers out
                sessions.seen(db, row, at)
        return found

    def sign_out(self, token: str) -> None:
        with writing(self.engine) as db:
            sessions.end(db, token)

    def csrf(self, token: str) -> str:
        """What the forms of a session carry."""
        return csrf(self._secret, sessions.hashed(token))

    def signed(self, use: str, fields: dict[str, Any]) -> str:
        """A token that nobody else can make, good for one use."""
        return signed(self._secret, use, fields)

    def opened(self, use: str, token: str) -> dict[str, Any] | None:
        """What was signed for that use; ``None`` where it was not."""
        return opened(self._secret, use, token)

    def make_acknowledge_link(self, account: Account, incident: str) -> str:
        """The token of a link by which a person acknowledges an incident as it is now: ``/a/TOKEN``."""
        at = to_micros(self.now())
        return make_link(self._secret, Link(incident, account.id, at, at + span_micros(self.link)))

    def read_acknowledge_link(self, token: str) -> tuple[Link, Principal]:
        """A link, and who acts by it. ``NotFound`` for one that was never made, ``Forbidden`` where the account was
        ended since. Whether it has expired is for the caller to see."""
        link = read_link(self._secret, token)
        with reading(self.engine) as db:
            who = self._principal(db, link.account, None)
        if who is None:
            raise Forbidden("the account that this link was made for was ended", "Sign in as yourself")
        return link, who

    def by_name(self, name: str) -> Account | None:
        return self._found(accounts.c.name == canonical(name))

    def by_email(self, email: str) -> Account | None:
        """The account of an address, as it is the address of one who may still sign in."""
        return self._found(accounts.c.email == canonical(email))

    def by_pagerduty(self, id: str) -> Account | None:
        """The account of a user of PagerDuty."""
        return self._found(accounts.c.pagerduty_id == id)

    def list(self) -> list[tuple[Account, int | None]]:
        """Every account, and when it was last seen where it is signed in (microseconds since 1970)."""
        with reading(self.engine) as db:
            seen = sessions.last_seen(db)
            return [(account, seen.get(account.id)) for account in register.listed(db)]

    def create(self, new: register.New, by: Author, password: str | None = None) -> tuple[Account, str]:
        """Make an account with a password: the one given, or a new one. It is returned, and nowhere kept."""
        if password is not None:
            check(password, canonical(new.name))
        chosen = password or new_password()
        made = replace(new, hash=self._passwords.hash(chosen))
        with writing(self.engine) as db:
            return register.create(db, to_micros(self.now()), made, by), chosen

    def change(self, id: str, changes: dict[str, Any], by: Author) -> Account:
        """Change an account: see ``accounts.change``."""
        with writing(self.engine) as db:
            return register.change(db, to_micros(self.now()), register.by_id(db, id), changes, by)

    def set_password(self, id: str, by: Author, password: str | None = None) -> str:
        """Give an account a password, the one given or a new one, and end its sessions. ``InvalidInput`` for one of a
        provider's: what it signs in with is the provider's."""
        with reading(self.engine) as db:
            account = register.by_id(db, id)
        if account.issuer is not None:
            raise InvalidInput(f"'{account.name}' signs in at {account.issuer}", "The password is changed there")
        if password is not None:
            check(password, account.name)
        chosen = password or new_password()
        hashed = self._passwords.hash(chosen)
        with writing(self.engine) as db:
            register.set_password(db, to_micros(self.now()), account, hashed, by)
        return chosen

    def change_own_password(self, who: Principal, old: str, new: str, address: str) -> str:
        """Change one's own password: a new session's token, for all others end."""
        if not who.id or who.role is None:
            raise Forbidden("only who signed in with a password has one to change", "Sign in with it")
        again = self.sign_in(who.owner, old, address)
        try:
            self.set_password(who.id, who.author("console"), new)
        except VigilError:
            self.sign_out(again)
            raise
        with writing(self.engine) as db:
            return self._begin(db, register.by_id(db, who.id), "password")

    def is_empty(self) -> bool:
        """Whether there is no account yet."""
        with reading(self.engine) as db:
            return db.execute(select(accounts.c.id).limit(1)).first() is None

    def _begin(self, db: Connection, account: Account, how: str) -> str:
        at = to_micros(self.now())
        note(db, at, {"id": account.name, "kind": "person"}, "person.sign_in", account.name, None, None, how)
        return sessions.begin(db, at, at + span_micros(self.session), account=account.id)

    def _principal(self, db: Connection, account: str | None, key: str | None) -> Principal | None:
        if key is not None:
            return self.keys.of_prefix(db, key)
        found = None if account is None else find_account(db, accounts.c.id == account)
        if found is None or found.disabled_at is not None:
            return None
        return Principal(found.name, "person", scopes(found), found.models, found.id, found.role)

    def _found(self, where: Any) -> Account | None:
        with reading(self.engine) as db:
            return find_account(db, where, accounts.c.disabled_at.is_(None))

    @cached_property
    def _secret(self) -> bytes:
        with reading(self.engine) as db:
            found = load_secret(db, "signing")
        if found is None:
            with writing(self.engine) as db:
                found = make_secret(db, "signing")
        return found
