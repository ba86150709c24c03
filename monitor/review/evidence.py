"""What the pack says beside KPIs, from the databases: models in and out, changes, and what is missing in the data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from detectors.scope import rfc3339
from incidents.verdict import VerdictKind
from monitor.kpis.periods import Period
from monitor.kpis.records import Records
from monitor.log.port import Declaration
from monitor.log.tables import batches, declarations, rejects
from monitor.review.gather import ClockChoice, Subject
from monitor.store import summaries
from monitor.store.tables import folded, points, verdicts
from monitor.times import from_micros, to_micros

COUNTED = ("late", "duplicates", "conflicts", "orphans")
MOST_REASONS = 5


def scope(found: list[Subject], records: Records, part: Period) -> list[dict[str, Any]]:
    """Every model, and why its figures are in or out."""
    covered, lives = {m.name for m in records.covered}, records.lives(part)
    by_name = {m.name: m for m in records.models}
    rows = []
    for s in found:
        name, life = s.spec.model, lives.get(s.spec.model)
        rows.append(
            {
                "model": name,
                "covered": name in covered,
                "why": _why(s, records, name in covered, life is not None),
                "task": s.spec.task,
                "purpose": s.spec.purpose,
                "owner": s.spec.owner,
                "risk_tier": s.spec.risk_tier,
                "protected_attributes": list(s.spec.protected_attributes),
                "declaration": s.declaration.version,
                "clock": s.clock.value,
                "live": None if life is None else {"start": rfc3339(life.start), "end": rfc3339(life.end)},
                "predictions": by_name[name].served(part),
            }
        )
    return rows


def _why(s: Subject, records: Records, covered: bool, live: bool) -> str:
    if not s.spec.in_scope:
        return "declared out of scope"
    if not covered:
        return f"runs on the clock '{s.clock.value}', which was not asked for"
    return "in scope and live" if live else "in scope; no predictions in the period"


def changes(log: Connection, found: list[Subject], part: Period) -> list[dict[str, Any]]:
    """The declarations made in a period, each with the keys that it changed. They are told by the clock on the wall."""
    query = select(declarations).where(declarations.c.model.in_([s.spec.model for s in found]))
    rows = [Declaration(**r) for r in log.execute(query.order_by(declarations.c.at, declarations.c.model)).mappings()]
    bodies = {(d.model, d.version): d.body for d in rows}
    out = []
    for d in rows:
        if part.holds(from_micros(d.at)):
            before = bodies.get((d.model, d.version - 1), {})
            keys = sorted(k for k in {*before, *d.body} if before.get(k) != d.body.get(k)) if before else []
            at = rfc3339(from_micros(d.at))
            out.append({"model": d.model, "version": d.version, "at": at, "by": d.by, "changed": keys})
    return out


def gaps(
    log: Connection, db: Connection, found: list[Subject], part: Period, clock: ClockChoice
) -> list[dict[str, Any]]:
    """By model: rows without an outcome, refused or odd, and windows that could not be judged."""
    return [_gap(log, db, s, part, clock) for s in found if s.state is not None]


def _gap(log: Connection, db: Connection, s: Subject, part: Period, clock: ClockChoice) -> dict[str, Any]:
    assert s.state is not None, "the caller looked"
    model, start, end = s.state.id, to_micros(part.start), to_micros(part.end)
    by_kind = summaries.bucket_rows(db, model, start, end).items()
    rows = {kind: summaries.received(found).total for kind, found in by_kind}
    mine = _batches(s.spec.model, start, end, clock)
    ours = set(log.execute(select(batches.c.batch_id).where(*mine)).scalars())
    counts: Counter[str] = Counter()
    for batch, of_batch in db.execute(select(folded.c.batch_id, folded.c.counts).where(folded.c.model == model)):
        if batch in ours:
            counts.update({name: of_batch.get(name, 0) for name in COUNTED})
    refused = (
        select(rejects.c.field, rejects.c.reason, func.count().label("n"))
        .join(batches, batches.c.batch_id == rejects.c.batch_id)
        .where(*mine)
        .group_by(rejects.c.field, rejects.c.reason)
        .order_by(func.count().desc(), rejects.c.field, rejects.c.reason)
    )
    reasons = [dict(r) for r in log.execute(refused).mappings()]
    return {
        "model": s.spec.model,
        "predictions": rows["predictions"],
        "without_outcome": rows["predictions"] - rows["outcomes"],
        "rejected": sum(r["n"] for r in reasons),
        "reject_reasons": reasons[:MOST_REASONS],
        **{name: counts[name] for name in COUNTED},
        "windows": _windows(db, model, start, end),
    }


def _batches(model: str, start: int, end: int, clock: ClockChoice) -> list[ColumnElement[bool]]:
    """The batches of a period, by their arrival. A replay's rows come all at once: all of it is told in any period."""
    arrived = batches.c.received_at.between(start, end - 1)
    conditions: list[ColumnElement[bool]] = [batches.c.model == model, batches.c.kind != "reference"]
    if clock == "event":
        return [*conditions, batches.c.event_clock]
    return [*conditions, arrived, *([] if clock == "all" else [batches.c.event_clock.is_(False)])]


def _windows(db: Connection, model: int, start: int, end: int) -> list[dict[str, Any]]:
    """Verdicts on the windows that ended in the period, by family of metrics; the unknown ones by reason."""
    query = (
        select(points.c.family, verdicts.c.verdict, verdicts.c.reason, func.count().label("n"))
        .join(verdicts, verdicts.c.point == points.c.id)
        .where(points.c.model == model, points.c.latest, points.c.end > start, points.c.end <= end)
        .group_by(points.c.family, verdicts.c.verdict, verdicts.c.reason)
        .order_by(points.c.family, verdicts.c.verdict, verdicts.c.reason)
    )
    families: dict[str, dict[str, Any]] = {}
    for family, verdict, reason, n in db.execute(query):
        name = family.partition("/")[0]
        row = families.setdefault(name, {"family": name, **{v.value: 0 for v in VerdictKind}, "unknown_reasons": {}})
        row[verdict] += n
        if verdict == VerdictKind.UNKNOWN:
            row["unknown_reasons"][reason] = row["unknown_reasons"].get(reason, 0) + n
    return list(families.values())
