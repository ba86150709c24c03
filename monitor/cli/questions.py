"""``vigil explain`` and ``equivalence``: why a window is other than the reference, and whether groups are alike."""

from __future__ import annotations

from typing import Any

import click

from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.figures import from_, to
from monitor.cli.out import Out, shown
from monitor.cli.root import vigil


@on_service(vigil, "explain", example="vigil explain credit --from 2026-07-01 --to 2026-07-08")
@click.argument("model")
@from_
@to
def explain(out: Out, client: Client, model: str, start: str, end: str) -> None:
    """Say by which features a window of MODEL differs from the reference.

    A classifier tells samples of the two apart, at most 2,000 rows each. Protected attributes are never used.
    """
    found = client.get(f"/v1/models/{model}/explanation", **{"from": start, "to": end})
    out.value(found)
    out.line(found["text"])
    rows = found["rows"]
    out.line(f"rows: {rows['window']:,} of the window, {rows['reference']:,} of {found['reference']}")
    table = [(f["feature"], _percent(f["share"]), _columns(f["columns"])) for f in found["features"]]
    if table:
        out.table(("feature", "share", "most of all"), table)
    if found["left_out"]:
        out.line(f"not used: {', '.join(found['left_out'])}")


@on_service(
    vigil, "equivalence",
    example="vigil equivalence credit --metric demographic_parity_ratio --attribute SEX --margin 0.8 "
            "--from 2026-07-01 --to 2026-10-01",
)  # fmt: skip
@click.argument("model")
@click.option("--metric", required=True, help="A disparity of rates, such as equal_opportunity_difference.")
@click.option("--attribute", required=True, help="A protected attribute, or an intersection such as SEX&RACE.")
@click.option("--margin", required=True, type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="What still counts as equal: 0.05 of a difference, 0.8 of a ratio.")
@from_
@to
def equivalence(
    out: Out, client: Client, model: str, metric: str, attribute: str, margin: float, start: str, end: str
) -> None:
    """See whether a window of MODEL shows that groups are treated alike, up to a margin.

    That is what it takes to close a finding of unequal treatment: "no significant difference" shows nothing.
    """
    query = {"metric": metric, "attribute": attribute, "margin": margin, "from": start, "to": end}
    found = client.get(f"/v1/models/{model}/equivalence", **query)
    out.value(found)
    out.line(found["text"])
    if found["provisional"]:
        out.line("provisional: the label delay has not passed")
    out.table(("rate", "group", "value", "n", ""), [row for r in found["rates"] for row in _groups(r)])
    tests = [(r["rate"], shown(r["p_value"]), _interval(r), _said(r)) for r in found["rates"]]
    out.table(("rate", "p-value", "90 % interval", "equivalent"), tests)


def _columns(columns: list[dict[str, Any]]) -> str:
    """The columns of a feature that tell most, and which way they went.

    >>> _columns([{"of": "category", "name": "17", "shift": -0.3, "share": 0.6}])
    '17 less often'
    >>> _columns([{"of": "value", "name": None, "shift": 0.5, "share": 0.9}])
    'higher'
    """
    said = []
    for c in columns[:3]:
        what = {"value": "", "other": "other categories", "missing": "missing"}.get(c["of"], c["name"])
        more, less = ("higher", "lower") if c["of"] in ("value", "dimension") else ("more often", "less often")
        said.append(f"{what} {more if c['shift'] > 0 else less}".strip())
    return ", ".join(said)


def _groups(rate: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The groups that are compared, then those left out with the reason."""
    compared = [
        (rate["rate"], g["group"], g["value"], g["n"], "reference group" * (g["group"] == rate["reference_group"]))
        for g in rate["compared"]
    ]
    return compared + [(rate["rate"], g["group"], None, None, _words(g["reason"])) for g in rate["left_out"]]


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def _interval(rate: dict[str, Any]) -> str:
    return "" if rate["interval"] is None else " to ".join(shown(v) for v in rate["interval"])


def _said(rate: dict[str, Any]) -> str:
    return _words(rate["reason"]) if rate["equivalent"] is None else shown(rate["equivalent"])


def _words(reason: str) -> str:
    return reason.replace("_", " ")
