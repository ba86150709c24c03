"""The shipped real data give the figures that were published for them or computed from them by other libraries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import census
import flights
import pytest
from inprocess import declare, fold, open_vigil, report, take

from detectors.performance import measure_performance
from incidents.incident import Incident
from incidents.verdict import Kind
from monitor import queries
from monitor.app import App
from monitor.store import lists, models
from monitor.store.lists import Filter

CENSUS = json.loads((census.DATA / "expected.json").read_text())
FLIGHTS = json.loads((flights.DATA / "expected.json").read_text())
ROWS = 208_892


def day(year: int, month: int = 1, of_month: int = 1) -> datetime:
    return datetime(year, month, of_month, tzinfo=UTC)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The whole census stream, folded: about 10 s."""
    vigil = open_vigil(tmp_path_factory.mktemp("census"))
    declare(vigil, census.declaration())
    take(vigil, census.MODEL, [census.reference(), *census.arrivals(size=4_000)])
    fold(vigil, census.MODEL)
    yield vigil
    vigil.stop()


def counts(vigil: App) -> dict[str, int]:
    state = vigil.model_state(census.MODEL)
    assert state is not None
    assert state.counts is not None
    return {k: v for k, v in state.counts.items() if v}


def found(vigil: App) -> list[Incident]:
    return list(vigil.ask(lambda db: lists.bodies(db, Filter())))


def test_every_row_is_counted_once_and_again_is_a_duplicate(replayed: App) -> None:
    exact = {"predictions": ROWS, "outcomes": ROWS, "joined": ROWS}
    assert counts(replayed) == exact
    before = [i.to_json() for i in found(replayed)]
    take(replayed, census.MODEL, [census.reference(), *census.arrivals(size=7_000)])
    fold(replayed, census.MODEL)
    assert counts(replayed) == {**exact, "duplicates": 2 * ROWS}
    assert [i.to_json() for i in found(replayed)] == before


@pytest.mark.parametrize("year", [2016, 2017, 2018])
def test_roc_auc_of_each_year(replayed: App, year: int) -> None:
    points = report(replayed, census.MODEL, day(year), day(year + 1))
    auc, expected = points["roc_auc", None, None], CENSUS["performance"][str(year)]
    assert auc["value"] == pytest.approx(expected["roc_auc"], abs=0.001)
    assert auc["n"] == expected["n"]
    assert points["accuracy", None, None]["value"] == pytest.approx(expected["accuracy"], abs=1e-9)


def test_roc_auc_of_the_reference(replayed: App) -> None:
    state = replayed.ask(models.load, census.MODEL)
    watch = queries.watch_of(replayed.spec(census.MODEL, state.declaration), state)
    assert watch is not None
    reference = watch.reference
    named = {m: v for m, _, v in measure_performance(reference.space, reference.outcomes, reference.sums)}
    assert named["roc_auc"].value == pytest.approx(CENSUS["performance"]["reference"]["roc_auc"], abs=0.001)


def test_fairness_over_all_of_production(replayed: App) -> None:
    points = report(replayed, census.MODEL, day(2016), day(2019))
    expected = CENSUS["fairness"]["SEX"]["production_all"]
    for metric in ("demographic_parity_difference", "equalized_odds_difference"):
        point = points[metric, "SEX", None]
        assert point["value"] == pytest.approx(expected[metric], abs=0.0005)
        assert point["interval"][0] < point["value"] < point["interval"][1]


def test_a_group_of_five_is_unknown_and_no_rate(replayed: App) -> None:
    points = report(replayed, census.MODEL, day(2016), day(2019))
    rate = points["selection_rate", "RAC1P", "4"]
    assert (rate["value"], rate["status"], rate["reason"], rate["n"]) == (None, "unknown", "too_few_samples", 5)


def test_the_group_quarters_open_one_performance_incident_that_resolves(replayed: App) -> None:
    """Rows 133,845 to 143,664: 6 December 2017 to 26 January 2018."""
    (fall,) = [i for i in found(replayed) if i.fingerprint.kind is Kind.PERFORMANCE]
    carriers, moved = fall.causes[:5], [c.name for c in fall.causes[5:]]
    assert carriers[0].name == "RELP=17", "group quarters that are no institutions"
    assert all("carries" in c.note for c in carriers)
    assert moved[0] == "RELP"
    assert set(moved[:3]) == {"RELP", "AGEP", "SCHL"}
    assert fall.worst is not None
    assert day(2017, 12, 1) < fall.worst.window_start < fall.worst.window_end < day(2018, 2, 5)
    assert "ROC AUC" in fall.title
    assert fall.state.value == "resolved"
    assert fall.recovered_at is not None
    assert day(2018, 1, 26) < fall.recovered_at <= day(2018, 2, 12)


def test_three_years_bring_four_incidents(replayed: App) -> None:
    """Each is worth a person's time: the shift of 2017, the group quarters seen from two sides, and one disparity."""
    told = {(i.fingerprint.kind.value, i.fingerprint.attribute, i.state.value) for i in found(replayed)}
    assert told == {
        ("drift", None, "open"),
        ("performance", None, "resolved"),
        ("fairness", "SEX", "resolved"),
        ("fairness", "RAC1P", "resolved"),
    }
    assert len(found(replayed)) == 4


@pytest.fixture(scope="module", params=[flights.CLASSIFIER, flights.REGRESSOR])
def flown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, App]]:
    vigil = open_vigil(tmp_path_factory.mktemp("flights"))
    model: str = request.param
    declare(vigil, flights.declaration(model))
    take(vigil, model, [flights.reference(model), *flights.arrivals(model)])
    fold(vigil, model)
    yield model, vigil
    vigil.stop()


def test_flights_of_which_some_never_land(flown: tuple[str, App]) -> None:
    model, vigil = flown
    state = vigil.model_state(model)
    assert state is not None
    assert state.counts is not None
    missing = FLIGHTS["missing_outcomes"]
    assert state.counts["predictions"] == missing["production_predictions"]
    assert state.counts["joined"] == missing["outcomes"]
    assert state.counts["predictions"] - state.counts["joined"] == missing["never_arriving"]
    points: dict[Any, Any] = report(vigil, model, day(2013, 4), day(2014, 1, 2))
    if model == flights.REGRESSOR:
        expected = FLIGHTS["regression_production_all"]
        assert points["mae", None, None]["value"] == pytest.approx(expected["mae"], abs=1e-6)
        assert points["rmse", None, None]["value"] == pytest.approx(expected["rmse"], abs=1e-6)
        assert points["bias", None, None]["value"] == pytest.approx(expected["mean_error"], abs=1e-6)
    else:
        expected = FLIGHTS["performance_production_all"]
        assert points["roc_auc", None, None]["value"] == pytest.approx(expected["roc_auc"], abs=0.001)
        assert points["accuracy", None, None]["value"] == pytest.approx(expected["accuracy"], abs=1e-9)

