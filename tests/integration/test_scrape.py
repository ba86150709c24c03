"""``/metrics`` of a whole Vigil: formats, what is counted, and what it never says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.settings import Settings

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(service: Any) -> Series:
    answer = service.client.get("/metrics", headers={"authorization": ""})
    assert answer.status_code == 200, answer.text
    samples = [s for family in parse_text(answer.text) for s in family.samples]
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}


def value(found: Series, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def watched(service: Any) -> Any:
    """A reference, a day of predictions with their outcomes, and the day after, so that the day is judged."""
    service.reference(headers={"Idempotency-Key": "r"})
    rows = [service.prediction(i, prediction_id=f"p{i}") for i in range(400)]
    service.post("predictions", rows)
    service.post("outcomes", [service.outcome(i) for i in range(300)])
    service.fold()
    service.app.heart.write()
    return service


def test_it_asks_for_no_key_and_speaks_the_format_that_is_asked_for(service: Any) -> None:
    plain = service.client.get("/metrics", headers={"authorization": ""})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    asked = service.client.get("/metrics", headers={"accept": OPENMETRICS, "authorization": ""})
    assert asked.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert asked.text.endswith("# EOF\n")
    assert len(list(parse_openmetrics(asked.text))) > 50


@pytest.mark.both_databases
def test_totals_are_those_of_the_records(watched: Any) -> None:
    found = scrape(watched)
    counts = watched.counts()
    assert counts["predictions"] == 400
    assert value(found, "vigil_predictions_total", model="churn") == 400
    assert value(found, "vigil_outcomes_joined_total", model="churn") == counts["joined"] == 300
    assert value(found, "vigil_ingest_rows_total", model="churn", kind="predictions", result="accepted") == 400
    assert value(found, "vigil_rows_to_fold", model="churn") == 0
    assert value(found, "vigil_fold_duration_seconds_count") == 3
    assert value(found, "vigil_log_append_duration_seconds_count") == 3


@pytest.mark.both_databases
def test_what_waits_is_a_backlog_with_an_age(watched: Any) -> None:
    watched.post("predictions", [watched.prediction(500), watched.prediction(501)])
    watched.clock.move(minutes=2)
    found = scrape(watched)
    assert value(found, "vigil_rows_to_fold", model="churn") == 2
    assert value(found, "vigil_fold_lag_seconds", model="churn") == 120
    watched.fold()
    assert value(scrape(watched), "vigil_fold_lag_seconds", model="churn") == 0


@pytest.mark.both_databases
def test_rejects_are_counted(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(1), service.prediction(2, prediction_score=7)])
    found = scrape(service)
    assert value(found, "vigil_ingest_rows_total", model="churn", kind="predictions", result="rejected") == 1


def test_requests_are_counted_by_template_and_a_scanner_makes_one_label(service: Any) -> None:
    for path in ("/v1/models/churn", "/v1/models/other", "/wp-login.php", "/etc/passwd"):
        service.client.get(path)
    service.client.request("BREW", "/v1/models/churn")
    found = scrape(service)
    one = {"method": "GET", "route": "/v1/models/{model}"}
    assert value(found, "vigil_http_requests_total", **one, status="200") == 1
    assert value(found, "vigil_http_requests_total", **one, status="404") == 1
    assert value(found, "vigil_http_requests_total", method="GET", route="unmatched", status="404") == 2
    routes = {v for (name, labels) in found for k, v in labels if name == "vigil_http_requests_total" and k == "route"}
    assert not [r for r in routes if "churn" in r or "wp-login" in r]
    methods = {v for (name, labels) in found for k, v in labels if k == "method"}
    assert "BREW" not in methods
    assert "other" in methods


def test_no_group_id_or_key_is_on_the_page(watched: Any) -> None:
    watched.clock.move(days=2)
    watched.app.worker.tick("churn")
    found = scrape(watched)
    assert [k for k in found if k[0] == "vigil_windows_evaluated_total"], "no window was judged"
    names = {k for _, labels in found for k, _ in labels}
    assert not names & {"group", "segment", "prediction_id", "incident", "batch_id", "subject_key"}
    values = {v for _, labels in found for _, v in labels}
    assert not values & {"f", "m", "p1", "MA", "state=MA", "attribute:sex,group:f"}
    assert "group:" not in "".join(values)


@pytest.mark.both_databases
def test_no_value_is_nan_or_infinite(watched: Any) -> None:
    assert all(math.isfinite(v) for v in scrape(watched).values())


def test_the_registry_that_libraries_share_is_left_alone(service: Any) -> None:
    scrape(service)
    assert not [f.name for f in REGISTRY.collect() if f.name.startswith("vigil")]


def test_an_error_inside_is_counted_as_500(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault")

    monkeypatch.setattr(service.app, "model_state", broken)
    assert service.client.get("/v1/models/churn").status_code == 500
    labels = {"method": "GET", "route": "/v1/models/{model}", "status": "500"}
    assert value(scrape(service), "vigil_http_requests_total", **labels) == 1


class TestSwitchedOff:
    @pytest.fixture
    def settings(self, tmp_path: Any) -> Settings:
        return Settings(data_dir=tmp_path / "vigil", worker="none", metrics=False)

    def test_there_is_no_page(self, service: Any, problem: Callable[..., dict[str, Any]]) -> None:
        problem(service.client.get("/metrics"), 404, "not-found")


@pytest.mark.both_databases
def test_the_last_round_is_absent_until_there_is_one(service: Any) -> None:
    assert value(scrape(service), "vigil_worker_last_round_timestamp_seconds") is None
    assert value(scrape(service), "vigil_fold_duration_seconds_count") is None
    service.app.heart.write()
    assert value(scrape(service), "vigil_worker_last_round_timestamp_seconds") is None
    service.app.heart.went_round()
    service.app.heart.write()
    assert value(scrape(service), "vigil_worker_last_round_timestamp_seconds") == service.clock().timestamp()
