"""The pack's pictures: the four quarters of a KPI as a small SVG, drawn by Vega-Lite in the page's own colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.export.words import quantity

WIDTH, HEIGHT = 190, 44

# Vega writes colours as it is told. These two stand for the page's variables, so that a picture follows light and dark.
_INK, _ACCENT = "#010203", "#040506"
_VARIABLES = {_INK: "var(--soft)", _ACCENT: "var(--accent)"}


def trend(title: str, unit: str, steps: Sequence[Mapping[str, Any]]) -> str | None:
    """A line through the known quarters, broken where one is null; ``None`` where no two known ones differ, for then
    the figures say it all.

    ``steps``: ``period`` and ``value``, oldest first.
    """
    if len({s["value"] for s in steps} - {None}) < 2:
        return None
    scale = {"ratio": 100.0, "seconds": 1 / 86_400}.get(unit, 1.0)
    values = [
        {"quarter": s["period"], "value": None if s["value"] is None else round(s["value"] * scale, 6)} for s in steps
    ]
    sign = {"ratio": " + ' %'", "seconds": " + ' d'"}.get(unit, "")
    axis = {"title": None, "labelColor": _INK, "labelFontSize": 9, "domain": False, "ticks": False, "grid": False}
    ticks = {"tickCount": 2, "labelExpr": f"datum.label{sign}"}
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": HEIGHT,
        "padding": 2,
        "background": None,
        "view": {"stroke": None},
        "data": {"values": values},
        "encoding": {
            "x": {"field": "quarter", "type": "ordinal", "sort": None, "axis": {**axis, "labelAngle": 0}},
            "y": {"field": "value", "type": "quantitative", "scale": {"zero": True}, "axis": axis | ticks},
        },
        "mark": {
            "type": "line",
            "color": _ACCENT,
            "strokeWidth": 2,
            "point": {"color": _ACCENT, "size": 26},
            "invalid": "break-paths-show-path-domains",
        },
    }
    import vl_convert  # large, and needed for the pack alone

    return _in_page(vl_convert.vegalite_to_svg(spec), f"{title}: {_said(unit, steps)}")


def _in_page(svg: str, label: str) -> str:
    """An SVG that takes the page's colours and width, and says to a screen reader what it shows."""
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r' (?:aria-[a-z]+|role|class)="[^"]*"', "", svg)
    safe = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{safe}" ', 1)


def _said(unit: str, steps: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{s['period']} {'unknown' if s['value'] is None else quantity(s['value'], unit)}" for s in steps)
