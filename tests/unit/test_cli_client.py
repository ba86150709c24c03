"""The command line's HTTP client: what it says of each way to fail, and when it tries again."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from monitor.cli.client import Client
from monitor.cli.failure import NOT_ALLOWED, REFUSED, UNREACHABLE, USAGE, Failure

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, patience: float = 0.0, waits: list[str] | None = None) -> Client:
    told = [] if waits is None else waits
    return Client("http://vigil.test", "vgl_k_s", patience, told.append, httpx.MockTransport(answer))


def problem(status: int, **more: object) -> Answer:
    body = {"status": status, "title": "T", "detail": "what is wrong", "mend": "do this", **more}
    return lambda _request: httpx.Response(status, json=body)


def away(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, REFUSED), (401, NOT_ALLOWED), (403, NOT_ALLOWED), (404, REFUSED), (409, REFUSED), (422, REFUSED),
     (429, UNREACHABLE), (503, UNREACHABLE)],
)  # fmt: skip
def test_a_problem_is_a_failure_with_its_words_and_code(status: int, code: int) -> None:
    with pytest.raises(Failure) as caught:
        client(problem(status)).get("/v1/models")
    assert (caught.value.detail, caught.value.mend, caught.value.exit_code) == ("what is wrong", "do this", code)


def test_the_faults_of_rows_are_kept() -> None:
    faults = [{"row": 3, "field": "timestamp", "reason": "is missing"}]
    with pytest.raises(Failure) as caught:
        client(problem(422, errors=faults)).get("/")
    assert caught.value.faults == faults


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[1]", b'{"error": "x"}'])
def test_what_is_no_problem_says_its_status(body: bytes) -> None:
    with pytest.raises(Failure, match="GET /v1/models was answered with 418"):
        client(lambda _: httpx.Response(418, content=body)).get("/v1/models")


def test_nobody_there_says_how_to_get_somebody() -> None:
    with pytest.raises(Failure) as caught:
        client(away).get("/v1/models")
    assert caught.value.detail == "no service answers at http://vigil.test (Connection refused)"
    assert "vigil serve" in caught.value.mend
    assert "VIGIL_URL" in caught.value.mend
    assert caught.value.exit_code == UNREACHABLE


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", ""])
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(Failure) as caught:
        Client(url)
    assert caught.value.exit_code == USAGE


def test_a_request_is_sent_again_until_it_succeeds() -> None:
    answers = [away, problem(503), problem(429), lambda _: httpx.Response(202, json={"accepted": 1})]
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return answers[len(seen) - 1](request)

    waits: list[str] = []
    response = client(answer, patience=30, waits=waits).send("POST", "/x", content=b"rows")
    assert response.json() == {"accepted": 1}
    assert seen == [b"rows"] * 4
    assert len(waits) == 1, "the reason is told once"


def test_retry_after_is_honoured() -> None:
    calls = []

    def answer(_request: httpx.Request) -> httpx.Response:
        calls.append(1)
        return httpx.Response(429, headers={"Retry-After": "60"}, json={"detail": "busy", "mend": "later"})

    with pytest.raises(Failure, match="busy"):
        client(answer, patience=5).get("/")
    assert len(calls) == 1, "it asks for longer than there is patience: no second try within it"


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_what_would_fail_again_is_not_sent_again(status: int) -> None:
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        return problem(status)(request)

    with pytest.raises(Failure):
        client(answer, patience=30).get("/")
    assert len(calls) == 1


def test_the_key_goes_along_and_absent_query_values_do_not() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    client(answer).get("/v1/kpis", period="2026-Q3", model=None)
    assert seen[0].headers["authorization"] == "Bearer vgl_k_s"
    assert str(seen[0].url) == "http://vigil.test/v1/kpis?period=2026-Q3"


def test_a_failure_shows_every_fault_and_the_mend(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [{"row": 3, "field": "timestamp", "reason": "is missing"}, {"key": "taks", "line": 2, "reason": "no key"}]
    failure = Failure("no row was good", "mend them", REFUSED, faults)
    failure.show()
    assert capsys.readouterr().err.splitlines() == [
        "error: no row was good",
        "  row 3: timestamp: is missing",
        "  taks (line 2): no key",
        "what to do: mend them",
    ]
    failure.as_json = True
    failure.show()
    shown = json.loads(capsys.readouterr().err)
    assert shown == {"error": "no row was good", "mend": "mend them", "exit_code": 1, "faults": faults}
