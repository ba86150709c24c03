"""The pack of a period: computed, stored with its hash, and served again as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select

from incidents.wire import rfc3339
from monitor.database import reading, writing
from monitor.errors import NotFound
from monitor.export.pack import as_json, build, figures_hash, in_period
from monitor.export.page import as_page
from monitor.kpis.catalogue import compute
from monitor.kpis.periods import Period, quarters_to
from monitor.log.tables import exports
from monitor.review import evidence
from monitor.review.gather import ClockChoice, clock_now, gather, subjects
from monitor.times import to_micros

Format = Literal["json", "html"]


@dataclass(frozen=True, slots=True)
class Export:
    """A stored pack in one format. ``revision`` counts from 1; ``figures_hash`` is the SHA-256 of its figures."""

    revision: int
    figures_hash: str
    body: bytes


def management_review(
    log: Engine, state: Engine, now: datetime, by: str, period: Period, form: Format, clock: ClockChoice = "wall"
) -> Export:
    """The pack of a period. Where its figures are those of the latest revision, that one, byte for byte; else a new
    revision, and the old ones are kept. ``by`` is who asked for it first."""
    figures = pack_figures(log, state, now, period, clock)
    digest, key = figures_hash(figures), period_key(period, clock)
    latest = _find(log, key, form, None)
    if latest is not None and latest.figures_hash == digest:
        return latest
    with writing(log) as db:        # someone else may have stored it in between, and then theirs is the one
        latest = _read(db, key, form, None)
        if latest is not None and latest.figures_hash == digest:
            return latest
        revision = 1 if latest is None else latest.revision + 1
        pack = {
            "figures": figures,
            "to_fill": {"decisions": [], "attendees": [], "sign_off": []},
            "generated": {
                "by": by,
                "at": rfc3339(now),
                "software": f"vigil-ml {version('vigil-ml')}",
                "revision": revision,
                "figures_hash": digest,
            },
        }
        bodies: dict[Format, bytes] = {"json": as_json(pack), "html": as_page(pack)}
        row = {"period": key, "revision": revision, "at": to_micros(now), "figures_hash": digest}
        db.execute(insert(exports), [{**row, "format": name, "body": body} for name, body in bodies.items()])
    return Export(revision, digest, bodies[form])


def stored(log: Engine, period: Period, form: Format, clock: ClockChoice, revision: int) -> Export:
    """A revision as it was stored; ``NotFound`` where there is none."""
    found = _find(log, period_key(period, clock), form, revision)
    if found is None:
        raise NotFound(f"there is no revision {revision} of {period.name}", "Leave 'revision' out for the latest")
    return found


def period_key(period: Period, clock: ClockChoice) -> str:
    """The key of a period's exports; figures of another clock are another pack."""
    return period.name if clock == "wall" else f"{period.name} {clock}"


def pack_figures(log: Engine, state: Engine, now: datetime, period: Period, clock: ClockChoice) -> dict[str, Any]:
    """The figures of a pack: plain values, the same whenever they are computed from the same records."""
    with reading(log) as declared, reading(state) as db:
        found = subjects(declared, db, period.end, None)
        at = clock_now(found, clock, now)
        part = period.until(at)
        quarters = quarters_to(period.end if part is None else part.end)
        span = Period(min(period.start, quarters[0].start), max(period.end, quarters[-1].end))
        records = gather(db, found, span, clock, now, named=False)
        seen = part or Period(period.start, period.end)
        beside = {
            "scope": evidence.scope(found, records, seen),
            "changes": evidence.changes(declared, found, seen),
            "data_gaps": evidence.gaps(declared, db, found, seen, clock),
        }
    trend = [(quarter, compute(records, quarter)) for quarter in quarters]
    incidents = [i for i in records.kept() if in_period(i, seen)]
    return build(period, part, clock, compute(records, period), trend, incidents, beside)


def _find(log: Engine, key: str, form: Format, revision: int | None) -> Export | None:
    with reading(log) as db:
        return _read(db, key, form, revision)


def _read(db: Connection, key: str, form: Format, revision: int | None) -> Export | None:
    query = select(exports.c.revision, exports.c.figures_hash, exports.c.body).where(
        exports.c.period == key, exports.c.format == form
    )
    if revision is not None:
        query = query.where(exports.c.revision == revision)
    row = db.execute(query.order_by(exports.c.revision.desc()).limit(1)).first()
    return None if row is None else Export(row.revision, row.figures_hash, row.body)
