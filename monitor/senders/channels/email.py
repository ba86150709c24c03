"""Email by SMTP: text and HTML, the picture within, one message a recipient.

One address, one message: a link by which somebody acknowledges is for its reader alone. The ``Message-ID`` is the
notification's id, so that a second attempt is the same message, and messages of one incident stand in one thread.
"""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from incidents.notices import Notice
from incidents.routing import Route
from monitor.clock import Now, system_clock
from monitor.errors import InvalidSettings
from monitor.senders.channels.base import Extra, Result
from monitor.senders.channels.letter import as_html, as_text
from monitor.senders.channels.words import cut, headline
from monitor.settings import Settings

CONNECT = 5.0
MOST_SUBJECT = 200
_SET = "Set VIGIL_SMTP_URL and VIGIL_MAIL_FROM for the service that sends"
PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. ``smtps`` is TLS from the start; ``smtp`` turns to it where the server offers it, and
    hands no password to another machine without it."""

    host: str
    port: int
    secure: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Server:
        """
        >>> Server.of("smtp://mail.example").port, Server.of("smtps://ana:p%40ss@mail.example").password
        (25, 'p@ss')
        """
        try:
            parts: SplitResult = urlsplit(url)
            host, port = parts.hostname, parts.port or PORTS[parts.scheme]
        except (KeyError, ValueError):
            host = None
        if not host:
            raise InvalidSettings(
                "smtp_url is no address of a mail server", "Write smtp://USER:PASSWORD@HOST:587, or smtps://"
            )
        return cls(host, port, parts.scheme == "smtps", unquote(parts.username or ""), unquote(parts.password or ""))

    @property
    def is_here(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Email:
    """Mail from ``sender`` to each of ``to``."""

    server: Server
    sender: str
    to: tuple[str, ...]
    now: Now = system_clock

    @classmethod
    def of(cls, route: Route, settings: Settings) -> Email:
        """``InvalidSettings`` where no server is set, or nobody has an address."""
        if not settings.smtp_url:
            raise InvalidSettings(f"the email of '{route.name}' needs a mail server, and smtp_url is not set", _SET)
        if not settings.mail_from:
            raise InvalidSettings(f"the email of '{route.name}' needs a sender, and mail_from is not set", _SET)
        to = tuple(address for address in route.to if "@" in address)
        if not to:
            raise InvalidSettings(
                f"nobody of the channel '{route.name}' has an address",
                "Write addresses into its 'to', or give the accounts that it names an email",
            )
        return cls(Server.of(settings.smtp_url), settings.mail_from, to)

    def body(self, notice: Notice, extra: Extra) -> bytes:
        letters = [
            {
                "to": address,
                "text": as_text(notice, extra.url, extra.links.get(address, "")),
                "html": as_html(notice, extra.url, extra.links.get(address, ""), extra.picture is not None),
            }
            for address in self.to
        ]
        told: dict[str, Any] = {"subject": cut(headline(notice), MOST_SUBJECT), "thread": notice.incident}
        told["letters"] = letters
        if extra.picture is not None:
            told["picture"] = b64encode(extra.picture).decode()
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        try:
            messages = list(self._messages(id, json.loads(body)))
            with _session(self.server, timeout) as smtp:
                return _all_sent([_handed_in(smtp, message) for message in messages])
        except _Refused as error:
            return Result(False, False, detail=str(error))
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code)
        except (smtplib.SMTPException, OSError, EOFError) as error:
            return Result(False, True, detail=f"the mail server cannot be reached ({type(error).__name__})")
        except Exception as error:      # a sender goes on, whatever a server does
            return Result(False, True, detail=f"the connection failed ({type(error).__name__})")

    def _messages(self, id: str, told: dict[str, Any]) -> Iterator[EmailMessage]:
        host = self.sender.rpartition("@")[2].strip("> ") or "vigil"
        for number, letter in enumerate(told["letters"]):
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = self.sender, letter["to"], told["subject"]
            message["Date"] = format_datetime(self.now())
            message["Message-ID"] = f"<{id}.{number}@{host}>"
            message["References"] = message["In-Reply-To"] = f"<{told['thread']}@{host}>"
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(letter["text"])
            message.add_alternative(letter["html"], subtype="html")
            if picture := told.get("picture"):
                (_, html) = message.iter_parts()
                assert isinstance(html, EmailMessage)
                html.add_related(b64decode(picture), "image", "png", cid="<chart>", disposition="inline")
            yield message


class _Refused(Exception):
    """What no second attempt mends; its words are ours."""


@contextmanager
def _session(server: Server, timeout: float) -> Iterator[smtplib.SMTP]:
    """A session with the server, cut off after ``timeout`` seconds: each of its answers may come a byte at a time."""
    context = ssl.create_default_context()
    here = socket.gethostname()     # given, for smtplib would ask the network for a longer one
    smtp = (
        smtplib.SMTP_SSL(local_hostname=here, context=context) if server.secure else smtplib.SMTP(local_hostname=here)
    )
    smtp.timeout = min(CONNECT, timeout)
    smtp._host = server.host  # type: ignore[attr-defined]  # TLS compares the certificate; 'connect' leaves it out
    end = threading.Timer(timeout, _cut_off, [smtp])
    end.daemon = True
    end.start()
    try:
        code, said = smtp.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        assert smtp.sock is not None
        smtp.sock.settimeout(timeout)
        smtp.ehlo_or_helo_if_needed()
        if not server.secure and not server.is_here and smtp.has_extn("starttls"):
            smtp.starttls(context=context)
            smtp.ehlo()
        elif server.user and not server.secure and not server.is_here:
            raise _Refused("the mail server offers no TLS, and a password is not sent without it")
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):      # it has the messages by now
            smtp.quit()
    finally:
        end.cancel()
        smtp.close()


def _cut_off(smtp: smtplib.SMTP) -> None:
    if smtp.sock is not None:
        with suppress(OSError):
            smtp.sock.shutdown(socket.SHUT_RDWR)


def _handed_in(smtp: smtplib.SMTP, message: EmailMessage) -> Result:
    try:
        smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        return _answered(max(code for code, _ in error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        return _answered(error.smtp_code)
    return Result(True, False, 250, detail="the mail server took it")


def _answered(code: int) -> Result:
    """A reply of SMTP (RFC 5321, 4.2.1): after 5yz no attempt will succeed; after 4yz, or what is no reply, one may."""
    return Result(False, not 500 <= code < 600, code, detail=f"the mail server answered {code}")


def _all_sent(results: list[Result]) -> Result:
    """One result of several messages: what may go well later comes first, then what went well."""
    bad = [r for r in results if not r.ok]
    if not bad:
        return results[0]
    worst = next((r for r in bad if r.retry), bad[0])
    told = f"{worst.detail} to {len(bad)} of {len(results)} messages"
    if worst.retry or len(bad) == len(results):
        return Result(False, worst.retry, worst.status, detail=told)
    return Result(True, False, worst.status, detail=told)     # who has an address was told; the rest will not be
