"""How a model stands at a glance, in each kind of monitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select

from detectors.catalogue import CATALOGUE
from incidents.verdict import VerdictKind
from monitor.store.tables import points, verdicts, windows
from monitor.times import from_micros
from monitor.views.windows import in_track, track_names

Kind = Literal["drift", "quality", "performance", "fairness"]
KINDS: tuple[Kind, ...] = ("drift", "quality", "performance", "fairness")
LOOK_BACK = 100             # windows: outcomes may come later than this many, and then nothing is known

_FAMILY: dict[Kind, str] = {k: "drift" if k == "quality" else k for k in KINDS}
_WORST_FIRST = (VerdictKind.BREACH, VerdictKind.INCONCLUSIVE, VerdictKind.OK, VerdictKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Health:
    """How a model stands in one kind of monitor: the worst verdict of the latest window that could be judged.

    ``counts`` has the window's verdicts by word; ``start`` and ``end`` bound it, in microseconds; ``None`` before any.
    ``reason`` says why it is unknown.
    """

    kind: Kind
    verdict: VerdictKind
    counts: dict[str, int]
    start: int | None = None
    end: int | None = None
    reason: str | None = None

    @property
    def until(self) -> datetime | None:
        return None if self.end is None else from_micros(self.end)


def health(db: Connection, model: int) -> list[Health]:
    """Each kind that is monitored, in the order of ``KINDS``; of several tracks of a kind, the worst."""
    found: dict[Kind, Health] = {}
    for track in track_names(db, model):
        for kind in KINDS:
            if track.partition("/")[0] == _FAMILY[kind]:
                one = _health(db, model, track, kind)
                if one is not None and (kind not in found or _rank(one) < _rank(found[kind])):
                    found[kind] = one
    return [found[kind] for kind in KINDS if kind in found]


def _health(db: Connection, model: int, track: str, kind: Kind) -> Health | None:
    recent = select(windows.c.start).where(windows.c.model == model, windows.c.family == track)
    since = list(db.execute(recent.order_by(windows.c.start.desc()).limit(LOOK_BACK)).scalars())
    judged = select(points.c.start, points.c.end).join(verdicts, verdicts.c.point == points.c.id)
    judged = judged.where(in_track(model, track), points.c.latest, points.c.start >= since[-1])
    if kind in ("drift", "quality"):
        quality = points.c.metric.in_([m.name for m in CATALOGUE.values() if m.family == "quality"])
        judged = judged.where(quality if kind == "quality" else ~quality)
    newest = judged.order_by(points.c.start.desc()).limit(1)
    window = db.execute(newest.where(verdicts.c.verdict != VerdictKind.UNKNOWN.value)).first()
    window = window or db.execute(newest).first()
    if window is None:
        return None
    start, end = window
    said = judged.with_only_columns(verdicts.c.verdict, verdicts.c.reason).where(points.c.start == start)
    counts: dict[str, int] = {}
    reason = None
    for word, why in db.execute(said):
        counts[word] = counts.get(word, 0) + 1
        reason = why if word == VerdictKind.UNKNOWN.value else reason
    worst = next(v for v in _WORST_FIRST if v.value in counts)
    return Health(kind, worst, counts, start, end, reason if worst is VerdictKind.UNKNOWN else None)


def _rank(one: Health) -> int:
    return _WORST_FIRST.index(one.verdict)
