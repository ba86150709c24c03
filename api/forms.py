"""What the console's forms have in common: what is said after one, who may send it, and models by their names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form

from api.access import needs
from monitor.access import Principal
from monitor.app import App
from monitor.errors import NotFound, VigilError

Administrator = Annotated[Principal, needs("admin")]
NameField = Annotated[str, Form(max_length=128)]
ModelsField = Annotated[str, Form(max_length=20_000)]


def status(fault: VigilError | None) -> int:
    """The status of a page that shows what was wrong with a form, beside what was written in it."""
    return 200 if fault is None else 422


def notice(said: str, fault: VigilError | None = None) -> tuple[bool, str]:
    """Whether it is good news, and the words; none where there is nothing to say.

    >>> notice("", NotFound("there is no model 'x'", "Write models as they are declared"))
    (False, "There is no model 'x'. Write models as they are declared.")
    """
    if fault is None:
        return True, said
    mend = f" {fault.mend}." if fault.mend else ""
    return False, f"{fault.detail[:1].upper()}{fault.detail[1:]}.{mend}"


def named(vigil: App, text: str) -> frozenset[str] | None:
    """Models by their names, with commas or lines between; ``None``, which is all, where there is none."""
    names = {name.strip() for name in text.replace(",", "\n").splitlines()} - {""}
    unknown = sorted(names - set(vigil.log.models()))
    if unknown:
        raise NotFound(f"there is no model '{unknown[0][:64]}'", "Write models as they are declared")
    return frozenset(names) or None


def require_own_hand(who: Principal) -> None:
    """A machine's key must make neither people nor their keys: it could then do what only people may."""
    who.require_administrator()
    who.require_person()
