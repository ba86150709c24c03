"""Corrective actions of all incidents, as somebody who follows them up asks for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from incidents.incident import Action
from incidents.wire import to_json
from monitor.store import lists
from monitor.store.lists import Filter

MOST = 1_000    # incidents that are looked through, the live and the latest first

State = Literal["planned", "to_check", "effective", "not_effective"]
Which = Literal["overdue", "open", "done", "all"]


@dataclass(frozen=True, slots=True)
class Corrective:
    """An action with its incident. ``state``: ``planned``, ``to_check`` once it is done, then what the check said.
    ``next_at``: by when it is to be done, or checked; ``None`` where nothing is left to do."""

    action: Action
    incident: str
    title: str
    model: str
    state: State
    next_at: datetime | None
    overdue: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        more = {"incident": self.incident, "title": self.title, "model": self.model, "state": self.state}
        told: dict[str, Any] = to_json(self.action)
        return {**more, **told, "overdue": self.overdue}


def corrective(
    db: Connection,
    among: Collection[str] | None,
    now: datetime,
    which: Which = "all",
    owner: str | None = None,
) -> list[Corrective]:
    """Of the models named (all where ``None``): what is due first, then what is over, the latest first."""
    models = Filter(None if among is None else frozenset(among))
    found = [
        _row(action, i.id, i.title, i.fingerprint.model, now)
        for i in lists.whole(db, models, MOST).items
        for action in i.actions
    ]
    kept = [r for r in found if _is(r, which) and owner in (None, r.action.owner)]
    kept.sort(key=lambda r: r.action.check_at, reverse=True)
    return sorted(kept, key=lambda r: (r.next_at is None, r.next_at or now))      # stable: what is over stays so


def _is(row: Corrective, which: Which) -> bool:
    return {"overdue": row.overdue, "open": row.next_at is not None, "done": row.next_at is None, "all": True}[which]


def _row(action: Action, incident: str, title: str, model: str, now: datetime) -> Corrective:
    state = state_of(action)
    next_at = {"planned": action.due_at, "to_check": action.check_at}.get(state)
    return Corrective(action, incident, title, model, state, next_at, next_at is not None and next_at < now)


def state_of(action: Action) -> State:
    if action.completed_at is None:
        return "planned"
    return "to_check" if action.effective is None else "effective" if action.effective else "not_effective"
