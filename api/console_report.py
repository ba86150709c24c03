"""The full report of a window as a page: every metric of the catalogue that the model has, with value or reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.access import Vigil
from api.console import Reader
from api.pages import Page, render
from api.windows import get_report, utc
from detectors.catalogue import CATALOGUE, metric_title
from detectors.scope import Scope
from monitor.errors import NotFound

router = APIRouter(route_class=Page)

FAMILIES = {
    "drift": "drift",
    "quality": "data quality",
    "performance": "performance",
    "estimation": "performance without outcomes",
    "fairness": "fairness",
}


@router.get("/models/{model}/report")
def report_page(
    request: Request,
    vigil: Vigil,
    who: Reader,
    model: str,
    start: Annotated[datetime, Query(alias="from")],
    to: datetime,
    family: str | None = None,
    find: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Any window whose ends lie on the grain. ``family`` and ``find`` narrow what is shown."""
    if family is not None and family not in FAMILIES:
        raise NotFound(f"there are no metrics of '{family}'", f"There are {', '.join(FAMILIES)}")
    found = get_report(vigil, model, who, start, to)
    rows = _rows(found)
    groups = [(f, title, [r for r in rows if r["family"] == f]) for f, title in FAMILIES.items()]
    words = find.casefold().split()
    shown = [
        (f, title, [r for r in of if all(word in r["words"] for word in words)])
        for f, title, of in groups
        if family in (None, f)
    ]
    begin, end = utc(start), utc(to)
    page: dict[str, Any] = {
        "model": model,
        "window": (begin, end),
        "earlier": (begin - (end - begin), begin),
        "later": (end, end + (end - begin)),
        "sampling": found["sampling"],
        "counts": [(f, title, len(of)) for f, title, of in groups if of],
        "groups": [g for g in shown if g[2]],
        "whole_days": all(i.time() == begin.min.time() for i in (begin, end)),
    }
    return render(request, "report.html", who, family=family, find=find, **page)


def _rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The points with their verdicts, those of a metric together, in the catalogue's order."""
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for verdict in report["verdicts"]:
        said.setdefault(_key(verdict["point"]), []).append(verdict)
    order = {name: i for i, name in enumerate(CATALOGUE)}
    rows = []
    for point in sorted(report["points"], key=lambda p: order[p["metric"]]):
        entry, of = CATALOGUE[point["metric"]], part(point["scope"])
        row = {"point": point, "entry": entry, "family": entry.family, "of": of, "verdicts": said.get(_key(point), [])}
        row["told"] = point["status"] == "known" or point["scope"]["group"] is None     # a small group's size is not
        told = (point["metric"], metric_title(point["metric"]), of, point["reason"] or "", entry.description)
        verdicts = (v["verdict"] for v in row["verdicts"])
        rows.append(row | {"words": " ".join((*told, *verdicts)).replace("_", " ").casefold()})
    return rows


def part(scope: dict[str, str | None]) -> str:
    """The part of a model that a point describes, as people write it.

    >>> part(Scope(attribute="SEX", group="2").as_dict()), part(Scope(output="label=cat").as_dict())
    ('SEX=2', 'label=cat')
    >>> part(Scope().as_dict()), part(Scope(feature="age", segment="state=MA").as_dict())
    ('the model', 'age, state=MA')
    """
    protected = scope["attribute"]
    if protected is not None and scope["group"] is not None:
        protected = f"{protected}={scope['group']}"
    named = (scope["version"], scope["feature"], scope["output"], protected, scope["segment"])
    return ", ".join(n for n in named if n is not None) or "the model"


def _key(point: dict[str, Any]) -> tuple[str, str]:
    return point["metric"], Scope(**point["scope"]).text
