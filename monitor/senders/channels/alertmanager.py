"""Prometheus' Alertmanager, API v2: an incident is an alert that stands until Vigil ends it.

Alertmanager ends an alert at the end that it carries, so a firing one carries one far ahead, and Vigil sends the real
end. It keeps alerts in memory: ``repeat`` brings back those that it lost. An alert is its labels: a raised severity is
a new alert, and ends those of the lower severities.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from incidents.notices import Notice, NoticeKind
from incidents.routing import Route
from incidents.verdict import Severity
from incidents.wire import rfc3339
from monitor.clock import Now, system_clock
from monitor.senders.channels.base import Extra, Result, variable
from monitor.senders.channels.http import checked_url, post
from monitor.senders.channels.words import MOST_CAUSES, cause_text, headline, may_leave, one_line

NAME = "VigilIncident"
STANDS = timedelta(days=7)      # how long an alert stands that nobody ends or repeats
PATH = "/api/v2/alerts"
_ENDS = frozenset({NoticeKind.RESOLVED, NoticeKind.CLOSED, NoticeKind.MERGED})


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Posts to the Alertmanager at ``url``, its root; ``key`` is a bearer token where a proxy asks for one."""

    url: str = field(repr=False)
    key: str = field(default="", repr=False)
    now: Now = system_clock

    @classmethod
    def of(cls, route: Route, env: Mapping[str, str]) -> Alertmanager:
        url = checked_url(variable(route, "url_env", env), route.url_env)
        return cls(url.rstrip("/").removesuffix(PATH), variable(route, "key_env", env))

    def body(self, notice: Notice, extra: Extra) -> bytes:
        ends = notice.kind in _ENDS
        alert = _alert(notice, extra.url)
        until = {"endsAt": rfc3339(notice.at)}
        lower = [s for s in Severity if s < notice.severity and (ends or notice.kind is NoticeKind.SEVERITY_RAISED)]
        ended = [_with_severity(alert, s) | until for s in lower]
        now = alert | until if ends else alert
        return json.dumps([now, *ended], ensure_ascii=False, separators=(",", ":")).encode()

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        return self._post(json.loads(body), {"idempotency-key": id}, timeout)

    def repeat(self, bodies: Iterable[bytes], timeout: float) -> Result:
        """Say once more that the alerts of these bodies stand, all in one request; what they end is left out."""
        alerts = [alert for body in bodies for alert in json.loads(body) if "endsAt" not in alert]
        if not alerts:
            return Result(True, False, detail="no alert stands")
        return self._post(alerts, {}, timeout)

    def _post(self, alerts: list[dict[str, Any]], headers: dict[str, str], timeout: float) -> Result:
        """A firing alert gets its end now: that of a body would have passed by the time of a late attempt."""
        until = {"endsAt": rfc3339((self.now() + STANDS).replace(microsecond=0))}
        body = json.dumps([until | alert for alert in alerts], ensure_ascii=False).encode()
        if self.key:
            headers = headers | {"authorization": f"Bearer {self.key}"}
        return post(self.url + PATH, body, headers, timeout, self.now)


def _alert(notice: Notice, url: str) -> dict[str, Any]:
    said = {"summary": headline(notice), "description": one_line(notice.summary)}
    said |= {"causes": "; ".join(map(cause_text, may_leave(notice).causes[:MOST_CAUSES])), "url": url}
    labels = {
        "alertname": NAME, "vigil_incident": notice.incident, "model": notice.model,
        "kind": notice.fingerprint.kind.value, "severity": notice.severity.value,
    }  # fmt: skip
    alert = {"labels": labels, "startsAt": rfc3339(notice.opened_at)}
    alert["annotations"] = {name: text for name, text in said.items() if text}
    return alert | ({"generatorURL": url} if url else {})


def _with_severity(alert: dict[str, Any], severity: Severity) -> dict[str, Any]:
    return alert | {"labels": alert["labels"] | {"severity": severity.value}}
