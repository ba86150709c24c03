"""A seal: what a model's state is at one instant, copied into the log in small steps while the fold goes on.

It is read in one transaction, so that all of it is of one cursor, and written in many, so that no append waits long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from sqlalchemy import Connection, Engine

from monitor.database import reading, writing
from monitor.log import seals
from monitor.log.seals import Piece, Seal
from monitor.store import models, sealed
from monitor.store.models import ModelState

BYTES = 2**20       # of a step, and
PIECES = 500

Pause = Callable[[], None]


class Stopped(Exception):
    """The service is stopping: what was begun is taken up again at the next start."""


def seal(log: Engine, state: Engine, name: str, at: int, pause: Pause) -> Seal | None:
    """Seal a model as it stands; ``None`` where nothing of it is folded. ``pause`` is called between two steps, so that
    others come to write; it may raise, and then what was begun is of no effect."""
    with reading(log) as db:
        before = seals.find(db, name)
    number = 0 if before is None else before.number
    _all(log, pause, lambda db: seals.clear_broken(db, name, number))
    with reading(state) as db:
        model = models.load(db, name)
        if model is None:
            return None
        new = _next(db, model, before, at)
        for table in sealed.NAMES:
            mark = 0 if new.bases.get(table, 0) == new.number or before is None else before.marks.get(table, 0)
            for step in _steps(sealed.pieces(db, model.id, table, mark)):
                with writing(log) as to:
                    seals.put(to, name, new.number, table, step)
                pause()
    with writing(log) as to:
        seals.hold(to, new)
    place: tuple[str, str] | None = ("", "")
    while place is not None:
        with writing(log) as to:
            place = seals.clear_replaced(to, new, place)
        pause()
    return new


def _next(db: Connection, model: ModelState, before: Seal | None, at: int) -> Seal:
    """The seal to be made: nothing of a table that is written whole, or that a new reference has made anew, counts but
    what this one has."""
    number = 1 if before is None else before.number + 1
    anew = before is None or before.reference_seq != model.reference_seq or before.seq > model.cursor
    fresh = (*sealed.WHOLE, *(sealed.NAMES if before is None else sealed.OF_REFERENCE if anew else ()))
    bases = {} if before is None else dict(before.bases)
    bases |= dict.fromkeys(fresh, number)
    marks = sealed.marks(db, model.id, model.cursor)
    return Seal(model.name, number, model.cursor, model.reference_seq, at, bases, marks)


def _steps(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    """Pieces by the step: few and small enough for one transaction."""
    seen = size = 0

    def step_of(piece: Piece) -> int:
        nonlocal seen, size
        seen, size = seen + 1, size + len(piece.data)
        return max(seen // PIECES, size // BYTES)

    for _, group in groupby(pieces, step_of):
        yield list(group)


def _all(log: Engine, pause: Pause, step: Callable[[Connection], bool]) -> None:
    more = True
    while more:
        with writing(log) as db:
            more = step(db)
        if more:
            pause()
