"""The console's page of the audit trail, for administrators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.access import Vigil
from api.forms import Administrator
from api.pages import Page, render
from monitor.errors import InvalidInput
from monitor.log import audit as trail
from monitor.times import from_micros, to_micros

router = APIRouter(route_class=Page)

A_PAGE = 100


@router.get("/audit")
def audit(
    request: Request,
    vigil: Vigil,
    who: Administrator,
    find: Annotated[str, Query(max_length=128)] = "",
    begin: Annotated[str, Query(alias="from", max_length=10)] = "",
    end: Annotated[str, Query(alias="to", max_length=10)] = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    check: bool = False,
) -> Response:
    """Who did what, the latest first; and whether the chain holds, where that is asked."""
    who.require_administrator()
    since, until = _day(begin), _day(end)
    until = None if until is None else until + timedelta(days=1)
    span = [None if at is None else to_micros(at) for at in (since, until)]
    found = vigil.ask_log(trail.page, *span, before, A_PAGE, find.strip())
    entries = [(entry, from_micros(entry.at), parts(entry)) for entry in found]
    more = found[-1].seq if len(found) == A_PAGE else None
    values: dict[str, Any] = {"find": find, "begin": begin, "end": end, "more": more}
    checked = vigil.ask_log(trail.verify) if check else None
    return render(request, "audit.html", who, entries=entries, checked=checked, **values)


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if text else None
    except ValueError as error:
        raise InvalidInput(f"'{text}' is no day", "Write it as 2026-07-01") from error


def parts(entry: trail.Entry) -> list[tuple[str, Any, Any]]:
    """What an entry changed: each field that differs, before and after."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, before.get(name), after.get(name)) for name in [*before, *(n for n in after if n not in before)]
            if before.get(name) != after.get(name)]  # fmt: skip
