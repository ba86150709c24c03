"""Which routes a model's notices take: those of its declaration, or those of the file that the settings name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import structlog

from incidents.routing import Route
from monitor.database import reading
from monitor.errors import InvalidDeclaration, InvalidSettings
from monitor.log.people import accounts, canonical, find_account
from monitor.log.sql import SqlLog
from monitor.model.routes import addressed, parse_routes, routes_of

logger = structlog.get_logger("vigil.notifier")


def routes_of_file(file: str) -> tuple[Route, ...]:
    """The routes of models that declare none; ``InvalidSettings`` names what is wrong with the file, and where."""
    if not file:
        return ()
    try:
        return parse_routes(Path(file).read_bytes())
    except OSError as error:
        why = error.strerror or str(error)
        raise InvalidSettings(f"the file of routes {file} cannot be read: {why.lower()}", "See notify_file") from error
    except InvalidDeclaration as error:
        faults = str(error).partition(". See docs")[0]
        raise InvalidSettings(f"the file of routes {file}: {faults}", "docs/channels.md says what it holds") from error


class Routes:
    """``default``: of models that declare none."""

    def __init__(self, log: SqlLog, default: tuple[Route, ...]) -> None:
        self.log, self.default = log, default

    def __call__(self, model: str) -> tuple[Route, ...]:
        """The routes of a model by its declaration in force, with the addresses of the people that they name."""
        declaration = self.log.declaration(model)
        body = {} if declaration is None else declaration.body
        try:
            found = routes_of(body.get("notify") or ()) or self.default
        except InvalidDeclaration as error:     # declared to an earlier version: better by another way than not at all
            logger.warning("a declaration's routes cannot be used", model=model, why=error.detail)
            found = self.default
        owner = body.get("owner")
        return tuple(replace(route, to=addressed(route.to, owner, self._email_of)) for route in found)

    def _email_of(self, name: str) -> str | None:
        """The address of an account; ``None`` where there is none."""
        with reading(self.log.engine) as db:
            account = find_account(db, accounts.c.name == canonical(name), accounts.c.disabled_at.is_(None))
        return None if account is None else account.email
