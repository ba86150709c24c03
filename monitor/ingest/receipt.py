"""What a request's rows came to: the part of a segment that they are, and the answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.batch import Envelope, Reject
from monitor.errors import NoGoodRow
from monitor.log.port import Part
from monitor.times import to_micros

MOST_ERRORS = 20       # rejected rows that the answer lists; all can be read back
_MEND = "Mend the rows that are listed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a batch: what was taken, durable by now, and what was not."""

    batch_id: str
    accepted: int
    rejected: int
    errors: list[Reject]
    repeated: bool = False
    notes: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "batch_id": self.batch_id,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "errors": [e.as_dict() for e in self.errors],
        }
        if self.repeated:
            out["repeated"] = True
        if self.notes:
            out["notes"] = dict(self.notes)
        return out


def new_batch_ids(now: datetime, n: int) -> list[str]:
    """Ids of new batches. They begin with the instant, so that the index of batches grows at its end alone.

    >>> from datetime import UTC
    >>> first, second = new_batch_ids(datetime(2026, 7, 1, tzinfo=UTC), 2)
    >>> first[:15], len(first), first == second
    ('b_655815f672000', 26, False)
    """
    begins, random = f"b_{to_micros(now):013x}", secrets.token_hex(6 * n)
    return [begins + random[12 * i : 12 * i + 11] for i in range(n)]


def new_batch_id(now: datetime) -> str:
    """The id of one new batch."""
    return new_batch_ids(now, 1)[0]


def made_up_id(batch_id: str, row: int) -> str:
    """The id of a prediction that was sent without one."""
    return f"{batch_id}/{row}"


def part_of(
    batch_id: str, accepted: int, rejects: list[Reject], notes: Mapping[str, Any], envelope: Envelope,
    idempotency_key: str | None = None,
) -> Part:  # fmt: skip
    """A request's part of its segment, with what the batch said of itself and what was noted of it."""
    named = {k: getattr(envelope, k) for k in ("source", "environment", "schema_version")}
    said: dict[str, Any] = {k: v for k, v in named.items() if v is not None} | {"sampling_rate": envelope.sampling_rate}
    said |= {"notes": dict(notes)} if notes else {}
    return Part(batch_id, accepted, idempotency_key, said, rejects)


def receipt_of(part: Part) -> Receipt:
    """The answer to a part that is durable."""
    rejects, notes = part.rejects, part.envelope.get("notes")
    return Receipt(part.batch_id, part.rows, len(rejects), rejects[:MOST_ERRORS], notes=notes)


def check_good(accepted: int, rejects: Sequence[Reject], atomic: bool) -> None:
    """All or none where that was asked for, and at least one good row otherwise; ``NoGoodRow`` lists the first rejects.

    >>> check_good(0, [], atomic=False)
    Traceback (most recent call last):
    monitor.errors.NoGoodRow: the batch has no rows. Send at least one row
    """
    n, rejected = len(rejects), [r.as_dict() for r in rejects[:MOST_ERRORS]]
    if n and atomic:
        said = "1 row is" if n == 1 else f"{n} rows are"
        raise NoGoodRow(f"{said} not valid, and atomic=true takes all or none", _MEND, rejected)
    if not n and not accepted:
        raise NoGoodRow("the batch has no rows", "Send at least one row", rejected)
    if not accepted:
        raise NoGoodRow("no row of the batch could be taken", _MEND, rejected)
