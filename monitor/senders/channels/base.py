"""What a channel is: it writes a notice down once, and sends those very bytes as often as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from incidents.notices import Notice
from incidents.routing import ChannelKind, Route
from monitor.errors import InvalidSettings
from monitor.settings import Settings


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt. ``retry``: it may go well later. ``retry_after``: the seconds that the receiver asked
    for. ``detail`` is for people, and holds neither an address nor a secret."""

    ok: bool
    retry: bool
    status: int | None = None
    retry_after: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Extra:
    """What goes with a notice. ``url``: of its incident, empty where the service's address is not known. ``picture``:
    a PNG. ``links``: by address of an email, the link by which its reader acknowledges."""

    url: str = ""
    picture: bytes | None = None
    links: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    def body(self, notice: Notice, extra: Extra) -> bytes:
        """What is to be sent, as UTF-8 text without any secret. It is made once and kept, so that a retry says the
        same. Empty where the channel has nothing to say of such a notice."""

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        """One attempt, over after ``timeout`` seconds whatever the receiver does. ``id`` is the notification's, the
        same at each attempt. It never raises."""


def open_channel(route: Route, env: Mapping[str, str], settings: Settings) -> Channel:
    """The channel of a route, with its address and secrets from ``env``. ``InvalidSettings`` where a variable or a
    setting that it needs is not there."""
    match route.kind:       # each is imported where it is used: what sends no email need not load what does
        case ChannelKind.WEBHOOK:
            from monitor.senders.channels.webhook import Webhook

            return Webhook.of(route, env)
        case ChannelKind.SLACK:
            from monitor.senders.channels.slack import Slack

            return Slack.of(route, env)
        case ChannelKind.PAGERDUTY:
            from monitor.senders.channels.pagerduty import PagerDuty

            return PagerDuty.of(route, env)
        case ChannelKind.ALERTMANAGER:
            from monitor.senders.channels.alertmanager import Alertmanager

            return Alertmanager.of(route, env)
        case ChannelKind.EMAIL:
            from monitor.senders.channels.email import Email

            return Email.of(route, settings)


def variable(route: Route, key: str, env: Mapping[str, str]) -> str:
    """The value of the environment variable that a route names under ``key``; empty where it names none.

    >>> variable(Route("ops", ChannelKind.SLACK, url_env="SLACK_URL"), "url_env", {"SLACK_URL": "https://slack/x"})
    'https://slack/x'
    """
    name: str = getattr(route, key)
    if not name:
        return ""
    if not (value := env.get(name, "").strip()):
        raise InvalidSettings(
            f"the channel '{route.name}' needs the environment variable {name}, and it is not set",
            f"Set {name} for the service that sends, or name another one in the route's '{key}'",
        )
    return value
