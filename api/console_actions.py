"""The console's page of corrective actions: what was promised after an incident, what is due, and what worked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response

from api.access import Vigil, needs
from api.pages import Page, render
from monitor.access import Principal
from monitor.views.actions import corrective

router = APIRouter(route_class=Page)

Reader = Annotated[Principal, needs("read")]


@router.get("/actions")
def action_list(
    request: Request, vigil: Vigil, who: Reader, state: Literal["overdue", "open", "done"] | None = None,
    owner: str | None = None,
) -> Response:  # fmt: skip
    """Every corrective action, what is due first."""
    found = vigil.ask(corrective, who.models, vigil.now(), state or "all", owner)
    every = found if state is None and owner is None else vigil.ask(corrective, who.models, vigil.now())
    owners = sorted({row.action.owner for row in every})
    page: dict[str, Any] = {"found": found, "owners": owners, "chosen": {"state": state, "owner": owner}}
    return render(request, "actions.html", who, **page)
