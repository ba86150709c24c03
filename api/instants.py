"""Instants as people and programs write them: a date, or RFC 3339; one without a zone is UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

_DATED = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def dated(value: Any) -> Any:
    """Refuses a bare number, which Pydantic would take for seconds or milliseconds since 1970, by its size."""
    if not isinstance(value, str) or not _DATED.match(value):
        raise PydanticCustomError("instant", "is no date: write 2026-07-01 or 2026-07-01T12:00:00Z")
    return value


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("lies beyond the years 1 to 9999 in UTC; send a nearer one") from None


Moment = Annotated[datetime, BeforeValidator(dated), AfterValidator(_utc)]
