"""The console's list of incidents."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api import pages
from api.access import Vigil
from api.console import Reader, visible
from api.pages import render
from monitor.store import lists
from monitor.store.lists import Filter, Listed, Page, Sort

router = APIRouter(route_class=pages.Page)

A_PAGE = 50


@router.get("/incidents")
def incident_list(
    request: Request,
    vigil: Vigil,
    who: Reader,
    state: Literal["live", "open", "acknowledged", "resolved", "closed"] | None = None,
    model: str | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Incidents, the live ones first, then the latest; each filter is a link."""
    names = visible(vigil, who)
    if model is not None:
        who.require("read", model)
        vigil.intake.declared(model)
    which = Filter(who.models if model is None else frozenset({model}), state, severity)
    page: Page[Listed] = vigil.ask(lists.page, which, A_PAGE, Sort.LATEST, after)
    total: int = vigil.ask(lists.count, which)
    chosen = {"state": state, "model": model, "severity": severity, "after": after}
    return render(
        request, "incidents.html", who, found=page.items, after=page.after, total=total, names=names, chosen=chosen
    )
