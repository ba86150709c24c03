"""``vigil report``, ``kpis`` and ``export``: the figures of a window, and of a quarter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from detectors.catalogue import CATALOGUE
from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.out import Out, shown
from monitor.cli.root import vigil

MOST = 5        # causes and carriers that are named
CLOCKS = ("wall", "event", "all")
_clock = click.option(
    "--clock", type=click.Choice(CLOCKS), default="wall", show_default=True,
    help="'event': the incidents of replays, by the times of their data.",
)  # fmt: skip
_period = click.option(
    "--period", metavar="PERIOD", help="2026-Q3, 2026-07, 2026 or 2026-01-01/2026-04-01; this quarter where absent."
)

from_ = click.option("--from", "start", required=True, metavar="INSTANT",
                     help="A date (UTC), or RFC 3339; on the grain.")  # fmt: skip
to = click.option("--to", "end", required=True, metavar="INSTANT", help="The end, which is not part of it.")


@on_service(vigil, "report", example="vigil report credit --from 2026-07-01 --to 2026-10-01 --metric roc_auc")
@click.argument("model")
@from_
@to
@click.option("--metric", "metrics", multiple=True, help="Only this metric; give it once for each.")
@click.option("--scope", help="Only this part: feature:age, attribute:SEX, output:score.")
@click.option("--all", "every", is_flag=True, help="Every metric, not only those kept for each window.")
def report(
    out: Out,
    client: Client,
    model: str,
    start: str,
    end: str,
    metrics: tuple[str, ...],
    scope: str | None,
    every: bool,
) -> None:
    """Report drift, data quality, performance and fairness of MODEL in any window.

    The table shows the metrics that are kept for each window, those that --metric names, or --all; --json has them all.
    """
    query = {"from": start, "to": end, "metric": ",".join(metrics) or None, "scope": scope}
    found = client.get(f"/v1/models/{model}/report", **query)
    out.value(found)
    verdicts = {(v["point"]["metric"], _scope(v["point"])): v["verdict"] for v in found["verdicts"]}
    listed = [p for p in found["points"] if every or metrics or CATALOGUE[p["metric"]].kept]
    rows = [_row(p, verdicts) for p in listed]
    out.table(("metric", "of", "value", "95 % interval", "n", "verdict", "note"), rows)
    if (sampling := found.get("sampling")) is not None:
        rates = " and ".join(f"{rate:.3g}" for rate in sampling["rates"][:MOST])
        out.line(f"sampled at {rates}: {sampling['rows_received']:,} rows that weigh as {sampling['effective_n']:,}")
    if len(listed) < len(found["points"]):
        out.line(f"and {len(found['points']) - len(listed)} points of metrics on demand: --all shows them")
    for pair in found["correlations"]:
        moved = f"{_was(pair)} before, changed by {shown(pair['change'])}"
        out.line(f"correlation of {' and '.join(pair['pair'])}: {moved}")
    if found["causes"]:
        out.line(f"moved most: {', '.join(_cause(c) for c in found['causes'][:MOST])}")
    if found["carriers"]:
        carried = [f"{c['axis']}={c['group']} ({c['carried']:+.2g})" for c in found["carriers"][:MOST]]
        out.line(f"carry the change in {found['carriers'][0]['metric']}: {', '.join(carried)}")


@on_service(vigil, "kpis", example="vigil kpis --period 2026-Q3")
@_period
@click.option("--model", help="Only of this model.")
@_clock
def kpis(out: Out, client: Client, period: str | None, model: str | None, clock: str) -> None:
    """Show the KPIs of a period; where one has no value, the reason."""
    found = client.get("/v1/kpis", period=period, model=model, clock=clock)
    out.value(found)
    of = found["period"]
    out.line(f"{of['name']}{'' if of['over'] else ', not over yet'}, clock: {clock}")
    out.table(("KPI", "value", "n"), [(k["title"], kpi_value(k), k["n"]) for k in found["kpis"]])


@on_service(vigil, "export", example="vigil export --period 2026-Q3 --format html --output review.html")
@_period
@click.option("--format", "form", type=click.Choice(["json", "html"]), default="json", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; stdout where absent.")
@_clock
def export(out: Out, client: Client, period: str | None, form: str, output: Path | None, clock: str) -> None:
    """Write the pack for the management review of a period."""
    query = {"period": period, "format": form, "clock": clock}
    pack = client.send("GET", "/v1/exports/management-review", query=query).content
    if output is None:
        sys.stdout.buffer.write(pack)
        return
    output.write_bytes(pack)
    out.value({"file": str(output), "bytes": len(pack)})
    out.line(f"{output}: {len(pack):,} bytes")


def _row(p: dict[str, Any], verdicts: dict[tuple[str, str], str]) -> tuple[Any, ...]:
    interval = "" if p["interval"] is None else " to ".join(shown(v) for v in p["interval"])
    value = p["reason"] if p["value"] is None else shown(p["value"])
    return (p["metric"], _scope(p), value, interval, p["n"], verdicts.get((p["metric"], _scope(p)), ""), _note(p))


def _note(p: dict[str, Any]) -> str:
    """What must be said beside a value: that it is an estimate, or rests on some of the outcomes.

    >>> _note({"estimate": True, "provisional": False, "coverage": None})
    'estimate'
    >>> _note({"estimate": False, "provisional": True, "coverage": 0.4})
    'provisional, 40 % of the outcomes'
    """
    if p["estimate"]:
        return "estimate"
    few = p["coverage"] is not None and p["coverage"] < 1
    known = f"{p['coverage']:.0%} of the outcomes".replace("%", " %") if few else ""
    return ", ".join(word for word in ("provisional" if p["provisional"] else "", known) if word)


def _cause(c: dict[str, Any]) -> str:
    """
    >>> _cause({"feature": "age", "metric": "jensen_shannon", "value": 0.3, "output": -0.02})
    'age (jensen_shannon 0.3000, moves the output by -0.02)'
    """
    moves = "" if c["output"] is None else f", moves the output by {c['output']:.2g}"
    return f"{c['feature']} ({c['metric']} {shown(c['value'])}{moves})"


def _was(pair: dict[str, Any]) -> str:
    return "unknown" if pair["before"] is None else str(shown(pair["before"]))


def _scope(p: dict[str, Any]) -> str:
    """The parts of a point's scope that are set, for people.

    >>> _scope({"scope": {"attribute": "SEX", "group": "1", "feature": None}})
    'attribute:SEX, group:1'
    """
    return ", ".join(f"{k}:{v}" for k, v in p["scope"].items() if v is not None)


def kpi_value(k: dict[str, Any]) -> str:
    """A KPI's value in its unit, or why there is none.

    >>> kpi_value({"value": 0.25, "unit": "ratio"}), kpi_value({"value": 5400.0, "unit": "seconds"})
    ('25.0 %', '1.5 h')
    >>> kpi_value({"value": None, "unit": "ratio", "reason_if_null": "none_due"})
    'none: none due'
    """
    if k["value"] is None:
        return f"none: {k['reason_if_null'].replace('_', ' ')}"
    if k["unit"] == "ratio":
        return f"{k['value']:.1%}".replace("%", " %")
    if k["unit"] == "seconds":
        hours = k["value"] / 3600
        return f"{hours / 24:,.1f} d" if hours >= 48 else f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"
    return shown(k["value"])
