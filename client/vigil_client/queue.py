"""The bounded queue between the caller's threads and the one that sends, and the accounts of every row.

A full queue drops the newest rows: what was taken in stays, and a caller pays no more for a full queue than a
comparison.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue

from vigil_client.batch import Batch, Block, Item
from vigil_client.stats import Reasons, Stats

Place = tuple[str, str]
"""A model, and ``predictions`` or ``outcomes``."""

MOST_PLACES = 512


@dataclass
class Lane:
    """What waits for one place, first in, first out. ``pending`` are batches that were taken and not yet settled."""

    place: Place
    items: deque[Item] = field(default_factory=deque)
    pending: deque[Batch] = field(default_factory=deque)
    rows: int = 0           # in ``items``
    size: int = 0
    since: float = 0.0      # monotonic time at which ``items`` ceased to be empty
    taken_in: int = 0       # rows, ever
    settled: int = 0


class _Lock:
    """A lock that its own thread may take again, as a signal handler or a finaliser that logs does; ``depth`` tells."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        self._lock.release()


class Queue:
    """Bounded by rows and by bytes, batches under way among them. All methods may be called from any thread.

    ``bell`` gets an item when a batch is full: it is a ``SimpleQueue``, which a signal handler may safely put into.
    """

    def __init__(self, max_rows: int, max_bytes: int, batch_rows: int, batch_bytes: int) -> None:
        self.max_rows, self.max_bytes = max_rows, max_bytes
        self.batch_rows, self.batch_bytes = batch_rows, batch_bytes
        self.bell: SimpleQueue[None] = SimpleQueue()
        self.lanes: dict[Place, Lane] = {}
        self._lock = _Lock()
        self._late: deque[tuple[Place, Item]] = deque()      # put by a thread that was at work in here
        self._closed = False
        self._rows = self._size = 0
        self._logged = self._sent = self._rejected = 0
        self._sampled_out = self._failed_calls = self._batches = self._retries = 0
        self._dropped: dict[str, int] = {}
        self._reasons = Reasons()

    def put(self, place: Place, item: Item) -> None:
        """Take rows in, or drop and count them."""
        with self._lock:
            if self._lock.depth > 1:
                self._late.append((place, item))
                return
            self._put(place, item)
            self._put_late()

    def _put_late(self) -> None:
        while self._late:
            self._put(*self._late.popleft())

    def _put(self, place: Place, item: Item) -> None:
        rows, size, _ = item
        self._logged += rows
        if self._closed:
            self._drop(rows, "closed")
            return
        if self._rows + rows > self.max_rows or self._size + size > self.max_bytes:
            self._drop(rows, "queue_full")
            return
        lane = self.lanes.get(place)
        if lane is None:
            if len(self.lanes) >= MOST_PLACES:
                self._drop(rows, "too_many_models")
                return
            lane = self.lanes[place] = Lane(place)
        if not lane.items:
            lane.since = time.monotonic()
        lane.items.append(item)
        lane.rows += rows
        lane.size += size
        lane.taken_in += rows
        self._rows += rows
        self._size += size
        if lane.rows - rows < self.batch_rows <= lane.rows:
            self.bell.put(None)

    def take(self, lane: Lane) -> Batch | None:
        """The lane's next batch, which is pending from now on; ``None`` where the lane is empty."""
        with self._lock:
            items: list[Item] = []
            rows = size = 0
            while lane.items:
                more_rows, more_size, _ = lane.items[0]
                if items and (rows + more_rows > self.batch_rows or size + more_size > self.batch_bytes):
                    break
                items.append(lane.items.popleft())
                rows, size = rows + more_rows, size + more_size
            if not items:
                return None
            lane.rows -= rows
            lane.size -= size
            lane.since = time.monotonic()
            batch = Batch(items, rows, size)
            lane.pending.append(batch)
            return batch

    def first_pending(self, lane: Lane) -> Batch | None:
        with self._lock:
            return lane.pending[0] if lane.pending else None

    def split(self, lane: Lane, batch: Batch) -> None:
        """Two halves in the place of a batch that is too large for the service."""
        with self._lock:
            if not batch.abandoned:
                lane.pending.remove(batch)
                lane.pending.extendleft(reversed(batch.halves()))

    def settle(self, lane: Lane, batch: Batch, rejected: int = 0, dropped: str | None = None) -> None:
        """A batch's end: ``rejected`` of its rows were refused, or all were dropped for a reason; others were taken."""
        with self._lock:
            if batch.abandoned:     # too late: its rows are in the accounts as dropped
                return
            lane.pending.remove(batch)
            lane.settled += batch.rows
            self._rows -= batch.rows
            self._size -= batch.size
            self._batches += 1
            if dropped is not None:
                self._drop(batch.rows, dropped)
            else:
                self._rejected += rejected
                self._sent += batch.rows - rejected

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Take nothing in any more."""
        with self._lock:
            self._closed = True

    def abandon(self) -> None:
        """Drop all that waits. The answers to batches that are under way come too late."""
        with self._lock:
            self._closed = True
            self._put_late()
            for lane in self.lanes.values():
                for batch in lane.pending:
                    batch.abandoned = True
                left = lane.taken_in - lane.settled
                if left:
                    self._drop(left, "closed")
                lane.settled = lane.taken_in
                lane.items.clear()
                lane.pending.clear()
                lane.rows = lane.size = 0
            self._rows = self._size = 0

    def note(self, reason: str, times: int = 1) -> None:
        """Keep the reason for something that went wrong."""
        with self._lock:
            self._reasons.add(reason, times)

    def sampled_out(self, rows: int) -> None:
        with self._lock:
            self._sampled_out += rows

    def failed_call(self, reason: str) -> None:
        with self._lock:
            self._failed_calls += 1
            self._reasons.add(reason)

    def lost(self, rows: int, why: str, reason: str) -> None:
        """Rows that were meant to be logged and cannot be taken in at all."""
        with self._lock:
            self._logged += rows
            self._drop(rows, why)
            self._reasons.add(reason)

    def retried(self, reason: str) -> None:
        with self._lock:
            self._retries += 1
            self._reasons.add(reason)

    def places(self) -> list[Lane]:
        with self._lock:
            self._put_late()
            return list(self.lanes.values())

    def targets(self) -> dict[Place, int]:
        """How many rows each place has taken in: once as many are settled, all that is waiting now is gone."""
        with self._lock:
            self._put_late()
            return {place: lane.taken_in for place, lane in self.lanes.items()}

    def reached(self, targets: dict[Place, int]) -> bool:
        with self._lock:
            return all(self.lanes[place].settled >= rows for place, rows in targets.items())

    def stats(self) -> Stats:
        """A moment's counts; ``waiting`` is counted anew from what is there."""
        with self._lock:
            self._put_late()
            waiting = sum(lane.rows + sum(batch.rows for batch in lane.pending) for lane in self.lanes.values())
            return Stats(
                self._logged, self._sent, self._rejected, dict(self._dropped), waiting, self._sampled_out,
                self._failed_calls, self._batches, self._retries, dict(self._reasons.found),
            )  # fmt: skip

    def _drop(self, rows: int, why: str) -> None:
        self._dropped[why] = self._dropped.get(why, 0) + rows


def pieces(block: Block, size: int, most_rows: int) -> list[Item]:
    """A block as items of at most ``most_rows`` rows; ``size`` bytes are spread over them.

    >>> [(rows, size) for rows, size, _ in pieces(Block({"prediction_id": ["a", "b", "c"]}, 3), 30, 2)]
    [(2, 20), (1, 10)]
    """
    if block.rows <= most_rows:
        return [(block.rows, size, block)] if block.rows else []
    parts = [block.cut(start, start + most_rows) for start in range(0, block.rows, most_rows)]
    return [(part.rows, size * part.rows // block.rows, part) for part in parts]
