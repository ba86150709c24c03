"""Channels that post, against receivers that do to a sender what the world does."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from receivers import CUT, HANG, OK, Answer, Receiver
from told import DRIFT, notice

from incidents.notices import NoticeKind
from incidents.routing import ChannelKind, Route
from monitor.senders.channels.base import Extra, Result, open_channel
from monitor.senders.channels.pagerduty import PagerDuty
from monitor.senders.channels.webhook import Webhook
from monitor.settings import Settings

EXTRA = Extra("https://vigil.example/incidents/inc_1")
PATIENCE = 1.0


@contextmanager
def receiver(*script: Answer | str) -> Iterator[Receiver]:
    found = Receiver(list(script) or [OK])
    try:
        yield found
    finally:
        found.stop()


def attempt(url: str, timeout: float = PATIENCE) -> Result:
    channel = Webhook(url, "secret")
    return channel.send("ntf_1", channel.body(DRIFT, EXTRA), timeout)


def test_what_arrives_is_the_notice_signed_under_its_key() -> None:
    with receiver() as there:
        at = datetime(2026, 7, 1, 12, tzinfo=UTC)
        channel = Webhook(there.url, "s3cret", "t0ken", lambda: at)
        body = channel.body(DRIFT, EXTRA)
        assert channel.send("ntf_1", body, PATIENCE) == Result(True, False, 200, None, "it answered 200")
        channel.send("ntf_1", body, PATIENCE)
        first, second = there.seen
    assert first.body == second.body == body
    assert first.key == second.key == "ntf_1", "a retry is known by its key"
    assert first.headers["authorization"] == "Bearer t0ken"
    assert first.headers["x-vigil-timestamp"] == str(int(at.timestamp()))
    signed = first.headers["x-vigil-timestamp"].encode() + b"." + first.body
    assert first.headers["x-vigil-signature"] == f"v1={hmac_by_its_definition(b's3cret', signed)}"
    told = first.json
    assert told["incident"] == DRIFT.incident
    assert told["kind"] == "opened"
    assert told["url"] == EXTRA.url
    assert told["causes"][0]["name"] == "age"


def hmac_by_its_definition(key: bytes, message: bytes) -> str:
    """RFC 2104, 2: H(K xor opad, H(K xor ipad, text)), with blocks of 64 bytes."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


@pytest.mark.parametrize(
    ("answer", "retry", "after"),
    [
        ((429, {"retry-after": "30"}), True, 30.0),
        ((503, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}), True, 0.0),
        ((500, {}), True, None),
        ((408, {}), True, None),
        ((425, {}), True, None),
        ((400, {}), False, None),
        ((404, {}), False, None),
        ((410, {}), False, None),
        ((301, {"location": "http://127.0.0.1:1/elsewhere"}), False, None),
    ],
)
def test_an_answer_says_whether_it_is_worth_another_attempt(answer: Answer, retry: bool, after: float | None) -> None:
    with receiver(answer) as there:
        result = attempt(there.url)
        assert (result.ok, result.retry, result.status, result.retry_after) == (False, retry, answer[0], after)
        assert len(there.seen) == 1, "one attempt is one request, redirects are not followed"


@pytest.mark.parametrize("how", [HANG, CUT])
def test_a_receiver_that_does_not_answer_is_tried_again_later(how: str) -> None:
    with receiver(how) as there:
        result = attempt(there.url)
        assert (result.ok, result.retry, result.status) == (False, True, None)
        assert there.url not in result.detail
        assert "127.0.0.1" not in result.detail


def test_where_nobody_listens_it_is_tried_again_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))        # and does not listen
        result = attempt(f"http://127.0.0.1:{taken.getsockname()[1]}/hook")
    assert result == Result(False, True, detail="no connection could be made")


@contextmanager
def raw(*pieces: bytes, every: float = 0.0, again: bool = False) -> Iterator[str]:
    """A server that says what it likes, a piece at a time."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                try:
                    while True:
                        for piece in pieces:
                            connection.sendall(piece)
                            if ended.wait(every):
                                return
                        if not again:
                            return
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        ended.set()
        thread.join(5)


@pytest.mark.parametrize("sent", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"])
def test_a_receiver_that_answers_a_byte_at_a_time_does_not_hold_a_sender(sent: bytes) -> None:
    with raw(sent, *([b"x"] * 500), every=0.05) as url:
        assert attempt(url, 0.5) == Result(False, True, detail="no whole answer within 0.5 s")


def test_an_endless_answer_is_read_no_further_than_it_takes() -> None:
    with raw(b"HTTP/1.1 200 OK\r\n\r\n", *([b"x" * 65_536] * 10), again=True) as url:
        assert attempt(url, 10.0).ok


@pytest.mark.parametrize("nonsense", [b"", b"\0\xff" * 200, b"HTTP/9.9 what\r\n\r\n", b"HTTP/1.1 999999 \r\n\r\n"])
def test_what_is_no_answer_is_tried_again_later(nonsense: bytes) -> None:
    with raw(nonsense) as url:
        result = attempt(url)
        assert (result.ok, result.retry) == (False, True)


def test_slack_gets_a_message_and_its_address_is_in_nothing_that_is_said() -> None:
    with receiver(OK, (403, {})) as there:
        channel = open_channel(Route("s", ChannelKind.SLACK, url_env="S"), {"S": there.url + "/T0/secret"}, Settings())
        body = channel.body(DRIFT, EXTRA)
        assert channel.send("ntf_1", body, PATIENCE).ok
        refused = channel.send("ntf_2", body, PATIENCE)
        message = there.seen[0].json
    assert "secret" not in refused.detail + repr(channel)
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section"]
    assert message["text"].startswith("[warning] churn: Drift in age")
    assert message["blocks"][-1]["text"]["text"] == f"<{EXTRA.url}|Open {DRIFT.incident}>"


def test_pagerduty_gets_the_key_that_no_kept_body_holds() -> None:
    with receiver((202, {})) as there:
        channel = PagerDuty("r0uting", there.url)
        bodies = [channel.body(notice(kind), EXTRA) for kind in (NoticeKind.OPENED, NoticeKind.RESOLVED)]
        assert all(b"r0uting" not in body for body in bodies)
        assert all(channel.send(f"ntf_{i}", body, PATIENCE).ok for i, body in enumerate(bodies))
        events: list[dict[str, Any]] = [seen.json for seen in there.seen]
    assert {event["routing_key"] for event in events} == {"r0uting"}
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {DRIFT.incident}
