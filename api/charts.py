"""Charts as Vega-Lite specifications: plain dicts, without colours.

Each mark has a ``style`` that static/charts.js fills from the page's own variables, so that one specification serves
light and dark. Instants are milliseconds since 1970, UTC, as Vega has them. No meaning hangs on colour alone: a breach
is also a triangle, a provisional value a hollow point, a limit a dashed line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from detectors.point import Reason
from incidents.incident import Incident
from monitor.store.lists import Listed
from monitor.views import Cell, Distribution, Judged

Spec = dict[str, Any]

BAR = 19                # pixels a bin of a distribution takes
MOST_LINES = 12         # marks on the axis that still have a line each
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_TIME = {"type": "utc"}
_AXIS = {"title": None, "grid": False, "labelOverlap": True}
_WINDOW_X = {"x": {"field": "start", "type": "temporal", "scale": _TIME, "axis": _AXIS}, "x2": {"field": "end"}}
_MIDDLE = {"x": {"field": "middle", "type": "temporal", "scale": _TIME, "axis": _AXIS}}
_NOTHING = "nothing known yet"
_WHY = {Reason.TOO_FEW_SAMPLES: "too few rows to show"}


def millis(instant: datetime) -> int:
    """An instant as Vega takes it."""
    return round(instant.timestamp() * 1000)


def trend(
    series: Sequence[dict[str, Any]],
    what: str,
    *,
    unit: str = "~g",
    reference: float | None = None,
    marks: Sequence[dict[str, Any]] = (),
    estimates: Sequence[dict[str, Any]] = (),
    selected: int | None = None,
    height: int = 170,
) -> Spec:
    """One metric over event time: value, interval, limit, the reference's value, windows in breach.

    ``series``: rows of ``views.series``; ``unit``: a D3 number format; ``marks``: what ``occasions`` gives;
    ``estimates``: the series of what was expected without outcomes, drawn dashed, with an interval where no value is
    known; ``selected``: the start of a window to point out, in milliseconds.
    """
    rows = _with_estimates([_row(r) for r in series], estimates)
    if not rows:
        return _nothing(height)
    y = {"field": "value", "type": "quantitative", "scale": {"zero": False}, "axis": {"title": None, "format": unit}}
    known = [r for r in rows if r["value"] is not None]
    expected = any(r.get("estimate") is not None for r in rows)
    breaches = any(r["verdict"] == "breach" for r in known)
    layers: list[Spec] = []
    if any(r["start"] == selected for r in rows):
        layers.append(_band("selected", f"datum.start === {selected}"))
    if breaches:
        layers.append(_band("breach-band", "datum.verdict === 'breach'"))
    if any(r["low"] is not None for r in known):
        layers.append(_over_time("area", "interval", {"y": y | {"field": "low"}, "y2": {"field": "high"}}))
    if any(r.get("estimate_low") is not None for r in rows):
        ends = {"y": y | {"field": "estimate_low"}, "y2": {"field": "estimate_high"}}
        layers.append(_over_time("area", "estimate-interval", ends))
    if reference is not None and (known or expected):
        layers.append({"mark": _mark("rule", "reference"), "encoding": {"y": {"datum": reference}}})
    if any(r["limit"] is not None for r in rows):
        layers.append(_over_time("line", "limit", {"y": y | {"field": "limit"}}))
    if expected:
        layers.append(_over_time("line", "estimate", {"y": y | {"field": "estimate"}}))
    if known:
        layers.append(_over_time("line", "value", {"y": y}))
    elif not expected:
        layers.append({"mark": _mark("text", "empty", text=_NOTHING)})
    if any(not r["provisional"] and r["verdict"] != "breach" for r in known):
        layers.append(_points(y, "!datum.provisional && datum.verdict !== 'breach'", "settled", filled=True))
    if any(r["provisional"] and r["verdict"] != "breach" for r in known):
        layers.append(_points(y, "datum.provisional && datum.verdict !== 'breach'", "provisional"))
    if breaches:
        layers.append(_points(y, "datum.verdict === 'breach'", "breach", shape="triangle-up", filled=True))
    for kind, shape in (("incident", "triangle-down"), ("signal", "diamond")):
        found = [m for m in marks if m["kind"] == kind]
        layers += _occasions(found, kind, shape) if found else []
    tooltip = _tooltip(what, unit, expected=expected)
    layers.append({"mark": _mark("rect", "hover"), "encoding": _WINDOW_X | {"tooltip": tooltip}})
    return _chart(rows, {"layer": layers}, height)


def occasions(
    incidents: Iterable[Incident | Listed], signals: Iterable[dict[str, Any]], every: int = 1
) -> list[dict[str, Any]]:
    """What is marked on the axis: incidents where they started, and signals of the streaming detectors where they came.
    Of several signals within ``every`` milliseconds (a window's length) the first stands for all."""
    found = [{"kind": "incident", "at": millis(i.started_at), "what": f"{i.title} ({i.state})"} for i in incidents]
    runs: dict[int, list[dict[str, Any]]] = {}
    for signal in sorted(signals, key=lambda s: s["at"]):
        runs.setdefault(signal["at"] // 1000 // every, []).append(signal)
    for first, *more in runs.values():
        what = f"{detector_title(first)}: the {first['stream']} stream went {first['detail']['direction']}"
        what += f", and {len(more)} more such signals" if more else ""
        found.append({"kind": "signal", "at": first["at"] // 1000, "what": what})
    return found


def detector_title(signal: dict[str, Any]) -> str:
    """The detector that gave a signal; those that were stored without its name are of ADWIN.

    >>> detector_title({"detail": {"detector": "page_hinkley"}}), detector_title({"detail": {}})
    ('Page-Hinkley', 'ADWIN')
    """
    name = str(signal["detail"].get("detector", "adwin"))
    return {"page_hinkley": "Page-Hinkley"}.get(name, name.upper().replace("_", "-"))


def heat(cells: Iterable[Cell], order: Sequence[str], limit: float | None) -> Spec:
    """Features by windows: how far each stands from the reference, beyond what noise explains: the colour is that of
    the interval's lower end. Cells in breach carry a triangle as well. ``scope`` of each cell is the feature's name."""
    rows: list[dict[str, Any]] = [
        {"name": c.scope, "start": c.start // 1000, "end": c.end // 1000, "value": round(c.value, 4)}
        | {"beyond_noise": round(c.value if c.low is None else c.low, 4)}
        | ({"verdict": "breach"} if c.verdict == "breach" else {})
        for c in cells
    ]
    if not rows:
        return _nothing(40)
    y = {"field": "name", "type": "nominal", "sort": list(order), "axis": {"title": None}}
    top = 2 * limit if limit else max(r["beyond_noise"] for r in rows)
    color = {
        "field": "beyond_noise",
        "type": "quantitative",
        "scale": {"domain": [0, top], "clamp": True, "interpolate": "rgb"},
        "legend": None,
    }
    tooltip = [
        {"field": "name", "title": "feature"},
        *_window_tooltip(),
        {"field": "value", "title": "Jensen-Shannon distance", "format": ".3f"},
        {"field": "beyond_noise", "title": "beyond noise", "format": ".3f"},
    ]
    layers: list[Spec] = [
        {"mark": _mark("rect", "cell"), "encoding": _WINDOW_X | {"color": color, "tooltip": tooltip}},
    ]
    if any("verdict" in r for r in rows):
        size = min(max(1600 // len({r["start"] for r in rows}), 10), 60)     # as the cells' width allows
        middle = {"calculate": "(datum.start + datum.end) / 2", "as": "middle"}
        layers.append({
            "transform": [{"filter": "datum.verdict === 'breach'"}, middle],
            "mark": _mark("point", "cell-breach", shape="triangle-up", filled=True, size=size),
            "encoding": _MIDDLE,
        })  # fmt: skip
    return _chart(rows, {"layer": layers, "encoding": {"y": y}}, max(17 * len(order), 40))


def bars(d: Distribution) -> Spec:
    """The reference's and the window's distribution side by side, bin by bin."""
    rows = [
        {"bin": label, "rows": series, "share": round(share, 5)}
        for series, shares in (("reference", d.reference), ("window", d.current))
        for label, share in zip(d.labels, shares, strict=True)
    ]
    encoding = {
        "y": {"field": "bin", "type": "nominal", "sort": list(d.labels), "axis": {"title": None}},
        "yOffset": {"field": "rows", "sort": ["reference", "window"]},
        "x": {"field": "share", "type": "quantitative", "axis": {"title": None, "format": "%", "tickCount": 5}},
        "color": {"field": "rows", "scale": {"domain": ["reference", "window"]}, "legend": None},
        "tooltip": [{"field": "bin"}, {"field": "rows", "title": "of"}, {"field": "share", "format": ".2%"}],
    }
    return _chart(rows, {"mark": _mark("bar", "bar"), "encoding": encoding}, BAR * len(d.labels))


def whiskers(found: Sequence[Judged], reference_group: str | None, unit: str = "~%") -> Spec:
    """A rate or mean by group, each a dot with its interval; the reference group is a square. Where nothing may be
    shown the reason stands in its place, and no number."""
    rows: list[dict[str, Any]] = []
    for j in sorted(found, key=lambda j: j.point.scope.group or ""):
        m, group = j.point.measurement, j.point.scope.group
        if m.value is None:
            assert m.reason is not None, "what is unknown says why"
            rows.append({"group": group, "reason": _WHY.get(m.reason, m.reason.replace("_", " "))})
        else:
            low, high = m.interval or (m.value, m.value)
            role = "reference group" if group == reference_group else "group"
            rows.append({"group": group, "value": m.value, "low": low, "high": high, "n": m.n, "role": role})
    if not rows:
        return _nothing(48)
    axis = {"title": None, "format": unit, "tickCount": 5}
    x = {"field": "value", "type": "quantitative", "scale": {"zero": False}, "axis": axis}
    shape = {"domain": ["group", "reference group"], "range": ["circle", "square"]}
    tooltip = [
        {"field": "group"},
        {"field": "role", "title": "is"},
        *({"field": f, "format": ".1%" if "%" in unit else ".4~g"} for f in ("value", "low", "high")),
        {"field": "n", "title": "rows"},
    ]
    layers: list[Spec] = []
    if any("value" in r for r in rows):
        known = {"transform": [{"filter": "isValid(datum.value)"}]}
        ends = {"x": x | {"field": "low"}, "x2": {"field": "high"}}
        dot = {"x": x, "shape": {"field": "role", "scale": shape, "legend": None}, "tooltip": tooltip}
        layers += [
            known | {"mark": _mark("rule", "whisker"), "encoding": ends},
            known | {"mark": _mark("point", "dot", filled=True), "encoding": dot},
        ]
    if any("reason" in r for r in rows):
        layers.append({
            "transform": [{"filter": "isValid(datum.reason)"}],
            "mark": _mark("text", "empty", align="left", x=6),
            "encoding": {"text": {"field": "reason"}},
        })  # fmt: skip
    y = {"field": "group", "type": "nominal", "sort": [r["group"] for r in rows], "axis": {"title": None}}
    return _chart(rows, {"layer": layers, "encoding": {"y": y}}, max(24 * len(rows), 48))


def _nothing(height: int) -> Spec:
    """A chart without rows says so, and nothing else."""
    return _chart([{}], {"mark": _mark("text", "empty", text=_NOTHING)}, height)


def _chart(rows: list[dict[str, Any]], view: Spec, height: int) -> Spec:
    return {"$schema": SCHEMA, "data": {"values": rows}, "width": "container", "height": height, **view}


def _mark(kind: str, style: str, **more: Any) -> Spec:
    return {"type": kind, "style": style, **more}


def _row(r: dict[str, Any]) -> dict[str, Any]:
    start, end = r["start"] // 1000, r["end"] // 1000
    named = {k: r[k] for k in ("value", "low", "high", "n", "limit", "verdict", "provisional", "reason")}
    named["low"] = r["value"] if r["low"] is None else r["low"]
    named["high"] = r["value"] if r["high"] is None else r["high"]
    return {"start": start, "end": end, "middle": (start + end) // 2} | named


def _with_estimates(rows: list[dict[str, Any]], estimates: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with what was expected of each; the estimate's interval stands where there is no value of its own."""
    of = {r["start"] // 1000: r for r in estimates}
    for row in rows:
        found = of.get(row["start"])
        if found is not None and found["value"] is not None:
            row["estimate"] = found["value"]
            if row["value"] is None:
                row |= {"estimate_low": found["low"], "estimate_high": found["high"]}
    return rows


def _over_time(kind: str, style: str, encoding: Spec) -> Spec:
    return {"mark": _mark(kind, style), "encoding": _MIDDLE | encoding}


def _band(style: str, which: str) -> Spec:
    return {"transform": [{"filter": which}], "mark": _mark("rect", style), "encoding": _WINDOW_X}


def _points(y: Spec, which: str, style: str, **more: Any) -> Spec:
    return {
        "transform": [{"filter": f"isValid(datum.value) && {which}"}],
        "mark": _mark("point", style, **more),
        "encoding": _MIDDLE | {"y": y},
    }


def _occasions(found: list[dict[str, Any]], kind: str, shape: str) -> list[Spec]:
    x = {"x": {"field": "at", "type": "temporal", "scale": _TIME}}
    lines = [{"data": {"values": found}, "mark": _mark("rule", f"{kind}-line"), "encoding": x}]
    tips = {
        "data": {"values": found},
        "mark": _mark("point", kind, shape=shape, filled=True),
        "encoding": x | {"y": {"value": 0}, "tooltip": [{"field": "what", "title": kind}]},
    }
    return [*lines, tips] if len(found) <= MOST_LINES else [tips]


def _tooltip(what: str, unit: str, *, expected: bool = False) -> list[Spec]:
    number = ".3~%" if "%" in unit else ".4~g"
    named = [("value", what), ("low", "from"), ("high", "to"), ("limit", "limit")]
    named += [("estimate", "estimate")] if expected else []
    return [
        *_window_tooltip(),
        *({"field": f, "title": t, "format": number} for f, t in named),
        {"field": "n", "title": "rows"},
        {"field": "verdict"},
        {"field": "provisional"},
    ]


def _window_tooltip() -> list[Spec]:
    day = {"type": "temporal", "timeUnit": "utcyearmonthdatehoursminutes", "format": "%Y-%m-%d %H:%M"}
    return [{"field": "start", "title": "from (UTC)", **day}, {"field": "end", "title": "until (UTC)", **day}]
