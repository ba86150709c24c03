"""Bad input over HTTP: a clear problem each time, and the good rows beside the bad ones taken."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

ARROW = "application/vnd.apache.arrow.stream"
SECRET = "zq-secret-group"


def test_broken_json_names_the_byte_and_nothing_is_taken(service: Any, problem: Any) -> None:
    body = problem(service.post("predictions", b'[{"prediction_id": "a", '), 400, "malformed-body")
    assert "byte" in body["detail"]
    assert service.app.log.head() == {}


@pytest.mark.parametrize("body", [b"7", b'"text"', b"null", b"{}", b'{"rows": 3}', b'{"rows": [], "columns": {}}'])
def test_json_of_another_shape(service: Any, problem: Any, body: bytes) -> None:
    assert "rows" in problem(service.post("predictions", body), 400, "malformed-body")["detail"]


def test_columns_of_different_length(service: Any, problem: Any) -> None:
    answer = service.post("predictions", {"columns": {"prediction_id": ["a"], "timestamp": []}})
    assert "differ in length" in problem(answer, 400, "malformed-body")["detail"]


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_arrow_stream(service: Any, problem: Any, kept: float) -> None:
    body = service.arrow_bytes([service.prediction(i) for i in range(50)])
    answer = service.post("predictions", body[: int(len(body) * kept)], content_type=ARROW)
    problem(answer, 400, "malformed-body")
    assert service.app.log.head() == {}


def test_arrow_that_is_none(service: Any, problem: Any) -> None:
    problem(service.post("predictions", b"not an arrow stream at all", content_type=ARROW), 400, "malformed-body")


BAD_ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("wrong type", {"prediction_score": "high"}, "prediction_score", "is text"),
    ("wrong type of a tag", {"tags": {"state": ["MA"]}}, "tags.state", "is a list"),
    ("features no object", {"features": 5}, "features", "is no object"),
    ("no timestamp", {"timestamp": ...}, "timestamp", "is missing"),
    ("no prediction", {"prediction_score": ...}, "prediction_label", "is missing"),
    ("far future", {"timestamp": "2126-07-01T12:00:00Z"}, "timestamp", "ahead of the server's clock"),
    ("six minutes ahead", {"timestamp": "2026-07-01T12:06:00Z"}, "timestamp", "ahead of the server's clock"),
    ("no zone", {"timestamp": "2026-07-01T11:00:00"}, "timestamp", "zone"),
    ("a number as time", {"timestamp": 1782907200}, "timestamp", "is no text"),
    ("score above one", {"prediction_score": 1.5}, "prediction_score", "is outside of 0 to 1"),
    ("unknown role", {"role": "king"}, "role", "is unknown"),
    ("empty id", {"prediction_id": ""}, "prediction_id", "is empty"),
    ("long id", {"prediction_id": "x" * 129}, "prediction_id", "is longer than 128"),
]


@pytest.mark.parametrize(("changes", "field", "reason"), [b[1:] for b in BAD_ROWS], ids=[b[0] for b in BAD_ROWS])
def test_a_bad_row_is_set_aside_and_can_be_read_back(
    service: Any, changes: dict[str, Any], field: str, reason: str
) -> None:
    rows = [service.prediction(0), service.prediction(1, **changes), service.prediction(2)]
    answer = service.post("predictions", rows)
    assert answer.status_code == 202
    said = answer.json()
    assert (said["accepted"], said["rejected"]) == (2, 1)
    (error,) = said["errors"]
    assert (error["row"], error["field"]) == (1, field)
    assert reason in error["reason"]
    assert ";" in error["reason"], "the reason carries its mend"
    (kept,) = service.client.get("/v1/models/churn/rejects").json()["rejects"]
    assert {k: kept[k] for k in ("row", "field", "reason")} == error
    assert kept["batch_id"] == said["batch_id"]
    service.reference()
    service.fold()
    assert service.counts() == {"predictions": 2}


@pytest.mark.parametrize("atomic", [False, True])
def test_a_feature_of_a_wrong_type_costs_its_value_and_not_its_row(service: Any, atomic: bool) -> None:
    rows = [service.prediction(0), service.prediction(1, features={"age": "old", "plan": "a"})]
    said = service.post("predictions", rows, params={"atomic": atomic}).json()
    assert (said["accepted"], said["rejected"], said["notes"]) == (2, 0, {"mistyped": {"features.age": 1}})
    assert service.client.get(f"/v1/batches/{said['batch_id']}").json()["notes"] == said["notes"]
    service.reference()
    service.fold()
    assert service.counts() == {"predictions": 2}
    report = service.report()
    assert report["missing_rate", "age"]["value"] == 1 / 2


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("where", ["prediction_score", "features"])
def test_not_a_number_in_json(service: Any, token: str, where: str) -> None:
    value: Any = float(token) if where != "features" else {"age": float(token), "plan": "a"}
    rows = json.dumps([service.prediction(0), service.prediction(1, **{where: value})]).encode()
    said = service.post("predictions", rows).json()
    assert (said["accepted"], said["rejected"]) == (1, 1)
    assert said["errors"][0]["reason"] == f"{token} is not JSON; send null for a missing value"


def test_not_a_number_in_arrow_is_a_missing_feature_and_a_bad_score(service: Any) -> None:
    nan, inf = float("nan"), float("inf")
    rows = [
        service.prediction(0),
        service.prediction(1, features={"age": nan, "plan": "a"}),
        service.prediction(2, features={"age": inf, "plan": "a"}),
        service.prediction(3, prediction_score=nan),
        service.prediction(4, prediction_score=inf),
    ]
    service.reference()
    said = service.post("predictions", service.arrow_bytes(rows), content_type=ARROW).json()
    assert (said["accepted"], said["rejected"]) == (3, 2)
    assert [(e["row"], e["field"]) for e in said["errors"]] == [(3, "prediction_score"), (4, "prediction_score")]
    service.fold()
    report = service.report()
    assert report["missing_rate", "age"]["value"] == pytest.approx(1 / 3)
    assert report["out_of_range_rate", "age"]["value"] == pytest.approx(1 / 2)


def test_no_good_row_is_a_problem_with_each_reason(service: Any, problem: Any) -> None:
    body = problem(service.post("predictions", [{}, 5]), 422, "no-good-row")
    assert [e["row"] for e in body["errors"]] == [0, 1]
    assert service.app.log.head() == {}


@pytest.mark.parametrize("body", [b"[]", b'{"rows": []}', b'{"columns": {}}'])
def test_a_batch_without_rows(service: Any, problem: Any, body: bytes) -> None:
    assert problem(service.post("predictions", body), 422, "no-good-row")["detail"] == "the batch has no rows"


def test_an_empty_body(service: Any, problem: Any) -> None:
    problem(service.post("predictions", b""), 400, "malformed-body")


@pytest.mark.parametrize("word", ["true", "1", "True", "yes"])
def test_atomic_takes_all_or_none_however_it_is_written(service: Any, problem: Any, word: str) -> None:
    rows = [service.prediction(0), service.prediction(1, role="king")]
    body = problem(service.post("predictions", rows, params={"atomic": word}), 422, "no-good-row")
    assert body["errors"] == [
        {"row": 1, "field": "role", "reason": "is unknown; send one of champion, challenger, shadow"}
    ]
    assert service.app.log.head() == {}
    assert service.post("predictions", rows[:1], params={"atomic": word}).json()["accepted"] == 1


def test_atomic_must_be_true_or_false(service: Any, problem: Any) -> None:
    problem(service.post("predictions", [service.prediction()], params={"atomic": "perhaps"}), 422, "invalid-input")


def test_at_most_twenty_errors_are_listed_and_all_can_be_read_back_page_by_page(service: Any) -> None:
    rows = [service.prediction(0), *({"prediction_id": f"bad{i}"} for i in range(45))]
    said = service.post("predictions", rows).json()
    assert (said["rejected"], len(said["errors"])) == (45, 20)
    service.post("predictions", [service.prediction(1), {}])
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        query = {"after": after, "limit": 10, "batch": said["batch_id"]}
        page = service.client.get("/v1/models/churn/rejects", params=query).json()
        found += page["rejects"]
        after = page["next"]
    assert [r["row"] for r in found] == list(range(1, 46))
    assert len(service.client.get("/v1/models/churn/rejects", params={"limit": 1000}).json()["rejects"]) == 46


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml", "", "application/json; charset=utf-16"])
def test_a_content_type_that_is_not_taken(service: Any, problem: Any, content_type: str) -> None:
    problem(service.post("predictions", b"[]", content_type=content_type), 415, "unsupported-format")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "gzip, identity"])
def test_an_encoding_or_a_chain_of_them_that_is_not_taken(service: Any, problem: Any, encoding: str) -> None:
    answer = service.post("predictions", b"[]", headers={"content-encoding": encoding})
    problem(answer, 415, "unsupported-format")


@pytest.mark.parametrize("kind", ["predictions", "outcomes", "reference"])
def test_an_unknown_model(service: Any, problem: Any, kind: str) -> None:
    body = problem(service.post(kind, [service.outcome()], model="chrun"), 404, "not-found")
    assert "churn" in body["mend"], "it names the models that are declared"


def test_predictions_before_anything_says_what_the_features_are(service: Any, problem: Any) -> None:
    service.client.put("/v1/models/bare", json={"model": "bare", "task": "binary_classification"})
    body = problem(service.post("predictions", [service.prediction()], model="bare"), 409, "conflict")
    assert "reference" in body["mend"]


@pytest.mark.parametrize(
    ("query", "says"),
    [("clock=moon", "clock"), ("sampling_rate=2", "sampling_rate"), ("sampling_rate=nan", "sampling_rate")],
)
def test_a_wrong_envelope(service: Any, problem: Any, query: str, says: str) -> None:
    body = problem(service.post("predictions", [service.prediction()], params=query), 422, "invalid-input")
    assert says in body["detail"]


def test_an_unknown_key_beside_the_rows_names_the_nearest(service: Any, problem: Any) -> None:
    body = problem(service.post("predictions", {"rows": [service.prediction()], "clok": "event"}), 422, "invalid-input")
    assert "'clock'" in body["mend"]


def test_half_of_a_surrogate_pair_is_quoted_as_what_can_be_written(service: Any, problem: Any) -> None:
    problem(service.post("predictions", b'{"rows": [], "\\ud800": 1}'), 422, "invalid-input")
    body = b'{"model": "churn", "task": "regression", "\\ud800": 1}'
    problem(service.client.put("/v1/models/churn", content=body), 422, "invalid-declaration")


def test_a_path_and_a_method_that_are_not_there(service: Any, problem: Any) -> None:
    problem(service.client.get("/v1/nothing"), 404, "not-found")
    answer = service.client.delete("/v1/models/churn")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/churn/points?cursor=9223372036854775808",
        "/v1/models/churn/points?cursor=-1",
        "/v1/models/churn/points?limit=0",
        "/v1/models/churn/points?from=yesterday",
        "/v1/models/churn/rejects?after=9223372036854775808",
        "/v1/incidents?offset=9223372036854775808",
        "/v1/incidents?state=asleep",
        "/v1/models/churn/report",
        "/v1/models/churn/report?from=2026-07-02T00:00:00Z",
    ],
)
def test_a_query_that_is_not_valid(service: Any, problem: Any, path: str) -> None:
    assert problem(service.client.get(path), 422, "invalid-input")["errors"]


def test_a_report_off_the_grain_backwards_or_beyond_the_calendar(service: Any, problem: Any) -> None:
    url = "/v1/models/churn/report"
    day = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z"}
    assert "reference" in problem(service.client.get(url, params=day), 409, "conflict")["mend"]
    service.reference()
    service.fold()
    assert service.client.get(url, params=day).status_code == 200
    for wrong in (
        {"from": "2026-07-01T00:30:00Z"},
        {"from": "2026-07-03T00:00:00Z"},
        {"from": "0001-01-01T00:00:00+14:00"},
    ):
        problem(service.client.get(url, params=day | wrong), 422, "invalid-input")
    problem(service.client.get("/v1/models/chrun/report", params=day), 404, "not-found")


def test_an_error_of_vigils_own_is_a_problem_that_gives_nothing_away(
    service: Any, problem: Any, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    def fail() -> list[str]:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(service.app.log, "models", fail)
    answer = service.client.get("/v1/models")
    problem(answer, 500, "internal")
    assert SECRET not in answer.text
    assert SECRET in logged.getvalue(), "whoever runs it finds it in the log"


def test_an_error_of_vigils_own_while_rows_are_taken_is_a_problem_too(
    service: Any, problem: Any, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(service.app.intake, "take", fail)
    answer = service.post("predictions", [service.prediction(1)])
    problem(answer, 500, "internal")
    assert SECRET not in answer.text
    assert SECRET in logged.getvalue()


def test_a_protected_value_is_in_no_answer_reject_or_log(
    service: Any, capfd: pytest.CaptureFixture[str], logged: io.StringIO
) -> None:
    answers = [
        service.post("predictions", [service.prediction(0, protected={"sex": SECRET})]),
        service.post("predictions", [service.prediction(1), service.prediction(2, protected={"sex": [SECRET]})]),
        service.post("predictions", [service.prediction(3), service.prediction(4, protected=SECRET)]),
        service.post("predictions", [service.prediction(5), service.prediction(6, protected={"sex": SECRET * 100})]),
        service.post("predictions", [service.prediction(7, protected={"sex": SECRET, "creed": SECRET})]),
        service.post("predictions", [service.prediction(8, protected={"sex": SECRET}, role="king")]),
        service.post("predictions", json.dumps([service.prediction(9, protected={"sex": SECRET})]).encode()[:-3]),
    ]
    arrow = service.arrow_bytes([service.prediction(10, protected={"sex": SECRET})])
    answers.append(service.post("predictions", arrow.replace(SECRET.encode(), b"\xff" + SECRET[1:].encode()),
                                content_type=ARROW))
    service.reference()
    service.fold()
    again = service.prediction(0, protected={"sex": SECRET[::-1]})
    answers.append(service.post("predictions", [again]))
    service.fold()
    answers.append(service.client.get("/v1/models/churn/rejects"))
    answers += [service.client.get(f"/v1/batches/{a.json()['batch_id']}") for a in answers if a.status_code == 202]
    assert {a.status_code for a in answers} == {200, 202, 400, 422}
    assert service.counts()["conflicts"] == 1
    out, err = capfd.readouterr()
    assert "reference" in logged.getvalue()
    written = [*(a.text for a in answers), out, err, logged.getvalue()]
    assert not [text for text in written if SECRET[1:] in text or SECRET[::-1] in text]


def test_a_group_of_its_own_is_no_part_of_a_report(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(i, protected={"sex": SECRET}) for i in range(20)])
    service.fold()
    query = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z"}
    assert SECRET not in service.client.get("/v1/models/churn/report", params=query).text


def test_numbers_at_the_edge_of_what_a_double_holds(service: Any) -> None:
    declared = {"model": "delay", "task": "regression", "features": {"x": "numeric"}}
    assert service.client.put("/v1/models/delay", json=declared).status_code == 201
    rows = [
        {"prediction_id": f"r{i}", "timestamp": f"2026-06-{i % 28 + 1:02}T00:00:00Z", "features": {"x": i},
         "prediction_value": i, "actual_value": i + 1}
        for i in range(100)
    ]  # fmt: skip
    service.post("reference", rows, model="delay")
    huge = [{"prediction_id": f"p{i}", "timestamp": f"2026-07-01T0{i}:00:00Z", "features": {"x": x},
             "prediction_value": x} for i, x in enumerate([1e308, -1e308, 5e-324])]  # fmt: skip
    truth = [{"prediction_id": f"p{i}", "timestamp": "2026-07-01T09:00:00Z", "actual_value": x}
             for i, x in enumerate([-1e308, 1e308, 0])]  # fmt: skip
    service.post("predictions", huge, model="delay")
    service.post("outcomes", truth, model="delay")
    service.fold()
    assert service.counts("delay") == {"predictions": 3, "outcomes": 3, "joined": 3}
    assert service.report("delay")["label_coverage", "model"]["value"] == 1.0
