"""PagerDuty's Events API v2: an incident here is one incident there, for ``dedup_key`` is its id.

So a call that arrives twice is one call, and ``POST /v1/pagerduty`` finds the way back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incidents.notices import Notice, NoticeKind
from incidents.routing import Route
from incidents.wire import rfc3339, to_json
from monitor.errors import InvalidSettings
from monitor.senders.channels.base import Extra, Result, variable
from monitor.senders.channels.http import checked_url, post
from monitor.senders.channels.words import cut, headline, may_leave, sentences

URL = "https://events.pagerduty.com/v2/enqueue"
MOST_SUMMARY = 1024
# What PagerDuty calls it; a person is called by nothing else.
_ACTIONS = {
    NoticeKind.OPENED: "trigger",
    NoticeKind.REOPENED: "trigger",
    NoticeKind.SEVERITY_RAISED: "trigger",
    NoticeKind.TEST: "trigger",
    NoticeKind.ACKNOWLEDGED: "acknowledge",
    NoticeKind.RESOLVED: "resolve",
    NoticeKind.CLOSED: "resolve",
    NoticeKind.MERGED: "resolve",
}


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """Events under a service's routing key; ``url`` is another one in the EU, or in a test."""

    key: str = field(repr=False)
    url: str = URL

    @classmethod
    def of(cls, route: Route, env: Mapping[str, str]) -> PagerDuty:
        key, url = variable(route, "key_env", env), variable(route, "url_env", env) or URL
        if not key:
            raise InvalidSettings(
                f"the channel '{route.name}' names no 'key_env'", "Name the variable with PagerDuty's integration key"
            )
        return cls(key, checked_url(url, route.url_env))

    def body(self, notice: Notice, extra: Extra) -> bytes:
        if (action := _ACTIONS.get(notice.kind)) is None:
            return b""
        told: dict[str, Any] = {"event_action": action, "dedup_key": notice.incident}
        if action == "trigger":
            told |= {"payload": _payload(notice), "client": "Vigil"}
            if extra.url:
                told |= {"client_url": extra.url, "links": [{"href": extra.url, "text": "The incident in Vigil"}]}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        # The key goes in at last: bodies are kept, and hold no secret.
        whole = b'{"routing_key":' + json.dumps(self.key).encode() + b"," + body[1:]
        return post(self.url, whole, {"idempotency-key": id}, timeout)


def _payload(notice: Notice) -> dict[str, Any]:
    safe = may_leave(notice)
    return {
        "summary": cut(headline(notice), MOST_SUMMARY),
        "source": f"vigil/{notice.model}",
        "severity": notice.severity.value,      # info, warning and critical are PagerDuty's words too
        "timestamp": rfc3339(notice.at),
        "component": notice.model,
        "class": notice.fingerprint.kind.value,
        "custom_details": {
            "incident": notice.incident, "said": list(sentences(notice)), "changes": to_json(safe.changes),
        },
    }  # fmt: skip
