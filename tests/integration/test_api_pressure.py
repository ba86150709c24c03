"""Under pressure: compressed bodies and bombs, slow and silent senders, many at once. Whoever behaves is served."""

from __future__ import annotations

import gzip
import json
import os
import random
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pyarrow as pa
import pytest
import uvicorn

from api import body, connections
from api.server import create
from monitor.settings import Settings

UNPACKED, HELD = 200_000, 400_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, max_unpacked_bytes=UNPACKED, max_held_bytes=HELD, body_seconds=2)


@pytest.fixture
def address(service: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """The same app behind a real server, as ``vigil serve`` sets it up, with little patience."""
    monkeypatch.setattr(body, "GRACE", 0.3)
    monkeypatch.setattr(body, "SMALL", 20_000)
    monkeypatch.setattr(connections.Guarded, "head_seconds", 0.5)
    monkeypatch.setattr(connections, "_SWEEP", 0.1)
    monkeypatch.setattr(connections, "most_connections", lambda: 30)
    config = uvicorn.Config(create(service.app), log_config=None, lifespan="off", http="api.connections:Guarded")
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
    return (
        f"POST /v1/models/churn/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: {service.keys['ingest']}\r\n"
        f"Content-Type: application/json\r\n{more}\r\n\r\n"
    ).encode()


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    connection.settimeout(5)
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(bytes(10**6)) for _ in range(size // 10**6)), packer.flush()])


def send(address: tuple[str, int], service: Any, rows: Any, **headers: str) -> httpx.Response:
    url = "http://{}:{}/v1/models/churn/predictions".format(*address)
    return httpx.post(url, json=rows, headers={"authorization": service.keys["ingest"], **headers}, timeout=30)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd"])
@pytest.mark.parametrize("kind", ["predictions", "outcomes", "reference"])
def test_a_compressed_body_is_what_it_unpacks_to(service: Any, kind: str, encoding: str) -> None:
    make = service.outcome if kind == "outcomes" else service.prediction
    plain = json.dumps([make(i) for i in range(30)]).encode()
    middle = len(plain) // 2        # two members or frames, as some senders write them
    pack = gzip.compress if "gzip" in encoding else lambda data: pa.compress(data, codec="zstd", asbytes=True)
    packed = pack(plain[:middle]) + pack(plain[middle:])
    answer = service.post(kind, packed, headers={"content-encoding": encoding})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 30), answer.text
    assert service.post(kind, gzip.compress(b""), headers={"content-encoding": "gzip"}).status_code == 400


def test_a_bomb_is_stopped_and_what_is_damaged_is_said(service: Any, problem: Any) -> None:
    gzipped, many = {"content-encoding": "gzip"}, bomb(50_000_000)
    said = problem(service.post("predictions", many, headers=gzipped), 413, "too-large")
    assert str(UNPACKED) in said["detail"]
    assert "VIGIL_MAX_UNPACKED_BYTES" in said["mend"]
    frames = pa.compress(bytes(150_000), codec="zstd", asbytes=True) * 1_000
    problem(service.post("predictions", frames, headers={"content-encoding": "zstd"}), 413, "too-large")
    good = gzip.compress(json.dumps([service.prediction()]).encode())
    for damaged, why in ((good[:-9], "is cut off"), (good + b"more", "is damaged"), (b"[]", "is damaged")):
        assert why in problem(service.post("predictions", damaged, headers=gzipped), 400, "malformed-body")["detail"]
    assert service.app.log.head() == {}
    assert service.client.app.state.bodies.held == 0


def test_a_body_that_trickles_is_ended_and_its_connection_closed(service: Any, address: tuple[str, int]) -> None:
    with socket.create_connection(address) as slow:
        slow.sendall(head(service, "Content-Length: 1000") + b"[")
        began = time.monotonic()
        said = all_of(slow)
    assert time.monotonic() - began < 2
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in said.lower()
    assert b"1 bytes of the body came in 0 seconds" in said


def test_a_body_may_take_so_long_and_no_longer_whatever_its_rate(
    service: Any, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "GRACE", 5)
    with socket.create_connection(address) as slow:
        slow.sendall(head(service, "Transfer-Encoding: chunked"))
        began = time.monotonic()
        with pytest.raises(OSError):    # noqa: PT012  the other side ends it
            while time.monotonic() - began < 10:
                slow.sendall(b"1\r\n[\r\n")
                time.sleep(0.02)
    assert 1.5 < time.monotonic() - began < 5


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_connection_without_a_whole_request_is_closed(service: Any, address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address) as silent:
        silent.sendall(sent)
        began = time.monotonic()
        said = all_of(silent)
    assert 0.3 < time.monotonic() - began < 3
    if not sent:
        assert said == b""
        return
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["type"] == "urn:vigil:problem:too-slow"


def test_a_request_that_was_sent_behind_another_has_the_time_of_its_body(
    service: Any, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "GRACE", 5)
    rows = json.dumps([service.prediction()]).encode()
    with socket.create_connection(address) as one:
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + head(service, f"Content-Length: {len(rows)}"))
        time.sleep(1.2)         # longer than a head may take
        one.sendall(rows)
        said = all_of(one)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 202 " in said


def test_many_idle_connections_keep_nobody_out(service: Any, address: tuple[str, int], monkeypatch: Any) -> None:
    monkeypatch.setattr(connections.Guarded, "head_seconds", 60)
    with ExitStack() as open_ones:
        for _ in range(90):
            open_ones.enter_context(socket.create_connection(address))
        assert send(address, service, [service.prediction()]).status_code == 202


def test_a_connection_that_is_used_is_not_an_idle_one(service: Any, address: tuple[str, int]) -> None:
    headers = {"authorization": service.keys["ingest"]}
    with httpx.Client(base_url="http://{}:{}".format(*address), headers=headers) as client:
        for i in range(4):
            time.sleep(0.3)
            assert client.post("/v1/models/churn/predictions", json=[service.prediction(i)]).status_code == 202


def test_bodies_beyond_the_memory_for_them_are_sent_away_before_they_are_read(
    service: Any, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "GRACE", 5)
    with ExitStack() as open_ones:
        waiting = [open_ones.enter_context(socket.create_connection(address)) for _ in range(3)]
        for connection in waiting[:2]:      # two that hold most of the room, and send nothing of it
            connection.sendall(head(service, "Content-Length: 170000"))
            time.sleep(0.1)
        waiting[2].sendall(head(service, "Content-Length: 170000"))
        waiting[2].settimeout(5)
        said = waiting[2].recv(65536)
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1" in said.lower()
        assert send(address, service, [service.prediction()]).status_code == 202, "a small one has room"
    deadline = time.monotonic() + 5
    while send(address, service, [service.prediction(i) for i in range(800)]).status_code == 429:
        assert time.monotonic() < deadline, "what was held for those who went is free again"
        time.sleep(0.05)


def test_single_rows_at_once_share_a_segment_and_each_is_its_own_batch(
    service: Any, address: tuple[str, int]
) -> None:
    service.reference()
    numbers = list(range(48))
    odd = {5: {"role": "king"}, 6: {"prediction_id": ...}, 7: {"other": 1}}

    def post(number: int) -> httpx.Response:
        return send(address, service, [service.prediction(number, **odd.get(number, {}))])

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(post, numbers))
    assert [a.status_code for a in answers] == [422 if i == 5 else 202 for i in numbers]
    assert answers[5].json()["errors"][0]["row"] == 0
    service.fold()
    assert service.counts() == {"predictions": 47}
    segments = service.app.log.read("churn", 0, 1_000)
    assert sum(len(s.parts) for s in segments[1:]) == 47
    assert len(segments) < 48, "none came together with another"
    batches = [service.batch(a) for a in answers if a.status_code == 202]
    assert {(b["accepted"], b["rejected"], b["folded"]) for b in batches} == {(1, 0, True)}
    assert service.batch(answers[7])["notes"] == {"undeclared": {"other": 1}}
    made_up = f"{answers[6].json()['batch_id']}/0"
    service.post("outcomes", [service.outcome(6, prediction_id=made_up)])
    service.fold()
    assert service.counts()["joined"] == 1


def test_a_flood_of_one_model_keeps_no_other_from_its_commit(service: Any) -> None:
    assert service.declare(model="other").status_code == 201
    took: list[float] = []
    ending = threading.Event()

    def flood() -> None:
        number = random.Random(threading.get_ident())
        while not ending.is_set():
            service.post("predictions", [service.prediction(i, prediction_id=number.randbytes(8).hex())
                                         for i in range(300)])  # fmt: skip

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(10):
        began = time.monotonic()
        assert service.post("predictions", [service.prediction(i)], model="other").status_code == 202
        took.append(time.monotonic() - began)
    ending.set()
    for thread in threads:
        thread.join(30)
    assert sorted(took)[5] < 1.0, took


def test_the_limit_of_files_is_raised_before_connections_are_counted() -> None:
    most = connections.most_connections()
    assert 256 <= most <= connections.MOST
    if hasattr(os, "sysconf"):
        assert os.sysconf("SC_OPEN_MAX") > most
