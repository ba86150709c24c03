"""The layout of the pack, JSON and HTML, which auditors and scripts read: a contract.

A change here is a change of the interface: write the files anew with ``python tests/golden/test_pack.py``. Pictures are
left out of the golden page: how a line is drawn is Vega's business.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incidents.care import Retest
from incidents.commands import Clock, Disposition
from incidents.incident import Action, Incident, Interval, ResolvedBy, Retested, State
from incidents.verdict import Cause, Evidence, Fingerprint, Kind, Limit, Severity
from monitor.export.pack import as_json, build, figures_hash, in_period
from monitor.export.page import as_page
from monitor.kpis.catalogue import compute
from monitor.kpis.periods import Period, parse_period, quarters_to
from monitor.kpis.records import BiasResult, BiasTest, ModelRecord, Records

HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 10, 5, tzinfo=UTC)
Q3 = parse_period("2026-Q3")


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


def records() -> Records:
    """Two models, one out of scope; a bias finding closed after a reopening, and a drift that nobody looked at."""
    window = Evidence(day(7, 6), day(7, 13), "ratio 0.6, below 0.8", (Cause("sex=f", "selection_rate", 0.3),), (), 0.25)
    limit = Limit("demographic_parity_ratio", "attribute=sex", low=0.8)
    passed = Retest(limit.metric, limit.scope, day(7, 24), day(7, 31), 0.9, 0.85, 0.95, 4_000)
    action = Action(1, "widen the campaign", "ana", day(8, 20), day(9, 10), day(8, 15), day(9, 11), effective=True)
    finding = Incident(
        id="inc_1",
        fingerprint=Fingerprint("loans", Kind.FAIRNESS, "sex"),
        state=State.CLOSED,
        severity=Severity.CRITICAL,
        title="Disparity by sex: demographic parity ratio 0.6, below <0.8>",
        clock=Clock.WALL,
        started_at=day(7, 13),
        opened_at=day(7, 13, 1),
        updated_at=day(8, 3),
        live=(Interval(day(7, 13, 1), day(7, 20)), Interval(day(7, 22), day(8, 1))),
        acknowledged_at=day(7, 13, 4),
        recovered_at=day(7, 31),
        resolved_at=day(8, 1),
        resolved_by=ResolvedBy.PERSON,
        closed_at=day(8, 3),
        assignee="ana",
        disposition=Disposition.TRUE,
        disposed_at=day(8, 2),
        root_cause="a skewed campaign",
        evidence=(window,),
        limits=(limit,),
        retests=(Retested(day(7, 31), passed, passed=True),),
        actions=(action,),
    )
    drift = Incident(
        id="inc_2",
        fingerprint=Fingerprint("loans", Kind.DRIFT),
        state=State.OPEN,
        severity=Severity.WARNING,
        title="Drift in age",
        clock=Clock.WALL,
        started_at=day(5, 31),
        opened_at=day(6, 1),
        updated_at=day(6, 1),
        live=(Interval(day(6, 1)),),
    )
    tests = tuple(
        BiasTest(f"loans/sex/2026-07-{n:02}", day(7, n + 7), result)
        for n, result in ((6, BiasResult.BREACH), (13, BiasResult.OK), (20, BiasResult.MISSING))
    )
    loans = ModelRecord(
        "loans", Clock.WALL, True, Period(day(5, 1), NOW), ("sex",), ((day(7, 1), 1_200), (day(9, 29), 800)),
        (Period(day(9, 29), day(9, 30)),), tests, 0.999,
    )  # fmt: skip
    return Records((loans, ModelRecord("sandbox", Clock.WALL, False, None)), (finding, drift), NOW)


def evidence() -> dict[str, Any]:
    shared = {"task": "binary_classification", "risk_tier": None, "declaration": 1, "clock": "wall"}
    return {
        "scope": [
            {
                "model": "loans", "covered": True, "why": "in scope and live", "purpose": "grants loans",
                "owner": "risk", "protected_attributes": ["sex"],
                "live": {"start": "2026-07-01T00:00:00Z", "end": "2026-10-01T00:00:00Z"},
                "predictions": 2_000, **shared,
            },
            {
                "model": "sandbox", "covered": False, "why": "declared out of scope", "purpose": None, "owner": None,
                "protected_attributes": [], "live": None, "predictions": 0, **shared,
            },
        ],
        "changes": [
            {"model": "loans", "version": 2, "at": "2026-07-02T09:00:00Z", "by": "ana", "changed": ["owner"]}
        ],
        "data_gaps": [
            {
                "model": "loans", "predictions": 2_000, "without_outcome": 150, "rejected": 3,
                "reject_reasons": [{"field": "prediction_score", "reason": "is above 1", "n": 3}],
                "late": 4, "duplicates": 5, "conflicts": 0, "orphans": 1,
                "windows": [
                    {
                        "family": "fairness", "ok": 8, "breach": 1, "inconclusive": 2, "unknown": 1,
                        "unknown_reasons": {"too_few_samples": 1},
                    }
                ],
            }
        ],
    }  # fmt: skip


def pack() -> dict[str, Any]:
    found = records()
    trend = [(quarter, compute(found, quarter)) for quarter in quarters_to(Q3.end)]
    incidents = [i for i in found.kept() if in_period(i, Q3)]
    figures = build(Q3, Q3, "wall", compute(found, Q3), trend, incidents, evidence())
    generated = {
        "by": "ana", "at": "2026-10-05T00:00:00Z", "software": "vigil-ml X", "revision": 1,
        "figures_hash": figures_hash(figures),
    }  # fmt: skip
    empty: dict[str, list[str]] = {"decisions": [], "attendees": [], "sign_off": []}
    return {"figures": figures, "to_fill": empty, "generated": generated}


def page() -> str:
    return re.sub(r'<svg role="img" aria-label="([^"]*)".*?</svg>', r"<svg: \1>", as_page(pack()).decode(), flags=re.S)


def test_the_json_is_the_committed_one() -> None:
    assert as_json(pack()) == (HERE / "pack.json").read_bytes()


def test_the_page_is_the_committed_one() -> None:
    assert page() == (HERE / "pack.html").read_text("utf-8")


def test_pictures_take_the_pages_colours_and_say_what_they_show() -> None:
    svgs = re.findall(r"<svg .*?</svg>", as_page(pack()).decode(), flags=re.S)
    assert svgs
    for svg in svgs:
        assert "var(--accent)" in svg
        assert "#010203" not in svg
        assert "#040506" not in svg
        assert 'aria-label="' in svg


def test_text_of_the_records_is_escaped() -> None:
    assert "below &lt;0.8&gt;" in page()


if __name__ == "__main__":
    (HERE / "pack.json").write_bytes(as_json(pack()))
    (HERE / "pack.html").write_text(page(), "utf-8")
