"""The pack as one printable page: no scripts, nothing from elsewhere, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detectors.catalogue import metric_title
from monitor.export import words
from monitor.export.charts import trend

PARTS_SHOWN = 6     # beside each KPI; the JSON has them all

_environment = Environment(
    loader=PackageLoader("monitor.export"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    quantity=words.quantity,
    moment=words.moment,
    metric=metric_title,
    reason=words.reason,
    basis=words.basis,
    unit=lambda u: words.UNITS.get(u, ""),
)


def as_page(pack: Mapping[str, Any]) -> bytes:
    """The pack as HTML in UTF-8."""
    figures = pack["figures"]
    kpis = [
        {**k, "chart": _chart(k), "shown": [p for p in k["parts"] if _tells(p)][:PARTS_SHOWN]} for k in figures["kpis"]
    ]
    template = _environment.get_template("pack.html")
    return template.render(f=figures, kpis=kpis, generated=pack["generated"]).encode()


def _chart(kpi: Mapping[str, Any]) -> Markup | None:
    svg = trend(kpi["title"], kpi["unit"], kpi["trend"])
    return None if svg is None else Markup(svg)      # made here, its label escaped


def _tells(part: Mapping[str, Any]) -> bool:
    """Whether a part says something here: nulls, and the zeros of a breakdown, are for the JSON."""
    return part["value"] is not None and (part["value"] != 0 or part["of"] is None)
