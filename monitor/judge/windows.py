"""Which windows there are: tumbling, aligned to UTC, closed once no more rows are expected. Times in microseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from monitor.model import ModelSpec, MonitorSpec
from monitor.model.monitors import family
from monitor.times import span_micros, to_micros

Family = Literal["drift", "performance", "fairness"]
FAMILIES: tuple[Family, ...] = ("drift", "performance", "fairness")

ANCHOR = to_micros(datetime(1970, 1, 5, tzinfo=UTC))       # a Monday, so that windows of weeks are weeks
LATENESS = span_micros(timedelta(minutes=5))               # rows that come later than this amend a closed window
AMEND_EVERY = span_micros(timedelta(hours=1))              # how often late rows make a new revision of a window
SILENT = 8                                                 # windows without rows that are judged behind one with rows
STEPS = (0.5, 0.8, 0.95, 1.0)                              # shares of outcomes at which a window is measured anew


@dataclass(frozen=True, slots=True)
class Track:
    """A series of tumbling windows of one length, in which one family of metrics is measured."""

    family: Family
    length: int

    @property
    def name(self) -> str:
        """The key under which its windows are stored."""
        return f"{self.family}/{self.length // 1_000_000}s"

    def window_of(self, instant: int) -> tuple[int, int]:
        """The window that holds an instant.

        >>> day = 86_400_000_000
        >>> [t // day for t in Track("drift", 7 * day).window_of(20 * day)]
        [18, 25]
        """
        start = ANCHOR + (instant - ANCHOR) // self.length * self.length
        return start, start + self.length

    def closed(self, after: int, upto: int) -> Iterator[tuple[int, int]]:
        """The windows that start at or after ``after`` and were closed by ``upto``."""
        start, end = self.window_of(after)
        if start < after:
            start, end = end, end + self.length
        while end + LATENESS <= upto:
            yield start, end
            start, end = end, end + self.length

    def watched(self, after: int, upto: int, buckets: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Those of the closed windows that are worth a look: with rows, and the first ``SILENT`` behind one with rows.

        Silence is to be seen, but a single row of long ago must not bring all the windows since. ``buckets`` are those
        that hold rows, the last one before ``after`` among them.

        >>> day = 86_400_000_000
        >>> found = list(Track("drift", day).watched(10 * day, 40 * day, [10 * day, 30 * day]))
        >>> [start // day for start, _ in found]
        [10, 11, 12, 13, 14, 15, 16, 17, 18, 30, 31, 32, 33, 34, 35, 36, 37, 38]
        """
        filled = sorted({self.window_of(b)[0] for b in buckets})
        for i, first in enumerate(filled):
            following = filled[i + 1] if i + 1 < len(filled) else upto
            for k in range(SILENT + 1):
                start = first + k * self.length
                if start >= following or start + self.length + LATENESS > upto:
                    break
                if start >= after:
                    yield start, start + self.length


def tracks(spec: ModelSpec, monitors: tuple[MonitorSpec, ...]) -> list[Track]:
    """Every track that the declared windows and the monitors ask for."""
    wanted: dict[Track, None] = {}
    for name in FAMILIES:
        if name != "fairness" or spec.protected_attributes:
            wanted[Track(name, span_micros(getattr(spec.windows, name)))] = None
    for monitor in monitors:
        wanted[track_of(monitor)] = None
    return list(wanted)


def track_of(monitor: MonitorSpec) -> Track:
    return Track(family(monitor.metric, monitor.scope), span_micros(monitor.window))


def step_of(coverage: float | None) -> int:
    """How many of ``STEPS`` a coverage has reached.

    >>> [step_of(c) for c in (None, 0.3, 0.8, 1.0)]
    [0, 0, 2, 4]
    """
    return 0 if coverage is None else sum(coverage >= step for step in STEPS)
