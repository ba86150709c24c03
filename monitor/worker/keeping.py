"""Who changes what is there already: seals before anything is cut, and steps that go on only under a valid seal.

Nothing is cut that is not sealed. A step that deletes rows of a model holds the state's write lock, and goes on only
while the seal is one of the reference in force: a refold onto a new reference must not find more rows, or fewer, than
it would find if the state were made again from that seal.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, update

from monitor.database import reading, writing
from monitor.log import claims, seals
from monitor.log.seals import Seal
from monitor.store import models
from monitor.store.keys.cache import Cache
from monitor.store.keys.runs import Runs
from monitor.store.models import ModelState
from monitor.store.tables import models as models_table
from monitor.times import to_micros
from monitor.worker.loop import Worker
from monitor.worker.sealing import Stopped, seal

BETWEEN = 0.005         # seconds between two steps, for who else writes
CACHED = 16 * 2**20     # bytes of pages and pieces, for one step

logger = structlog.get_logger("vigil.retention")


class Keeper:
    """What retention and erasures share, one model at a time. ``stop`` ends it between two steps."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.log = worker.log.engine
        self.state = worker.state
        self._ending = threading.Event()
        self._holder = secrets.token_hex(8)
        self._held: dict[str, int] = {}                 # the models claimed, and since when

    def stop(self) -> None:
        self._ending.set()

    def pause(self) -> None:
        """Between two steps: let others write, and see that what is kept is still this one's to keep."""
        self._ending.wait(BETWEEN)
        self.check()
        for name, since in self._held.items():
            if self.now() > since + claims.LASTS // 3:
                self._claim(name)

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Keep a model's house alone; ``False`` where another process does."""
        if name in self._held:
            yield True
            return
        try:
            self._claim(name)
        except Stopped:
            yield False
            return
        try:
            yield True
        finally:
            self._held.pop(name, None)
            with writing(self.log) as db:
                claims.release(db, name, self._holder)

    def _claim(self, name: str) -> None:
        now = self.now()
        with writing(self.log) as db:
            if not claims.claim(db, name, self._holder, now):
                raise Stopped(f"another process keeps the house of '{name}'")
        self._held[name] = now

    def check(self) -> None:
        if self._ending.is_set():
            raise Stopped("the service is stopping")

    def now(self) -> int:
        return to_micros(self.worker.now())

    def sealed_upto(self, name: str, seq: int) -> Seal:
        """A seal of the reference in force that holds the segments up to ``seq``, made where there is none."""
        with reading(self.log) as db:
            found = seals.find(db, name)
        with reading(self.state) as db:
            model = models.load(db, name)
        assert model is not None, "only what is folded is sealed"
        if found is None or found.seq < seq or found.reference_seq != model.reference_seq:
            found = self.seal(name)
        return found

    def seal(self, name: str) -> Seal:
        found = seal(self.log, self.state, name, self.now(), self.pause)
        assert found is not None, "only what is folded is sealed"
        logger.info("sealed", model=name, seq=found.seq, number=found.number)
        return found

    def is_sealed(self, model: ModelState) -> bool:
        """Whether there is a seal of the reference in force that the state is not behind."""
        with reading(self.log) as db:
            found = seals.find(db, model.name)
        return found is not None and found.reference_seq == model.reference_seq and found.seq <= model.cursor

    def under_seal(self, name: str, upto: int, step: Callable[[Connection, ModelState], bool]) -> None:
        """Take steps on the log, each in a transaction of its own, while the model's seal is one of the reference in
        force; a new seal is made where it is not. ``step`` says whether there are more."""
        more = True
        while more:
            self.sealed_upto(name, upto)
            with writing(self.state) as state:
                model = models.load(state, name)
                assert model is not None, "only what is folded is cut"
                if self.is_sealed(model):
                    with writing(self.log) as db:
                        more = step(db, model)
            if more:
                self.pause()

    def change_joins(self, name: str, change: Callable[[Connection, ModelState, Callable[[str], Runs]], bool]) -> None:
        """Change what a model keeps under ids otherwise than by the fold, in steps; ``change`` gets what opens the runs
        of a kind, and says whether there are more."""
        more = True
        while more:
            with writing(self.state) as db:
                model = models.load(db, name)
                if model is None:
                    return
                number = model.id
                more = change(db, model, lambda kind: Runs.load(db, number, kind, Cache(CACHED)))  # noqa: B023
                at = max(self.now(), model.joins_at + 1)
                db.execute(update(models_table).where(models_table.c.id == number).values(joins_at=at))
            if more:
                self.pause()

    def every(self, step: Callable[[Connection], bool]) -> None:
        """Take steps on the log that need no seal, each in a transaction of its own, until one says that it was all."""
        more = True
        while more:
            with writing(self.log) as db:
                more = step(db)
            if more:
                self.pause()
