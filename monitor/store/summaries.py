"""Stored summaries: merged by stratum as batches come, read as the dense sum of a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Literal, NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, func, select

from detectors.summaries.packing import pack_more, packed_sum
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints, Summary
from monitor.database import insert_many
from monitor.fold.join import SERVING
from monitor.fold.sampling import Received, weigh
from monitor.fold.strata import Stratum
from monitor.store import rollups
from monitor.store.tables import summaries

Kind = Literal["predictions", "outcomes"]

MOST_BUCKETS = 5_000        # named in one question: a server takes 65,535 values, and a backfill may touch more


class Dense(NamedTuple):
    """A window's merged summary: the rows received, counts over the whole space, sums. Where these came at several
    sampling rates, counts and sums are those of ``rows.effective`` rows."""

    rows: Received
    counts: Ints
    sums: Floats


class BucketRows(NamedTuple):
    """``n`` rows of one sampling rate in the bucket that starts at ``bucket``."""

    bucket: int
    rate: float
    n: int


def merge(
    db: Connection, model: int, kind: Kind, parts: dict[Stratum, Summary], rows: dict[Stratum, int], seq: int = 0
) -> None:
    """Add summaries to the stored ones; ``rows`` says how many rows each part adds (or, negative, takes back), ``seq``
    the last segment that they are of."""
    if not parts:
        return
    stored, values = _stored(db, model, kind, sorted({s.bucket for s in parts})), []
    for stratum, part in parts.items():
        n, data = stored.get(stratum, (0, None))
        total = part.to_bytes() if data is None else pack_more(data, part.cells, part.counts, part.sums)
        values.append((model, kind, *stratum, n + rows[stratum], seq, total))
    columns = ("model", "kind", *Stratum._fields, "n", "seq", "data")
    insert_many(db, summaries, columns, values, update=("n", "seq", "data"))
    rollups.outdate(db, model, kind, {s.bucket for s in parts if s.role == SERVING})


def _stored(
    db: Connection, model: int, kind: Kind, buckets: Sequence[int]
) -> dict[Stratum, tuple[int, bytes]]:
    """The rows and bytes of all strata of some buckets."""
    key = [summaries.c[name] for name in Stratum._fields]
    mine = select(*key, summaries.c.n, summaries.c.data).where(summaries.c.model == model, summaries.c.kind == kind)
    found: dict[Stratum, tuple[int, bytes]] = {}
    for at in range(0, len(buckets), MOST_BUCKETS):
        query = mine.where(summaries.c.bucket.in_(buckets[at : at + MOST_BUCKETS]))
        found |= {Stratum(*key): (n, data) for *key, n, data in db.execute(query)}
    return found


def window(
    db: Connection, model: int, kind: Kind, space: Space, start: int, end: int, *, rolled_up: bool = False
) -> Dense:
    """The serving role's summary of ``[start, end)``, all versions together.

    ``rolled_up``: from days and longer where they are there, at a fraction of the cost. Counts are the same, sums to
    the last bits: large ones round in the order of their parts. What is kept is made from the buckets, so that a
    rebuild gives the same to the last bit.
    """
    parts = rollups.parts(db, model, kind, start, end, rollups.LENGTHS if rolled_up else ())
    cells, floats = (
        (space.predictions, space.prediction_sums) if kind == "predictions" else (space.outcomes, space.outcome_sums)
    )
    rows = Received.of((p.rate, p.n) for p in parts)
    if not rows.mixed:
        return Dense(rows, *packed_sum([p.data for p in parts], cells.size, floats.size))
    alike = rollups.by_rate(parts).items()
    strata = ((rate, *packed_sum([p.data for p in same], cells.size, floats.size)) for rate, same in alike)
    return Dense(rows, *weigh(cells, rows, strata))


def bucket_rows(db: Connection, model: int, start: int, end: int) -> dict[Kind, list[BucketRows]]:
    """How many serving rows the buckets of ``[start, end)`` have, predictions and joined outcomes apart."""
    query = select(summaries.c.kind, summaries.c.bucket, summaries.c.rate, summaries.c.n).where(
        summaries.c.model == model,
        summaries.c.role == SERVING,
        summaries.c.bucket >= start,
        summaries.c.bucket < end,
    )
    found: dict[Kind, list[BucketRows]] = {"predictions": [], "outcomes": []}
    for kind, *rows in db.execute(query):
        found[kind].append(BucketRows(*rows))
    return found


def received(rows: Iterable[BucketRows]) -> Received:
    return Received.of((r.rate, r.n) for r in rows)


def first_bucket(db: Connection, model: int) -> int | None:
    """The start of the first bucket that holds a serving prediction."""
    query = select(func.min(summaries.c.bucket)).where(
        summaries.c.model == model, summaries.c.kind == "predictions", summaries.c.role == SERVING
    )
    found: int | None = db.execute(query).scalar_one()
    return found


def last_bucket(db: Connection, model: int, before: int) -> int | None:
    """The start of the last bucket before an instant that holds a serving prediction."""
    query = select(func.max(summaries.c.bucket)).where(
        summaries.c.model == model,
        summaries.c.kind == "predictions",
        summaries.c.role == SERVING,
        summaries.c.bucket < before,
    )
    found: int | None = db.execute(query).scalar_one()
    return found


def serving_buckets(db: Connection, model: int, after: int) -> list[int]:
    """The buckets from ``after`` on that hold serving predictions, and the last one before it; in order."""
    mine = (summaries.c.model == model, summaries.c.kind == "predictions", summaries.c.role == SERVING)
    before = select(func.max(summaries.c.bucket)).where(*mine, summaries.c.bucket < after).scalar_subquery()
    query = select(summaries.c.bucket).where(*mine, summaries.c.bucket >= func.coalesce(before, after)).distinct()
    return list(db.execute(query.order_by(summaries.c.bucket)).scalars())


def forget(db: Connection, model: int, before: int | None = None) -> None:
    """Delete a model's summaries, or those of the buckets before an instant."""
    mine = summaries.c.model == model
    db.execute(delete(summaries).where(mine if before is None else mine & (summaries.c.bucket < before)))
    rollups.forget(db, model, before)


def cut(db: Connection, model: int, upto: int) -> int | None:
    """Delete the summaries in which no segment behind ``upto`` has rows: the start of the last bucket among them,
    ``None`` where there are none."""
    which = (summaries.c.model == model) & (summaries.c.seq <= upto)
    found: list[tuple[Kind, int]] = [
        (kind, bucket)
        for kind, bucket in db.execute(select(summaries.c.kind, summaries.c.bucket).where(which).distinct())
    ]
    db.execute(delete(summaries).where(which))
    for kind in {kind for kind, _ in found}:
        rollups.outdate(db, model, kind, {bucket for k, bucket in found if k == kind})
    return max((bucket for _, bucket in found), default=None)


def row_counts(space: Space, kind: Kind, parts: dict[Stratum, Summary]) -> dict[Stratum, int]:
    """How many rows each summary speaks of: the total of its axis ``all``."""
    layout = space.predictions if kind == "predictions" else space.outcomes
    low = layout.start("axis", 0)
    high = low + prod(layout.shapes["axis", 0])
    return {
        stratum: int(s.counts[np.searchsorted(s.cells, low) : np.searchsorted(s.cells, high)].sum())
        for stratum, s in parts.items()
    }
