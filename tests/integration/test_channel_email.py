"""Email to a real SMTP server: what arrives, what is tried again, and what no server can hold up."""

from __future__ import annotations

import email
import socket
import ssl
import subprocess
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from told import DRIFT, notice

from incidents.routing import ChannelKind, Route
from monitor.senders.channels.base import Extra, Result, open_channel
from monitor.senders.channels.email import Email, Server
from monitor.settings import Settings

PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
EXTRA = Extra("https://vigil.example/incidents/inc_1", PNG, {"ana@example.org": "https://vigil.example/a/token"})


@dataclass
class Mailbox:
    """The handler of a server: takes messages, or answers as its script says."""

    answers: dict[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, to: str, _options: Any) -> str:
        if to in self.answers:
            return self.answers[to]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append((list(envelope.rcpt_tos), message))
        return self.data


def serve(box: Mailbox, **more: Any) -> Controller:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **more)
    controller.start()
    return controller


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(box: Mailbox) -> Iterator[int]:
    controller = serve(box)
    yield controller.port
    controller.stop()


def channel(port: int, *to: str, scheme: str = "smtp", login: str = "") -> Email:
    found = open_channel(
        Route("mail", ChannelKind.EMAIL, to=to or ("ana@example.org", "ben@example.org")), {},
        Settings(smtp_url=f"{scheme}://{login}127.0.0.1:{port}", mail_from="Vigil <vigil@example.org>"),
    )  # fmt: skip
    assert isinstance(found, Email)
    return found


def test_each_recipient_gets_one_message_with_text_page_and_picture(box: Mailbox, port: int) -> None:
    there = channel(port)
    body = there.body(DRIFT, EXTRA)
    assert there.send("ntf_1", body, 10.0) == Result(True, False, 250, None, "the mail server took it")
    assert [to for to, _ in box.taken] == [["ana@example.org"], ["ben@example.org"]]
    message = box.taken[0][1]
    assert message["Subject"] == "[warning] churn: Drift in age and 2 more"
    assert message["From"] == "Vigil <vigil@example.org>"
    assert message["To"] == "ana@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["References"] == f"<{DRIFT.incident}@example.org>"
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert page is not None
    for part in (text, page):
        assert "Jensen-Shannon distance of age 0.31" in part.get_content()
        assert "https://vigil.example/a/token" in part.get_content()
    assert 'src="cid:chart"' in page.get_content()
    (picture,) = (part for part in message.walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == "<chart>"
    assert picture.get_content() == PNG
    assert "/a/token" not in box.taken[1][1].as_string(), "the link is for its reader alone"


def test_a_second_attempt_is_the_same_message_and_those_of_an_incident_are_one_thread(box: Mailbox, port: int) -> None:
    there = channel(port, "ana@example.org")
    body = there.body(DRIFT, EXTRA)
    for id in ("ntf_1", "ntf_1", "ntf_2"):
        assert there.send(id, body, 10.0).ok
    first, again, other = (message for _, message in box.taken)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert {m["In-Reply-To"] for m in (first, again, other)} == {f"<{DRIFT.incident}@example.org>"}


def test_a_text_of_another_system_adds_no_header_and_no_markup(box: Mailbox, port: int) -> None:
    there = channel(port, "ana@example.org")
    of = notice(title="x\r\nBcc: eve@example.org\r\n\r\n<script>", summary="<img src=x onerror=alert(1)>")
    assert there.send("ntf_1", there.body(of, EXTRA), 10.0).ok
    (recipients, message), = box.taken
    assert recipients == ["ana@example.org"]
    assert message["Bcc"] is None
    page = message.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()
    assert "<img src=x" not in page.get_content()


@pytest.mark.parametrize(
    ("answers", "ok", "retry", "detail"),
    [
        ({"ana@example.org": "451 later"}, False, True, "the mail server answered 451 to 1 of 2 messages"),
        ({"ana@example.org": "550 no"}, True, False, "the mail server answered 550 to 1 of 2 messages"),
        ({"ana@example.org": "550 no", "ben@example.org": "550 no"}, False, False,
         "the mail server answered 550 to 2 of 2 messages"),
        ({"ana@example.org": "550 no", "ben@example.org": "451 later"}, False, True,
         "the mail server answered 451 to 2 of 2 messages"),
    ],
)  # fmt: skip
def test_a_recipient_who_is_refused(
    box: Mailbox, port: int, answers: dict[str, str], ok: bool, retry: bool, detail: str
) -> None:
    box.answers = answers
    result = channel(port).send("ntf_1", channel(port).body(DRIFT, EXTRA), 10.0)
    assert (result.ok, result.retry, result.detail) == (ok, retry, detail)


@pytest.mark.parametrize(("answer", "retry"), [("452 full", True), ("554 spam", False)])
def test_a_message_that_is_refused(box: Mailbox, port: int, answer: str, retry: bool) -> None:
    box.data = answer
    there = channel(port, "ana@example.org")
    result = there.send("ntf_1", there.body(DRIFT, EXTRA), 10.0)
    assert (result.ok, result.retry, result.status) == (False, retry, int(answer[:3]))
    assert "spam" not in result.detail


def test_where_nobody_listens_it_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        there = channel(taken.getsockname()[1])
        result = there.send("ntf_1", there.body(DRIFT, EXTRA), 5.0)
    assert (result.ok, result.retry) == (False, True)


@pytest.mark.parametrize("piece", [b"", b"2", b"220-wait\r\n"])
def test_a_server_that_hangs_or_trickles_does_not_hold_a_sender(piece: bytes) -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hold() -> None:
            connection, _ = server.accept()
            with connection:
                while not ended.wait(0.05):
                    try:
                        connection.sendall(piece)
                    except OSError:
                        ended.wait()

        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        there = channel(server.getsockname()[1])
        result = there.send("ntf_1", there.body(DRIFT, EXTRA), 0.5)
        assert (result.ok, result.retry) == (False, True)
        assert not ended.is_set()
        ended.set()
        thread.join(5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate of 127.0.0.1 that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, made


def test_tls_with_a_password_and_only_where_the_certificate_is_trusted(
    box: Mailbox, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    asked: list[LoginPassword] = []

    def ask(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        asked.append(data)
        return AuthResult(success=data.password == b"p@ss", handled=False)

    controller = serve(box, ssl_context=context, authenticator=ask, auth_require_tls=False)
    try:
        there = channel(controller.port, "ana@example.org", scheme="smtps", login="ana:p%40ss@")
        body = there.body(DRIFT, EXTRA)
        untrusted = there.send("ntf_1", body, 10.0)
        assert (untrusted.ok, untrusted.retry, asked) == (False, True, []), "no password goes to just anybody"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
        assert there.send("ntf_1", body, 10.0).ok
        assert asked == [LoginPassword(b"ana", b"p@ss")]
        wrong = replace(there, server=replace(there.server, password="other"))
        refused = wrong.send("ntf_1", body, 10.0)
        assert (refused.ok, refused.retry, refused.status) == (False, False, 535)
    finally:
        controller.stop()


def test_a_password_is_not_sent_to_another_machine_without_tls(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "is_here", False)
    there = channel(port, login="ana:secret@")
    result = there.send("ntf_1", there.body(DRIFT, EXTRA), 10.0)
    assert result == Result(False, False, detail="the mail server offers no TLS, and a password is not sent without it")
