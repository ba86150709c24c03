"""Questions of one window: the report, why it is other, whether groups are alike, the reliability curve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from api import examples
from api.links import links
from detectors.fairness import equivalence
from incidents.commands import Open, command_to_json
from incidents.events import Actor, ActorKind
from incidents.verdict import Evidence, Fingerprint, Kind, Severity

DAY = {"from": "2026-07-01", "to": "2026-07-02"}
Ask = Callable[..., dict[str, Any]]
N = 400
PARITY = {"metric": "demographic_parity_difference", "attribute": "sex", "margin": 0.1}
QUESTIONS = {"report": {}, "explanation": {}, "equivalence": PARITY, "reliability": {}}


@pytest.fixture
def ask(service: Any) -> Ask:
    """A question of a window; of the day of the predictions where no other is named."""

    def ask(question: str, model: str = "churn", **query: Any) -> dict[str, Any]:
        answer = service.client.get(f"/v1/models/{model}/{question}", params=DAY | query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return ask


@pytest.fixture
def filled(service: Any) -> Any:
    """A reference, and a day of predictions of older people on plan a, of whom the women are chosen more often."""
    service.declare(
        features={"age": "numeric", "weight": "numeric", "plan": "categorical", "sex": "categorical"},
        protected_attributes={"sex": {"reference_group": "m", "min_group": 5}}, segments=["state"],
    )  # fmt: skip
    rng = np.random.default_rng(3)

    def row(i: int, day: str, **more: Any) -> dict[str, Any]:
        sex = "fm"[i % 2]
        old = more.pop("old", False)
        features = {"age": float(rng.normal(70 if old else 40, 5)), "weight": float(rng.normal(60, 9)),
                    "plan": "a" if old else "ab"[i % 2], "sex": sex}  # fmt: skip
        if old:
            features["weight"] = 60 + (features["age"] - 70)
        score = float(np.clip(rng.beta(2, 2) + (0.2 if old and sex == "f" else 0), 0, 1))
        at = f"2026-{day}T{i // 60 % 11:02}:{i % 60:02}:00Z"
        return service.prediction(i, timestamp=at, features=features, prediction_score=score, protected={"sex": sex},
                                  tags={"state": "MA" if i % 3 else "NY"}) | more  # type: ignore[no-any-return]  # fmt: skip

    reference = [row(i, "06-01", prediction_id=f"r{i}") for i in range(600)]
    for r in reference:
        r["actual_label"] = int(rng.random() < r["prediction_score"])
    day = [row(i, "07-01", old=True) for i in range(N)]
    truth = [{"prediction_id": r["prediction_id"], "timestamp": "2026-07-01T11:30:00Z",
              "actual_label": int(rng.random() < r["prediction_score"])} for r in day]  # fmt: skip
    for kind, sent in (("reference", reference), ("predictions", day[:150]), ("predictions", day[150:]),
                       ("outcomes", truth)):  # fmt: skip
        assert service.post(kind, sent).json()["rejected"] == 0
    service.fold()
    service.day = day, [t["actual_label"] for t in truth]
    return service


@pytest.mark.both_databases
def test_the_explanation_names_what_moved_and_never_a_protected_attribute(filled: Any, ask: Ask) -> None:
    found = ask("explanation")
    assert found["auc"]["value"] > 0.95
    assert found["auc"]["interval"][0] > 0.5
    assert found["rows"] == {"reference": 600, "window": N}
    first, second = found["features"][:2]
    assert (first["feature"], second["feature"]) == ("age", "plan")
    assert first["columns"][0]["shift"] > 0
    assert {c["name"] for c in second["columns"]} == {"a", "b"}
    assert sum(f["share"] for f in found["features"]) == pytest.approx(1)
    assert found["left_out"] == ["sex"]
    assert "sex" not in {f["feature"] for f in found["features"]}
    assert found["text"].startswith("The rows of the window are told from those of reference (AUC")
    assert ask("explanation") == found, "the same sample each time"


def test_an_explanation_without_enough_rows_says_why(filled: Any, ask: Ask) -> None:
    empty = ask("explanation", **{"from": "2026-06-20", "to": "2026-06-21"})
    assert (empty["auc"]["status"], empty["auc"]["reason"]) == ("unknown", "empty_window")
    assert empty["features"] == []
    few = ask("explanation", **{"from": "2026-05-31", "to": "2026-06-02"})
    assert few["rows"]["window"] == 0, "the reference's own rows are no predictions"


def counts(filled: Any) -> dict[str, tuple[int, int]]:
    day, _ = filled.day
    of = {sex: [r["prediction_score"] >= 0.5 for r in day if r["protected"]["sex"] == sex] for sex in "fm"}
    return {sex: (sum(chosen), len(chosen)) for sex, chosen in of.items()}


@pytest.mark.parametrize("kind", ["difference", "ratio"])
@pytest.mark.parametrize("margin", [0.05, 0.2, 0.5, 0.8])
def test_equivalence_of_the_selection_is_that_of_the_counts(filled: Any, ask: Ask, kind: Any, margin: float) -> None:
    found = ask("equivalence", metric=f"demographic_parity_{kind}", attribute="sex", margin=margin)
    chosen = counts(filled)
    k, n = (np.array([chosen[g["group"]][i] for g in found["rates"][0]["compared"]]) for i in (0, 1))
    groups = [g["group"] for g in found["rates"][0]["compared"]]
    expected = equivalence(kind, k, n, margin, groups.index("m"))
    assert expected is not None
    assert found["equivalent"] is expected.equivalent
    assert found["p_value"] == pytest.approx(expected.p_value)
    assert found["interval"] == pytest.approx(list(expected.interval))
    assert found["rates"][0]["reference_group"] == "m"
    assert (found["coverage"], found["provisional"]) == (None, False)
    assert found["text"].startswith("The data show" if expected.equivalent else "The data do not show")


def test_of_several_rates_all_have_to_pass(filled: Any, ask: Ask) -> None:
    found = ask("equivalence", metric="equalized_odds_difference", attribute="sex", margin=0.3)
    assert [r["rate"] for r in found["rates"]] == ["true_positive_rate", "false_positive_rate"]
    assert found["p_value"] == max(r["p_value"] for r in found["rates"])
    assert found["equivalent"] is all(r["equivalent"] for r in found["rates"])
    assert found["interval"][1] == max(r["interval"][1] for r in found["rates"])
    assert (found["coverage"], found["provisional"]) == (1.0, True)


def test_groups_that_are_too_small_are_left_out_and_named(filled: Any, ask: Ask) -> None:
    filled.declare(protected_attributes={"sex": {"min_group": 195}})
    filled.reference(n=300)
    filled.fold()
    found = ask("equivalence", metric="equal_opportunity_difference", attribute="sex", margin=0.1)
    (rate,) = found["rates"]
    assert (found["equivalent"], found["interval"], rate["compared"]) == (None, None, [])
    assert {g["group"] for g in rate["left_out"]} == {"f", "m"}
    assert all(g["reason"] in ("too_few_samples", "complementary_suppression") for g in rate["left_out"])
    assert rate["reason"] == "fewer_than_two_groups"
    assert "cannot be told" in found["text"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"metric": "demografic_parity_difference"}, "demographic_parity_difference"),
        ({"metric": "mae_difference"}, "The nearest is"),
        ({"metric": "selection_rate_ratio_to_overall"}, "selection_rate_ratio"),
        ({"attribute": "age"}, "sex"),
        ({"margin": 1.5}, "margin"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_the_nearest(
    filled: Any, problem: Any, query: dict[str, Any], words: str
) -> None:
    asked = PARITY | DAY | query
    body = problem(filled.client.get("/v1/models/churn/equivalence", params=asked), 422, "invalid-input")
    assert words in body["detail"] + body["mend"]


def test_the_reliability_curve_is_scikit_learns(filled: Any, ask: Ask) -> None:
    found = ask("reliability")
    day, truth = filled.day
    scores = np.array([r["prediction_score"] for r in day])
    rate, mean = calibration_curve(truth, scores, n_bins=10)
    (curve,) = found["curves"]
    assert curve["class"] == "1"
    assert [b["rate"] for b in curve["bins"]] == pytest.approx(rate.tolist())
    assert [b["mean_score"] for b in curve["bins"]] == pytest.approx(mean.tolist(), abs=5e-4)
    assert all(b["interval"][0] <= b["rate"] <= b["interval"][1] for b in curve["bins"])
    assert sum(b["n"] for b in curve["reference"]) == 600
    expected = sum(b["n"] * abs(b["rate"] - b["mean_score"]) for b in curve["bins"]) / N
    assert found["expected_calibration_error"]["value"] == pytest.approx(expected)


def test_no_outcomes_no_curve(filled: Any, ask: Ask) -> None:
    found = ask("reliability", **{"from": "2026-06-20", "to": "2026-06-21"})
    assert found["expected_calibration_error"]["reason"] == "no_outcomes"
    assert found["curves"][0]["bins"] == []


def test_a_regression_has_neither_rates_nor_probabilities(service: Any, problem: Any) -> None:
    declared = {"model": "price", "task": "regression", "features": {"age": "numeric"}}
    service.client.put("/v1/models/price", json=declared)
    rows = [{"prediction_id": f"r{i}", "features": {"age": i}, "prediction_value": i, "actual_value": i + 1.0,
             "timestamp": "2026-06-01T00:00:00Z"} for i in range(50)]  # fmt: skip
    service.post("reference", rows, model="price")
    service.fold()
    asked = PARITY | DAY | {"metric": "mae_difference"}
    body = problem(service.client.get("/v1/models/price/equivalence", params=asked), 422, "invalid-input")
    assert "rates" in body["detail"]
    body = problem(service.client.get("/v1/models/price/reliability", params=DAY), 422, "invalid-input")
    assert "regression" in body["detail"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_model_without_a_reference_and_a_window_off_the_grain_are_refused(
    service: Any, problem: Any, question: str
) -> None:
    asked, url = QUESTIONS[question], f"/v1/models/churn/{question}"
    problem(service.client.get(url, params=DAY | asked), 409, "conflict")
    problem(service.client.get(url.replace("churn", "nobody"), params=DAY | asked), 404, "not-found")
    service.reference()
    service.fold()
    off = {**DAY, "to": "2026-07-01T00:30:00Z", **asked}
    assert "whole multiples" in problem(service.client.get(url, params=off), 422, "invalid-input")["mend"]
    problem(service.client.get(url, params=DAY | asked, headers=service.key("ingest")), 403, "forbidden")


@pytest.mark.both_databases
def test_a_report_has_what_was_asked_for_alone_and_refuses_what_is_not_measured(
    filled: Any, ask: Ask, problem: Any
) -> None:
    whole = ask("report")
    narrow = ask("report", metric="roc_auc,wasserstein,selection_rate_ratio_to_overall")
    assert {p["metric"] for p in narrow["points"]} == {"roc_auc", "wasserstein", "selection_rate_ratio_to_overall"}
    same = [p for p in whole["points"] if p["metric"] in {p["metric"] for p in narrow["points"]}]
    assert narrow["points"] == same
    assert narrow["causes"] == whole["causes"] != []
    assert all(c["output"] is not None for c in whole["causes"])
    assert {p["estimate"] for p in whole["points"] if p["metric"].startswith("estimated_")} == {True}
    answer = filled.client.get("/v1/models/churn/report", params=DAY | {"metric": "roc_auc,wassertein"})
    body = problem(answer, 422, "invalid-input")
    assert "'wassertein'" in body["detail"]
    assert "'wasserstein'" in body["mend"]


def test_the_carriers_of_each_axis_add_up_to_the_change(filled: Any, ask: Ask) -> None:
    day, truth = filled.day
    found = ask("report", metric="accuracy")
    right = [(r["prediction_score"] >= 0.5) == bool(t) for r, t in zip(day, truth, strict=True)]
    assert found["points"][0]["value"] == pytest.approx(np.mean(right))
    axes = {c["axis"] for c in found["carriers"]}
    assert {"state", "age"} <= axes
    for axis in axes:
        mine = [c for c in found["carriers"] if c["axis"] == axis]
        assert {c["metric"] for c in mine} == {"accuracy"}
        before = sum(c["share_before"] * (c["before"] or 0) for c in mine)
        assert sum(c["carried"] for c in mine) == pytest.approx(np.mean(right) - before)
        assert all(c["carried"] == pytest.approx(c["by_mean"] + c["by_share"]) for c in mine)
    assert {c["metric"] for c in ask("report", metric="roc_auc")["carriers"]} == {"brier"}
    assert ask("report")["carriers"] == found["carriers"], "accuracy is the first that is kept"
    assert ask("report", metric="psi,label_coverage")["carriers"] == []
    assert ask("report", **{"from": "2026-06-20", "to": "2026-06-21"})["carriers"] == []


def test_the_pair_whose_correlation_changed_is_named(filled: Any, ask: Ask) -> None:
    (pair,) = ask("report", metric="correlation_change")["correlations"]
    assert set(pair["pair"]) == {"age", "weight"}
    assert abs(pair["before"]) < 0.15
    assert pair["change"] > 0.8
    assert ask("report", metric="psi")["correlations"] == []


def shape(value: Any) -> Any:
    """The keys of a value, all the way down; of a list those of its first item."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_documents_examples_are_as_the_answers(filled: Any, ask: Ask, question: str) -> None:
    asked = {"metric": "roc_auc"} if question == "report" else QUESTIONS[question]
    found, example = ask(question, **asked), getattr(examples, question.upper())
    document = filled.client.get("/openapi.json").json()["paths"][f"/v1/models/{{model}}/{question}"]["get"]
    assert document["responses"]["200"]["content"]["application/json"]["example"] == example
    assert shape(example) == shape(found)


def incident(filled: Any, kind: Kind, verdicts: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    now = filled.clock()
    day = now.replace(hour=0)
    evidence = Evidence(day, day + timedelta(days=1), "it moved", (), verdicts)
    fingerprint = Fingerprint("churn", kind, "sex" if kind is Kind.FAIRNESS else None)
    command = Open(fingerprint, Severity.WARNING, "It moved", now, evidence)
    filled.app.worker.command("churn", "", command_to_json(command), Actor("vigil", ActorKind.RULE))
    (found,) = filled.client.get("/v1/incidents", params={"model": "churn"}).json()["incidents"]
    shown: dict[str, Any] = filled.client.get(f"/v1/incidents/{found['id']}").json()
    return shown


def verdict(metric: str, limit: float | None) -> dict[str, Any]:
    return {"limit": limit, "point": {"metric": metric}}


def test_an_incident_of_a_disparity_names_the_test_that_it_takes_to_close_it(filled: Any) -> None:
    verdicts = (verdict("calibration_difference", 0.1), verdict("demographic_parity_ratio", 0.8))
    shown = incident(filled, Kind.FAIRNESS, verdicts)
    assert set(shown["links"]) == {"report", "equivalence"}
    found = filled.client.get(shown["links"]["equivalence"]).json()
    assert (found["metric"], found["attribute"], found["margin"]) == ("demographic_parity_ratio", "sex", 0.8)
    assert found["window"] == {"start": "2026-07-01T00:00:00Z", "end": "2026-07-02T00:00:00Z"}
    assert filled.client.get(shown["links"]["report"]).status_code == 200


def test_after_a_recovery_the_test_is_of_the_first_clean_window(filled: Any) -> None:
    incident(filled, Kind.FAIRNESS, (verdict("demographic_parity_difference", 0.1),))
    (number,) = [i["id"] for i in filled.client.get("/v1/incidents").json()["incidents"]]
    found = filled.app.incident(number)
    clean = found.evidence[-1].window_end + timedelta(days=1)
    recovered = type(found)(**{f: getattr(found, f) for f in found.__slots__} | {"recovered_at": clean})
    assert "from=2026-07-02T00%3A00%3A00Z&to=2026-07-03T00%3A00%3A00Z" in links(recovered)["equivalence"]


@pytest.mark.parametrize(("kind", "names"), [(Kind.DRIFT, {"report", "explanation"}), (Kind.QUALITY, {"report"})])
def test_other_incidents_lead_to_what_explains_them(filled: Any, kind: Kind, names: set[str]) -> None:
    shown = incident(filled, kind)
    assert set(shown["links"]) == names
    for path in shown["links"].values():
        assert urlsplit(path).path.startswith("/v1/models/churn/")
        assert filled.client.get(path).status_code == 200


def test_a_limit_that_is_no_margin_gives_no_link(filled: Any) -> None:
    shown = incident(filled, Kind.FAIRNESS, (verdict("demographic_parity_difference", None),))
    assert set(shown["links"]) == {"report"}
