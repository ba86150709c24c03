"""Limits: a body over its limit is refused as soon as that is known, declared or not; and what waits is bounded."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from api.server import create
from monitor.settings import Settings

LIMIT = 20_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, max_body_bytes=LIMIT, max_rows_per_batch=50, max_backlog_rows=60)


@pytest.fixture
def address(service: Any) -> Iterator[tuple[str, int]]:
    """The same app behind a real server on a free port."""
    config = uvicorn.Config(create(service.app), log_config=None, lifespan="off", timeout_keep_alive=1)
    server = uvicorn.Server(config)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname()
    server.should_exit = True
    thread.join(20)
    listening.close()


def head(service: Any, more: str) -> bytes:
    key = service.keys["ingest"]
    return (
        f"POST /v1/models/churn/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        f"Content-Type: application/json\r\n{more}\r\n\r\n"
    ).encode()


def answer(connection: socket.socket) -> bytes:
    """The whole answer: the problem's body ends with the first closing brace."""
    connection.settimeout(10)
    said = b""
    while not said.endswith(b"}") and (piece := connection.recv(65536)):
        said += piece
    return said


def test_a_declared_length_over_the_limit_is_refused_before_a_byte_is_read(
    service: Any, address: tuple[str, int]
) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(head(service, f"Content-Length: {LIMIT + 1}"))
        said = answer(connection)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in said


def test_a_chunked_body_is_refused_once_it_passes_the_limit(service: Any, address: tuple[str, int]) -> None:
    piece = b"%x\r\n%s\r\n" % (8_000, b"[" * 8_000)
    with socket.create_connection(address) as connection:
        connection.sendall(head(service, "Transfer-Encoding: chunked"))
        for _ in range(3):      # the body never ends: only its size can be the reason
            connection.sendall(piece)
        said = answer(connection)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"urn:vigil:problem:too-large" in said


def test_a_chunked_body_within_the_limit_is_taken(service: Any, address: tuple[str, int]) -> None:
    body = json.dumps([service.prediction(i) for i in range(20)]).encode()

    def pieces() -> Iterator[bytes]:
        for i in range(0, len(body), 1000):
            yield body[i : i + 1000]

    headers = {"authorization": service.keys["ingest"], "content-type": "application/json"}
    url = "http://{}:{}/v1/models/churn/predictions".format(*address)
    sent = httpx.post(url, content=pieces(), headers=headers)
    assert "transfer-encoding" in sent.request.headers
    assert (sent.status_code, sent.json()["accepted"]) == (202, 20)


def test_a_body_of_just_the_limit_is_read(service: Any, problem: Any) -> None:
    problem(service.post("predictions", b" " * LIMIT), 400, "malformed-body")
    body = problem(service.post("predictions", b" " * (LIMIT + 1)), 413, "too-large")
    assert str(LIMIT) in body["detail"]
    assert "VIGIL_MAX_BODY_BYTES" in body["mend"]


def test_a_declaration_has_a_limit_of_its_own(service: Any, problem: Any) -> None:
    problem(service.client.put("/v1/models/churn", content=b" " * (256 * 1024 + 1)), 413, "too-large")


def test_a_batch_of_too_many_rows(service: Any, problem: Any) -> None:
    ids = [f"p{i}" for i in range(51)]
    times, scores = ["2026-07-01T00:00:00Z"] * 51, [0.5] * 51
    columns: dict[str, list[Any]] = {"prediction_id": ids, "timestamp": times, "prediction_score": scores}
    assert "51 rows" in problem(service.post("predictions", {"columns": columns}), 413, "too-large")["detail"]
    fewer = {name: values[:50] for name, values in columns.items()}
    assert service.post("predictions", {"columns": fewer}).json()["accepted"] == 50


def test_too_far_behind_the_sender_is_asked_to_come_back_and_the_fold_clears_it(service: Any, problem: Any) -> None:
    for start in (0, 35):
        assert service.post("predictions", [service.prediction(start + i) for i in range(35)]).status_code == 202
    refused = service.post("predictions", [service.prediction(99)])
    problem(refused, 429, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    service.fold()
    assert service.post("predictions", [service.prediction(99)]).status_code == 202
