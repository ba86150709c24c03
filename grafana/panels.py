"""Builders of the parts of a Grafana dashboard, as plain dicts in its classic JSON model (schemaVersion 39).

Only what is used is here. Panels carry no place; ``dashboard`` lays them out from left to right and numbers them, so
that an edit moves nothing by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

SCHEMA_VERSION = 39     # Grafana 10.3 and later, which upgrade it by themselves
COLUMNS = 24
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

GOOD, WARN, BAD, NEUTRAL = "green", "orange", "red", "blue"


def target(expr: str, legend: str = "", *, instant: bool = False, table: bool = False) -> Json:
    """A PromQL query; ``instant`` asks for the latest value alone."""
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expr,
        "format": "table" if table else "time_series",
        "instant": instant,
        "legendFormat": legend or "__auto",
        "range": not instant,
    }


def steps(*above: tuple[float, str], base: str = GOOD) -> Json:
    """Thresholds: ``base`` below the first value, then each colour from its value up."""
    first: Json = {"color": base, "value": None}
    return {"mode": "absolute", "steps": [first, *({"color": c, "value": v} for v, c in above)]}


def stat(
    title: str, description: str, expr: str, unit: str, width: int = 4, *, thresholds: Json | None = None,
    none: str = "none", legend: str = "", decimals: int | None = None,
) -> Json:  # fmt: skip
    """One figure, or the name that ``legend`` makes; ``none`` stands there where the query has no answer."""
    defaults = _defaults(unit, thresholds or steps(base=NEUTRAL), none)
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _LAST,
        "textMode": "name" if legend else "auto",
    }
    return _panel("stat", title, description, [target(expr, legend, instant=True)], defaults, options, (width, 4))


def timeseries(
    title: str, description: str, targets: Sequence[Json], unit: str, width: int = 12, *,
    thresholds: Json | None = None, least: float | None = 0, most: float | None = None,
) -> Json:  # fmt: skip
    """Lines over time; thresholds are drawn as dashed lines."""
    defaults = _defaults(unit, thresholds or steps(base=NEUTRAL), "no data")
    defaults["custom"] = {
        "drawStyle": "line",
        "fillOpacity": 8,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
    }
    defaults |= {k: v for k, v in (("min", least), ("max", most)) if v is not None}
    options = {
        "legend": {"calcs": ["lastNotNull"], "displayMode": "table", "placement": "right", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, targets, defaults, options, (width, 8))


def bars(
    title: str, description: str, expr: str, legend: str, unit: str, width: int = 12, *, thresholds: Json,
    most: float | None = None,
) -> Json:  # fmt: skip
    """One bar a series, the latest value."""
    defaults = _defaults(unit, thresholds, "no data") | {"min": 0}
    if most is not None:
        defaults["max"] = most
    options = {
        "displayMode": "basic",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "valueMode": "color",
    }
    return _panel("bargauge", title, description, [target(expr, legend, instant=True)], defaults, options, (width, 10))


def table(
    title: str, description: str, expr: str, columns: dict[str, str], value: str, unit: str, width: int = 12,
    *, thresholds: Json | None = None, decimals: int | None = None,
) -> Json:  # fmt: skip
    """The series of a query as rows: ``columns`` maps the labels shown to their headings, ``value`` heads the value."""
    defaults = _defaults(unit, thresholds or steps(base=NEUTRAL), "none")
    defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
    if decimals is not None:
        defaults["decimals"] = decimals
    headings = {**columns, "Value": value}
    order: Json = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "__name__": True},
            "includeByName": dict.fromkeys(headings, True),
            "indexByName": {name: i for i, name in enumerate(headings)},
            "renameByName": headings,
        },
    }
    options = {"cellHeight": "sm", "showHeader": True}
    queries = [target(expr, instant=True, table=True)]
    return _panel("table", title, description, queries, defaults, options, (width, 8)) | {"transformations": [order]}


def row(title: str) -> Json:
    """A heading; the panels after it stand below it."""
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": COLUMNS, "h": 1}}


def query_variable(name: str, label: str, query: str, *, many: bool, sort: int = 1) -> Json:
    """A variable with a label's values; ``many`` allows several and all. ``sort``: 1 from A to Z, 2 from Z to A."""
    found: Json = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "regex": "",
        "sort": sort,
        "hide": 0,
        "multi": many,
        "includeAll": many,
        "options": [],
    }
    if many:
        found |= {"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return found


DATASOURCE_VARIABLE: Json = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "refresh": 1,
    "regex": "",
    "hide": 0,
    "multi": False,
    "includeAll": False,
    "options": [],
}


def dashboard(
    uid: str, title: str, description: str, variables: Sequence[Json], panels: Sequence[Json], *, since: str,
    refresh: str, links: Sequence[Json] = (),
) -> Json:  # fmt: skip
    """A whole dashboard in UTC; its uid is its address, and never changes."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["vigil"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": f"now-{since}", "to": "now"},
        "timepicker": {},
        "refresh": refresh,
        "templating": {"list": [DATASOURCE_VARIABLE, *variables]},
        "annotations": {"list": []},
        "links": list(links),
        "panels": _laid_out(panels),
    }


def link(title: str, uid: str) -> Json:
    """A link to another dashboard, which takes the variables and the time range along."""
    return {
        "type": "link", "title": title, "url": f"/d/{uid}", "icon": "dashboard", "tooltip": "", "tags": [],
        "asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False,
    }  # fmt: skip


_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _defaults(unit: str, thresholds: Json, none: str) -> Json:
    return {"color": {"mode": "thresholds"}, "noValue": none, "thresholds": thresholds, "unit": unit}


def _panel(
    kind: str, title: str, description: str, targets: Sequence[Json], defaults: Json, options: Json,
    size: tuple[int, int],
) -> Json:  # fmt: skip
    if kind == "timeseries":
        defaults["color"] = {"mode": "palette-classic"}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": [{"refId": chr(ord("A") + i), **t} for i, t in enumerate(targets)],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "gridPos": {"w": size[0], "h": size[1]},
    }


def _laid_out(panels: Sequence[Json]) -> list[Json]:
    """Numbered and placed: from left to right, and below the tallest of a line once it is full."""
    out: list[Json] = []
    x = y = tallest = 0
    for number, panel in enumerate(panels, start=1):
        width, height = panel["gridPos"]["w"], panel["gridPos"]["h"]
        if x + width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        out.append({"id": number, **panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
        x, tallest = x + width, max(tallest, height)
    return out
