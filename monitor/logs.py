"""Log lines of the program itself: one shape for Vigil's own and its libraries', on stderr, with secrets masked.

Nobody logs a request's body or its headers; what slips in by the name of a secret is masked all the same.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

MASK = "***"
SECRET_NAMES = frozenset({"key", "authorization", "token", "secret", "password", "cookie", "body"})
_API_KEY = re.compile(r"(vgl_[A-Za-z0-9]+_)[A-Za-z0-9_-]+")
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")


def configure(
    level: Literal["debug", "info", "warning", "error"], format: Literal["console", "json"], to: TextIO | None = None
) -> None:
    """Send the process's log lines from ``level`` up to ``to`` (stderr where absent). A second call replaces the first.

    ``uvicorn`` must run with ``log_config=None``, or it writes lines of its own shape.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        mask_secrets,      # last but one, so that it sees the text of exceptions too
        structlog.processors.JSONRenderer(default=str)
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=False),
    ]
    handler = logging.StreamHandler(to)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)       # it repeats addresses, which may hold a secret
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def mask_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A structlog processor that masks values by the last word of their name, and keys and passwords within any text.

    >>> mask_secrets(None, "", {"event": "sent with vgl_ab12_s3cret", "api_key": "x", "key_id": 7})
    {'event': 'sent with vgl_ab12_***', 'api_key': '***', 'key_id': 7}
    """
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: str, value: Any) -> Any:
    if re.split(r"[^a-z]", name.lower())[-1] in SECRET_NAMES:
        return MASK
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1{MASK}", _API_KEY.sub(rf"\1{MASK}", value))
    if isinstance(value, Mapping):
        return {k: _masked(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", v) for v in value]
    return value
