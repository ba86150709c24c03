"""Services that sample: what they send a tenth of is told as a tenth, and hours of several rates as one window."""

from __future__ import annotations

from typing import Any

import pytest

HOURS = {0: 0.5, 1: 1.0}        # what is sent of each hour's rows


@pytest.fixture
def sampled(service: Any) -> Any:
    """Two hours of 60 rows each, in the first of which every second row is sent; every row sent has its outcome but
    those of the second hour's last half."""
    service.reference()
    for hour, rate in HOURS.items():
        numbers = range(60 * hour, 60 * hour + 60, round(1 / rate))
        rows = {"rows": [service.prediction(i) for i in numbers], "sampling_rate": rate}
        assert service.post("predictions", rows).status_code == 202
        service.post("outcomes", [service.outcome(i) for i in numbers if i < 90])
    service.fold()
    return service


@pytest.mark.both_databases
def test_a_window_of_two_rates_counts_the_rows_there_were(sampled: Any) -> None:
    found = sampled.client.get("/v1/models/churn/report", params={"from": "2026-07-01", "to": "2026-07-02"}).json()
    assert found["sampling"] == {"rates": [0.5, 1.0], "rows_received": 90, "effective_n": 80}
    points = sampled.report()
    count = points["row_count", "model"]
    assert (count["value"], count["n"]) == (120, 90)
    assert count["interval"][0] < 120 < count["interval"][1]
    assert points["label_coverage", "model"]["value"] == pytest.approx(90 / 120)
    assert points["missing_rate", "age"]["n"] == 80
    hour = sampled.report(**{"from": "2026-07-01T00:00:00Z", "to": "2026-07-01T01:00:00Z"})
    assert (hour["row_count", "model"]["value"], hour["row_count", "model"]["n"]) == (60, 30)
    assert hour["missing_rate", "age"]["n"] == 30
    assert hour["label_coverage", "model"]["value"] == 1


def test_an_hour_that_is_sent_whole_says_nothing_of_sampling(sampled: Any) -> None:
    span = {"from": "2026-07-01T01:00:00Z", "to": "2026-07-01T02:00:00Z"}
    assert sampled.client.get("/v1/models/churn/report", params=span).json()["sampling"] is None
    count = sampled.report(**span)["row_count", "model"]
    assert (count["value"], count["n"], count["interval"]) == (60, 60, None)


def test_windows_are_measured_and_the_console_tells_that_rows_are_sampled(sampled: Any) -> None:
    sampled.clock.move(days=1)
    assert sampled.app.worker.tick("churn")
    kept = sampled.client.get("/v1/models/churn/points", params={"metric": "row_count"}).json()["points"]
    assert [(p["value"], p["n"]) for p in kept] == [(120, 90)]
    page = sampled.client.get("/models/churn").text
    assert "120 rows, sampled at 75%" in page
    report = sampled.client.get("/models/churn/report", params={"from": "2026-07-01", "to": "2026-07-02"}).text
    assert "sampled at 50% to 100%, so that 90 rows weigh as 80" in report
