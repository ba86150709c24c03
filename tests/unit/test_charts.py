"""Charts: every specification compiles and draws what its rows say, and every style it names has a look."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
import vl_convert

from api import charts
from detectors.point import Measurement, MetricPoint, Reason
from detectors.scope import Scope, Window
from detectors.streams import DETECTORS
from monitor.times import to_micros
from monitor.views import Cell, Distribution, Judged

START = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)


def week(i: int, value: float | None, **more: Any) -> dict[str, Any]:
    row = {
        "start": to_micros(START + i * WEEK), "end": to_micros(START + (i + 1) * WEEK), "value": value,
        "low": None if value is None else value - 0.02, "high": None if value is None else value + 0.02,
        "n": 500, "reason": None if value is not None else "no_outcomes", "provisional": False,
        "verdict": "ok", "limit": 0.8,
    }  # fmt: skip
    return row | more


def drawn(spec: charts.Spec) -> str:
    """The chart as Vega draws it; an error in the specification, or a warning of Vega's, fails here."""
    svg = vl_convert.vegalite_to_svg(spec | {"width": 400})
    assert isinstance(svg, str)
    return svg


def marks(svg: str, kind: str) -> list[int]:
    """How many marks each layer of a kind has, the layers in their order."""
    groups = re.findall(rf'<g class="mark-{kind} role-mark[^"]*"[^>]*>(.*?)</g>', svg, re.S)
    return [len(re.findall(r"<path|<line|<text", g)) for g in groups]


def test_a_trend_shows_breaches_provisional_values_and_the_chosen_window() -> None:
    rows = [week(0, 0.9), week(1, 0.7, verdict="breach"), week(2, None, verdict="unknown"), week(3, 0.88),
            week(4, 0.86, provisional=True, verdict="unknown")]  # fmt: skip
    spec = charts.trend(rows, "ROC AUC", reference=0.9, selected=charts.millis(START))
    svg = drawn(spec)
    assert marks(svg, "symbol") == [2, 1, 1]                    # settled, provisional, breach
    assert marks(svg, "rect") == [1, 1, 5]                      # the chosen window, the breach, where one can point at
    styles = [layer["mark"]["style"] for layer in spec["layer"]]
    assert styles == ["selected", "breach-band", "interval", "reference", "limit", "value", "settled", "provisional",
                      "breach", "hover"]  # fmt: skip


def test_a_gap_is_a_gap_and_not_a_line_across() -> None:
    spec = charts.trend([week(0, 0.9), week(1, 0.9), week(2, None), week(3, 0.9), week(4, 0.9)], "ROC AUC")
    paths = re.findall(r'aria-roledescription="line mark"[^>]*?d="([^"]+)"', drawn(spec))
    assert [p.count("M") for p in paths] == [1, 2]              # the limit goes on, the value does not


def test_a_layer_without_rows_is_left_out() -> None:
    assert "nothing known yet" in drawn(charts.trend([], "bias", reference=0.5))
    plain = charts.trend([week(0, 0.9, limit=None, low=None, high=None), week(1, 0.8, limit=None)], "bias")
    assert {layer["mark"]["style"] for layer in plain["layer"]} == {"interval", "value", "settled", "hover"}
    nothing = charts.trend([week(0, None, limit=None)], "bias", reference=0.5)
    assert [layer["mark"]["style"] for layer in nothing["layer"]] == ["empty", "hover"]
    assert "nothing known yet" in drawn(nothing)


def test_an_estimate_is_dashed_and_stands_alone_where_no_outcome_is_known() -> None:
    known = [week(0, 0.9), week(1, 0.88), week(2, None), week(3, None)]
    expected = [week(i, v) for i, v in enumerate((0.89, 0.87, 0.85, None))]
    spec = charts.trend(known, "ROC AUC", estimates=expected)
    styles = [layer["mark"]["style"] for layer in spec["layer"]]
    assert styles == ["interval", "estimate-interval", "limit", "estimate", "value", "settled", "hover"]
    rows = spec["data"]["values"]
    assert [r.get("estimate") for r in rows] == [0.89, 0.87, 0.85, None]
    assert [r.get("estimate_low") for r in rows] == [None, None, pytest.approx(0.83), None]
    lines = re.findall(r'aria-roledescription="line mark"[^>]*?d="([^"]+)"', drawn(spec))
    assert [p.count("L") for p in lines] == [3, 2, 1]               # the limit, the estimate, the value
    alone = charts.trend([week(0, None), week(1, None)], "ROC AUC", estimates=expected, reference=0.9)
    assert {"estimate", "reference"} <= {layer["mark"]["style"] for layer in alone["layer"]}
    assert "nothing known" not in drawn(alone)


def test_a_signal_names_its_detector_and_old_ones_are_of_adwin() -> None:
    of = {name: {"detail": {"detector": name}} for name in DETECTORS}
    assert [charts.detector_title(s) for s in of.values()] == [
        "ADWIN", "Page-Hinkley", "KSWIN", "DDM", "EDDM", "HDDM-A", "HDDM-W"]  # fmt: skip
    assert charts.detector_title({"detail": {"direction": "up"}}) == "ADWIN"


def test_incidents_and_signals_are_marked_on_the_axis() -> None:
    signal = {"at": to_micros(START + WEEK), "stream": "error", "detail": {"direction": "up"}}
    found = charts.occasions([], [signal])
    assert found == [{"kind": "signal", "at": charts.millis(START + WEEK), "what": "ADWIN: the error stream went up"}]
    later = [signal | {"at": signal["at"] + i} for i in range(1_000_000, 4_000_000, 1_000_000)]
    gathered = charts.occasions([], [*later[::-1], signal], every=10_000)
    assert gathered == [found[0] | {"what": "ADWIN: the error stream went up, and 3 more such signals"}]
    incident = {"kind": "incident", "at": charts.millis(START), "what": "Drift in age (open)"}
    svg = drawn(charts.trend([week(0, 0.9), week(1, 0.8)], "ROC AUC", marks=[incident, *found]))
    assert marks(svg, "symbol") == [2, 1, 1]
    assert "Drift in age (open)" in svg


def test_a_heat_strip_has_a_cell_for_each_value_and_a_triangle_for_each_breach() -> None:
    at = [to_micros(START + i * WEEK) for i in range(4)]
    verdicts = ("ok", "ok", "breach")
    cells = [
        Cell(n, at[i], at[i + 1], 0.1 * i, None if n == "plan" else 0.05 * i, verdicts[i])
        for n in ("age", "plan")
        for i in range(3)
    ]
    spec = charts.heat(cells, ["plan", "age"], 0.1)
    assert [r["beyond_noise"] for r in spec["data"]["values"]] == [0.0, 0.05, 0.1, 0.0, 0.1, 0.2]
    svg = drawn(spec)
    assert (marks(svg, "rect"), marks(svg, "symbol")) == ([6], [2])
    labels = re.findall(r"<text[^>]*>(age|plan)</text>", svg)
    assert labels == ["plan", "age"]
    assert marks(drawn(charts.heat(cells[:2], ["age"], None)), "symbol") == []
    assert "nothing known yet" in drawn(charts.heat([], ["age"], 0.1))


def test_bars_stand_side_by_side_in_the_order_of_their_bins() -> None:
    d = Distribution(("< 3", "3 to 4", "≥ 4"), (0.2, 0.3, 0.5), (0.1, 0.1, 0.8), (0.0, 0.1), (100, 50))
    svg = drawn(charts.bars(d))
    assert marks(svg, "rect") == [6]
    assert [t for t in re.findall(r"<text[^>]*>([^<]+)</text>", svg) if t in {"&lt; 3", "3 to 4", "≥ 4"}] == [
        "&lt; 3", "3 to 4", "≥ 4"]  # fmt: skip


def test_a_suppressed_group_is_named_without_a_number() -> None:
    few = judged("4", Measurement.unknown(Reason.TOO_FEW_SAMPLES, 5))
    found = [judged("1", Measurement(0.5, 900, (0.47, 0.53))), few, judged("2", Measurement(0.4, 700, (0.36, 0.44)))]
    spec = charts.whiskers(found, "1")
    assert spec["data"]["values"][2] == {"group": "4", "reason": "too few rows to show"}
    svg = drawn(spec)
    assert marks(svg, "symbol") == [2]
    assert "too few rows to show" in svg
    alone = charts.whiskers([few], None)
    assert [layer["mark"]["style"] for layer in alone["layer"]] == ["empty"]
    drawn(alone)
    assert "nothing known yet" in drawn(charts.whiskers([], None))


def test_means_by_group_have_no_percent() -> None:
    found = [judged("1", Measurement(1.5, 900, (1.4, 1.6))), judged("2", Measurement(1.2, 700, (1.1, 1.3)))]
    assert "%" not in "".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawn(charts.whiskers(found, None, "~g"))))


def test_every_style_has_a_look_and_every_look_is_used() -> None:
    script = (files("api") / "static" / "charts.js").read_text()
    looks = set(re.findall(r'^ {6}"([a-z-]+)": \{', script, re.M))
    source = (files("api") / "charts.py").read_text()
    named = set(re.findall(r'(?:_mark|_over_time)\("\w+", "([a-z-]+)"', source))
    named |= set(re.findall(r'(?:_band|_points)\((?:y, "[^"]*", )?"([a-z-]+)"', source))
    named |= {"incident", "signal", "incident-line", "signal-line"}
    assert named == looks


@pytest.mark.parametrize("name", ["charts.js", "console.js"])
def test_scripts_build_no_code_from_text(name: str) -> None:
    script = (files("api") / "static" / name).read_text()
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)


def test_the_style_sheet_is_small() -> None:
    assert len((files("api") / "static" / "console.css").read_bytes()) < 14 * 1024


def judged(group: str, m: Measurement) -> Judged:
    point = MetricPoint("selection_rate", Scope(attribute="RAC1P", group=group), Window(START, START + WEEK), m)
    return Judged(point, None, None)
