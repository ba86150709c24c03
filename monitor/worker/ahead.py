"""The next segments of a model, read while those before are joined and written: half of the fold needs no state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from monitor.judge.watch import Watch
from monitor.log.port import Segment
from monitor.worker.folding import Piece, prepare


@dataclass(frozen=True, slots=True)
class Group:
    """Segments that are taken together, and what they come to under a watch; without it they are read when taken."""

    segments: Sequence[Segment]
    watch: Watch | None = None
    pieces: list[Piece] = field(default_factory=list)

    def under(self, watch: Watch) -> list[Piece]:
        """What the segments come to under the watch that holds now."""
        return self.pieces if watch is self.watch else prepare(watch, self.segments)


def read_group(segments: Sequence[Segment], watch: Watch | None) -> Group:
    """Read a group ahead, where it is one of rows and the model is watched."""
    if watch is None or segments[0].kind not in ("predictions", "outcomes"):
        return Group(segments)
    return Group(segments, watch, prepare(watch, segments))


class Ahead:
    """Reads one stretch ahead for each model, in a thread of its own."""

    def __init__(self, read: Callable[[str, int, Watch | None], list[Group]]) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="vigil-ahead")
        self._held: dict[str, tuple[int, Future[list[Group]]]] = {}

    def begin(self, model: str, after: int, watch: Watch) -> None:
        """Read what follows a segment."""
        self._held[model] = after, self._pool.submit(self._read, model, after, watch)

    def stop(self) -> None:
        """End in order: what is being read is read to its end."""
        self._pool.shutdown(cancel_futures=True)

    def take(self, model: str, after: int) -> list[Group] | None:
        """What was read behind a segment; ``None`` where it was not. A fault of the reading is raised here, and what
        was read is read again."""
        held = self._held.pop(model, None)
        return held[1].result() if held is not None and held[0] == after else None
