"""Slack's incoming webhooks: a message of blocks with a link to the incident's page.

No link of a person's own goes there, for a channel has many readers. Slack knows no idempotency: a message whose answer
was lost stands twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incidents.notices import Notice
from incidents.routing import Route
from incidents.verdict import Severity
from monitor.senders.channels.base import Extra, Result, variable
from monitor.senders.channels.http import checked_url, post
from monitor.senders.channels.words import cut, headline, sentences

MOST_TEXT = 2_900       # a section takes 3,000 characters
MOST_HEADER = 150       # and a header so many
_SIGNS = {Severity.INFO: ":information_source:", Severity.WARNING: ":warning:", Severity.CRITICAL: ":rotating_light:"}


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts to the address of an incoming webhook, which is itself the secret."""

    url: str = field(repr=False)

    @classmethod
    def of(cls, route: Route, env: Mapping[str, str]) -> Slack:
        return cls(checked_url(variable(route, "url_env", env), route.url_env))

    def body(self, notice: Notice, extra: Extra) -> bytes:
        title = headline(notice)
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": cut(title, MOST_HEADER)}},
            _section(f"{_SIGNS[notice.severity]} " + "\n".join(map(escaped, sentences(notice)))),
        ]
        if extra.url:
            blocks.append(_section(f"<{escaped(extra.url)}|Open {notice.incident}>"))
        told = {"text": escaped(cut(title, MOST_TEXT)), "blocks": blocks}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        return post(self.url, body, {"idempotency-key": id}, timeout)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, MOST_TEXT)}}


def escaped(text: str) -> str:
    """What Slack would read as a link or a mention, as plain characters.

    >>> escaped("<!channel> a & b")
    '&lt;!channel&gt; a &amp; b'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
