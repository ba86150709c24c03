"""Records: the KPIs of a period, and the pack for its management review."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.access import Vigil, needs
from api.openapi import errors
from incidents.wire import rfc3339
from monitor.access import Principal
from monitor.errors import Forbidden
from monitor.kpis.catalogue import compute
from monitor.kpis.definitions import VERSION
from monitor.kpis.periods import Period, parse_period, quarter_of
from monitor.review import ClockChoice, figures, management_review, stored

router = APIRouter(prefix="/v1", tags=["records"], responses=errors(401, 403, 404, 422))

Reader = Annotated[Principal, needs("read")]
Exporter = Annotated[Principal, needs("export")]
PeriodText = Annotated[
    str | None, Query(max_length=80, description="2026-Q3, 2026-07, 2026 or 2026-01-01/2026-04-01; the current quarter")
]
ClockText = Annotated[ClockChoice, Query(description="`event`: replays, in the time of their data; `all`: both")]
_PACK = {"application/json": {"schema": {"type": "object"}}, "text/html": {"schema": {"type": "string"}}}
MEDIA = {"json": "application/json", "html": "text/html; charset=utf-8"}


@router.get("/kpis")
def get_kpis(
    vigil: Vigil, who: Reader, period: PeriodText = None, model: str | None = None, clock: ClockText = "wall"
) -> dict[str, Any]:
    """The KPIs of a period. One without a value says why; a period not over yet has its figures up to now."""
    if model is not None:
        who.require("read", model)
        vigil.intake.declared(model)
    asked, names = _period(vigil, period), who.models if model is None else frozenset({model})
    records = figures(
        vigil.log.engine, vigil.state, vigil.now(), asked, names, clock, named=model is not None
    )
    part = asked.until(records.now)
    return {
        "period": {
            "name": asked.name,
            "start": rfc3339(asked.start),
            "end": rfc3339(asked.end),
            "over": part is not None and part.end == asked.end,
            "figures_until": None if part is None else rfc3339(part.end),
        },
        "clock": clock,
        "model": model,
        "definitions": VERSION,
        "kpis": [k.as_dict() for k in compute(records, asked)],
    }


@router.get("/exports/management-review", response_class=Response, responses={200: {"content": _PACK}})
def get_management_review(
    vigil: Vigil,
    who: Exporter,
    period: PeriodText = None,
    form: Annotated[Literal["json", "html"], Query(alias="format")] = "json",
    clock: ClockText = "wall",
    revision: Annotated[int | None, Query(ge=1, lt=2**31, description="an earlier one")] = None,
) -> Response:
    """The pack for a management review, stored at its first export and the same from then on, byte for byte. Figures
    that have changed since make a new revision; the old ones are kept. Needs a key for all models."""
    if who.models is not None:
        raise Forbidden("this key is for some models, and the pack is of all", "Use a key for all models")
    asked = _period(vigil, period)
    log = vigil.log.engine
    if revision is None:
        found = management_review(log, vigil.state, vigil.now(), who.owner, asked, form, clock)
    else:
        found = stored(log, asked, form, clock, revision)
    name = f"management-review-{asked.name}-r{found.revision}.{form}".replace("/", "_").replace(":", "")
    headers = {
        "ETag": f'"{found.figures_hash}-{found.revision}"',
        "Content-Disposition": f'inline; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(found.body, media_type=MEDIA[form], headers=headers)


def _period(vigil: Vigil, text: str | None) -> Period:
    return quarter_of(vigil.now()) if text is None else parse_period(text)
