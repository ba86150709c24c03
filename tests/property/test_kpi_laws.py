"""Laws that hold for KPIs of any records, any period and any way of cutting it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isclose

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incidents.care import Retest
from incidents.commands import Clock, Disposition
from incidents.figures import Figure
from incidents.incident import Acceptance, Action, Incident, Interval, ResolvedBy, Retested, State
from incidents.verdict import Fingerprint, Kind, Limit, Severity
from monitor.export.pack import figures_hash
from monitor.kpis.catalogue import compute
from monitor.kpis.kpi import Kpi
from monitor.kpis.periods import Period, model_quarters, parse_period
from monitor.kpis.records import BiasResult, BiasTest, ModelRecord, Records

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=400)
days = st.integers(0, 300)
MODELS = ("a", "b", "out")
LIMIT = Limit("disparate_impact", "attribute=sex", low=0.8)
RETEST = Retest(LIMIT.metric, LIMIT.scope, START, START + timedelta(days=1), 0.9, 0.85, 0.95, 900)
lawful = settings(deadline=None, max_examples=60)     # a shared machine has no even pace


def day(n: int) -> datetime:
    return START + timedelta(days=n)


@st.composite
def incidents(draw: st.DrawFn, number: int) -> Incident:
    opened = draw(days)
    ends = sorted(draw(st.lists(st.integers(opened, 390), min_size=3, max_size=3)))
    reached = draw(st.integers(0, 3))        # nothing, acknowledged, resolved, closed
    tested, merged = draw(st.booleans()), reached > 2 and draw(st.integers(0, 4)) == 0
    kind, accepted = draw(st.sampled_from(Kind)), draw(st.none() | st.integers(1, 60))
    resolved = day(ends[1]) if reached > 1 else None
    return Incident(
        id=f"i{number}",
        fingerprint=Fingerprint(draw(st.sampled_from(MODELS)), kind),
        state=(State.OPEN, State.ACKNOWLEDGED, State.RESOLVED, State.CLOSED)[reached],
        severity=draw(st.sampled_from(Severity)),
        title="t",
        clock=draw(st.sampled_from(Clock)),
        started_at=day(opened - draw(st.integers(0, 30))),
        opened_at=day(opened),
        updated_at=day(ends[2]),
        live=(Interval(day(opened), resolved),),
        acknowledged_at=day(ends[0]) if reached and draw(st.booleans()) else None,
        recovered_at=day(ends[1]) if tested and reached > 1 else None,
        resolved_at=resolved,
        resolved_by=draw(st.sampled_from(ResolvedBy)) if resolved else None,
        closed_at=day(ends[2]) if reached > 2 else None,
        disposition=draw(st.sampled_from(Disposition)) if reached > 2 else None,
        disposed_at=day(ends[2]) if reached > 2 else None,
        merged_into="other" if merged and kind is not Kind.FAIRNESS else None,
        limits=(LIMIT,),
        retests=(Retested(day(ends[1]), RETEST, draw(st.booleans())),) if tested else (),
        acceptance=None if accepted is None else Acceptance("a", "b", day(ends[1]), day(ends[1] + accepted), "why"),
        actions=(Action(1, "mend", "a", day(ends[0]), day(ends[1]), effective=draw(st.none() | st.booleans())),),
    )


@st.composite
def model(draw: st.DrawFn, name: str) -> ModelRecord:
    first = draw(days)
    rows = draw(st.lists(st.tuples(st.integers(first, 390), st.integers(1, 1_000)), max_size=5))
    due = draw(st.lists(st.tuples(days, st.sampled_from(BiasResult)), max_size=6))
    return ModelRecord(
        name,
        draw(st.sampled_from(Clock)),
        name != "out",
        draw(st.sampled_from((None, Period(day(first), NOW)))),
        draw(st.sampled_from(((), ("sex",)))),
        tuple((day(n), rows_) for n, rows_ in rows),
        tests=tuple(BiasTest(f"{name}{i}", day(n), result) for i, (n, result) in enumerate(due)),
    )


@st.composite
def records(draw: st.DrawFn) -> Records:
    found = tuple(draw(incidents(n)) for n in range(draw(st.integers(0, 6))))
    clocks = draw(st.sampled_from((frozenset({Clock.WALL}), frozenset({Clock.EVENT}), frozenset(Clock))))
    return Records(tuple(draw(model(name)) for name in MODELS), found, NOW, clocks)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Period, Period, Period]:
    """A period, and the two that it is cut into."""
    a, b, c = sorted(draw(st.lists(days, min_size=3, max_size=3, unique=True)))
    return Period(day(a), day(c)), Period(day(a), day(b)), Period(day(b), day(c))


def by_id(found: Records, period: Period) -> dict[str, Kpi]:
    return {k.id: k for k in compute(found, period)}


def figures(found: list[Kpi]) -> list[Figure]:
    return [f for k in found for f in (k.figure, *(p.figure for p in k.parts))]


@given(records(), cuts())
@lawful
def test_counts_and_exposures_of_the_parts_of_a_period_add_up(r: Records, cut: tuple[Period, Period, Period]) -> None:
    whole, first, second = (by_id(r, p) for p in cut)
    flows = {
        "bias_findings_closed": ("closed", "opened", "closed_by_acceptance", "acceptance_expired"),
        "bias_testing_frequency": tuple(f"result_{result}" for result in BiasResult),
        "drift_alerts_handled": ("handled", "opened"),
    }
    for id_, names in flows.items():
        for name in names:
            values = [next(p.figure.value for p in k[id_].parts if p.id == name) for k in (whole, first, second)]
            assert values[0] == values[1] + values[2], (id_, name)
    for id_ in ("bias_incident_rate", "bias_testing_frequency", "noise"):
        top = [k[id_].figure.numerator for k in (whole, first, second)]
        bottom = [k[id_].figure.denominator for k in (whole, first, second)]
        assert top[0] == top[1] + top[2]
        assert abs(bottom[0] - bottom[1] - bottom[2]) < 1e-9


@given(records(), cuts())
@lawful
def test_the_findings_open_at_the_end_of_one_part_are_those_open_at_the_start_of_the_next(
    r: Records, cut: tuple[Period, Period, Period]
) -> None:
    _, first, second = (
        {p.id: p.figure.records for p in by_id(r, part)["bias_findings_closed"].parts} for part in cut
    )
    assert first["open_at_end"] == second["open_at_start"]
    came = len(first["opened"]) + len(first["acceptance_expired"])
    assert len(first["open_at_end"]) == len(first["open_at_start"]) + came - len(first["closed"])


@given(records(), cuts())
@lawful
def test_null_has_a_reason_and_a_value_has_none(r: Records, cut: tuple[Period, Period, Period]) -> None:
    for f in figures(compute(r, cut[0])):
        assert (f.value is None) == (f.reason_if_null is not None)
        assert all(n > 0 for n in f.excluded.values())
        if f.value is not None and f.denominator and f.numerator is not None:
            quotient = f.numerator / f.denominator
            assert any(isclose(f.value, quotient * unit, rel_tol=1e-9) for unit in (1, 1e6))


@given(records(), cuts())
@lawful
def test_what_is_left_out_changes_no_value_and_is_counted(r: Records, cut: tuple[Period, Period, Period]) -> None:
    without = replace(
        r,
        incidents=r.kept(),
        models=tuple(m if m in r.covered else replace(m, live=None, tests=(), predictions=()) for m in r.models),
    )
    assert [f.value for f in figures(compute(r, cut[0]))] == [f.value for f in figures(compute(without, cut[0]))]
    left = [i for i in r.incidents if cut[0].holds(i.opened_at) and i.id not in {k.id for k in r.kept()}]
    weekly = next(p.figure for p in by_id(r, cut[0])["noise"].parts if p.of is None)
    assert sum(weekly.excluded.values()) == len(left)


@given(records(), cuts())
@lawful
def test_no_figure_by_the_wall_stands_on_a_replay(r: Records, cut: tuple[Period, Period, Period]) -> None:
    wall = replace(r, clocks=frozenset({Clock.WALL}))
    replays = {i.id for i in r.incidents if i.clock is Clock.EVENT}
    assert not replays & {id_ for f in figures(compute(wall, cut[0])) for id_ in f.records}


@given(records(), cuts(), st.randoms())
@lawful
def test_the_order_of_the_records_does_not_matter(
    r: Records, cut: tuple[Period, Period, Period], random: object
) -> None:
    shuffled = list(r.incidents)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    told = [k.as_dict() for k in compute(r, cut[0])]
    again = [k.as_dict() for k in compute(replace(r, incidents=tuple(shuffled)), cut[0])]
    assert figures_hash({"kpis": told}) == figures_hash({"kpis": json.loads(json.dumps(again))})


@given(records(), cuts(), st.integers(0, 90))
@lawful
def test_a_period_that_is_over_hears_nothing_of_the_time_after(
    r: Records, cut: tuple[Period, Period, Period], later: int
) -> None:
    """The clock alone changes no figure of a period that is over."""
    told = [k.as_dict() for k in compute(r, cut[0])]
    assert told == [k.as_dict() for k in compute(replace(r, now=NOW + timedelta(days=later)), cut[0])]


@given(days, days)
@lawful
def test_the_quarters_of_a_year_and_of_its_parts_add_up(a: int, b: int) -> None:
    assume(0 < a < b)
    year = parse_period("2026")
    edges = [year.start, day(a), day(b), year.end]
    parts = [model_quarters(Period(x, y)) for x, y in pairwise(edges)]
    assert abs(sum(parts) - 4) < 1e-9
