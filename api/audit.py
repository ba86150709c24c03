"""The audit trail: who did what, when and from where; for administrators."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.access import Vigil
from api.forms import Administrator
from api.openapi import errors
from api.windows import Instant
from incidents.wire import rfc3339
from monitor.log.audit import Entry, page
from monitor.times import from_micros, to_micros

router = APIRouter(prefix="/v1", tags=["people"], responses=errors(401, 403, 422))


@router.get("/audit")
def get_audit(
    vigil: Vigil,
    who: Administrator,
    begin: Annotated[Instant | None, Query(alias="from")] = None,
    end: Annotated[Instant | None, Query(alias="to")] = None,
    after: Annotated[int | None, Query(ge=1, lt=2**63, description="The `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """What people and machines did, the latest first. Each entry has the hash of the one before it: SHA-256 of
    `prev_hash`, a line feed, and `after at before source subject what who` as canonical JSON, `at` in microseconds.
    Needs an administrator of all models."""
    who.require_administrator()
    found = vigil.ask_log(page, _micros(begin), _micros(end), after, limit)
    more = found[-1].seq if len(found) == limit else None
    return {"entries": [shown(entry) for entry in found], "next": more}


def shown(entry: Entry) -> dict[str, Any]:
    """An entry with its instant as text, and the very number that its hash is of."""
    return asdict(entry) | {"at": rfc3339(from_micros(entry.at)), "at_micros": entry.at}


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
