"""The generic webhook: the notice as JSON, signed, under one ``Idempotency-Key`` for all attempts.

A receiver checks ``X-Vigil-Signature: v1=HEX``, the HMAC-SHA256 of ``X-Vigil-Timestamp``, a full stop and the body
under the shared secret; it may refuse a timestamp that is minutes old, for each attempt has its own. The same key twice
is the same notification: its first attempt may have arrived though its answer did not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from incidents.notices import Notice
from incidents.routing import Route
from monitor.clock import Now, system_clock
from monitor.senders.channels.base import Extra, Result, variable
from monitor.senders.channels.http import checked_url, post
from monitor.senders.channels.signing import sign
from monitor.senders.channels.words import headline, may_leave


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts to ``url``, signed where there is a ``secret``, with ``key`` as a bearer token where there is one."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    now: Now = system_clock

    @classmethod
    def of(cls, route: Route, env: Mapping[str, str]) -> Webhook:
        url = checked_url(variable(route, "url_env", env), route.url_env)
        return cls(url, variable(route, "secret_env", env), variable(route, "key_env", env))

    def body(self, notice: Notice, extra: Extra) -> bytes:
        told = {**may_leave(notice).to_json(), "headline": headline(notice), "url": extra.url}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        timestamp = str(int(self.now().timestamp()))
        headers = {"idempotency-key": id, "x-vigil-timestamp": timestamp}
        if self.secret:
            headers["x-vigil-signature"] = sign(self.secret, timestamp, body)
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        return post(self.url, body, headers, timeout, self.now)
