"""One thing that ``vigil doctor`` looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import DBAPIError

from monitor.errors import NotDurable

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """``note``: nothing is broken yet, and somebody should know."""

    name: str
    state: State
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"check": self.name, "state": self.state, "found": self.found, "mend": self.mend}


def judged(name: str, state: State, found: str, mend: str) -> Check:
    """A check whose mend is only said where there is something to mend."""
    return Check(name, state, found, mend if state != "ok" else "")


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """A database of another version may lack what a check asks for: the fault is said by its migrations."""
    try:
        return look()
    except (DBAPIError, NotDurable) as error:
        said = error.detail if isinstance(error, NotDurable) else f"{error.orig}"
        return Check(name, "note", f"cannot be told: {said}", "Mend the databases first")
