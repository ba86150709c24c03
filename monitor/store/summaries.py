"""Stored summaries: merged by stratum as batches come, read as the dense sum of a window."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, func, select

from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints, Summary, dense_sum
from monitor.database import upsert
from monitor.fold.join import SERVING
from monitor.fold.strata import Stratum
from monitor.store.tables import summaries

Kind = Literal["predictions", "outcomes"]


class Dense(NamedTuple):
    """A window's merged summary: ``n`` rows, counts over the whole space, sums."""

    n: int
    counts: Ints
    sums: Floats


def merge(db: Connection, model: int, kind: Kind, parts: dict[Stratum, Summary], rows: dict[Stratum, int]) -> None:
    """Add summaries to the stored ones; ``rows`` says how many rows each part adds (or, negative, takes back)."""
    if not parts:
        return
    key = (summaries.c.bucket, summaries.c.version, summaries.c.role)
    buckets = sorted({s.bucket for s in parts})
    query = select(*key, summaries.c.n, summaries.c.data).where(
        summaries.c.model == model, summaries.c.kind == kind, summaries.c.bucket.between(buckets[0], buckets[-1])
    )
    stored = {Stratum(b, v, r): (n, data) for b, v, r, n, data in db.execute(query)}
    values = []
    for stratum, part in parts.items():
        n, data = stored.get(stratum, (0, None))
        total = part if data is None else Summary.from_bytes(data) + part
        row = {"n": n + rows[stratum], "data": total.to_bytes()}
        values.append({"model": model, "kind": kind, **stratum._asdict(), **row})
    db.execute(upsert(summaries, ["n", "data"]), values)


def window(db: Connection, model: int, kind: Kind, space: Space, start: int, end: int) -> Dense:
    """The serving role's summary of ``[start, end)``, all versions together."""
    query = (
        select(summaries.c.n, summaries.c.data)
        .where(
            summaries.c.model == model,
            summaries.c.kind == kind,
            summaries.c.bucket >= start,
            summaries.c.bucket < end,
            summaries.c.role == SERVING,
        )
        .order_by(summaries.c.bucket, summaries.c.version)
    )
    rows = db.execute(query).all()
    size, n_sums = (space.prediction_size, 0) if kind == "predictions" else (space.outcome_size, len(space.sums))
    counts, sums = dense_sum((Summary.from_bytes(data) for _, data in rows), size, n_sums)
    return Dense(sum(n for n, _ in rows), counts, sums)


def bucket_rows(db: Connection, model: int, start: int, end: int) -> dict[Kind, dict[int, int]]:
    """How many serving rows each bucket of ``[start, end)`` has, predictions and joined outcomes apart."""
    query = (
        select(summaries.c.kind, summaries.c.bucket, func.sum(summaries.c.n))
        .where(
            summaries.c.model == model,
            summaries.c.role == SERVING,
            summaries.c.bucket >= start,
            summaries.c.bucket < end,
        )
        .group_by(summaries.c.kind, summaries.c.bucket)
    )
    found: dict[Kind, dict[int, int]] = {"predictions": {}, "outcomes": {}}
    for kind, bucket, n in db.execute(query):
        found[kind][bucket] = int(n)
    return found


def first_bucket(db: Connection, model: int) -> int | None:
    """The start of the first bucket that holds a serving prediction."""
    query = select(func.min(summaries.c.bucket)).where(
        summaries.c.model == model, summaries.c.kind == "predictions", summaries.c.role == SERVING
    )
    found: int | None = db.execute(query).scalar_one()
    return found


def serving_buckets(db: Connection, model: int, after: int) -> list[int]:
    """The buckets from ``after`` on that hold serving predictions, and the last one before it; in order."""
    mine = (summaries.c.model == model, summaries.c.kind == "predictions", summaries.c.role == SERVING)
    before = select(func.max(summaries.c.bucket)).where(*mine, summaries.c.bucket < after).scalar_subquery()
    query = select(summaries.c.bucket).where(*mine, summaries.c.bucket >= func.coalesce(before, after)).distinct()
    return list(db.execute(query.order_by(summaries.c.bucket)).scalars())


def forget(db: Connection, model: int) -> None:
    db.execute(delete(summaries).where(summaries.c.model == model))


def row_counts(space: Space, kind: Kind, parts: dict[Stratum, Summary]) -> dict[Stratum, int]:
    """How many rows each summary speaks of: the total of its axis ``all``."""
    offsets = space.axis_offsets if kind == "predictions" else space.outcome_axis_offsets
    low, high = offsets[0], offsets[1]
    return {
        stratum: int(s.counts[np.searchsorted(s.cells, low) : np.searchsorted(s.cells, high)].sum())
        for stratum, s in parts.items()
    }
