"""The step: values in, a new state and the signals out. One owner steps a stream, in the order of the log.

Before the detector stand two plain stages, both part of the state. *Blocks*: the mean of every ``block`` values is one
value to the detector; means of long blocks are nearly independent where single values are not, and a rhythm shorter
than a block cancels. *Units*: the first ``warm_up`` of these are gathered, and they and all later ones go to the
detector in units of their deviation around their mean, so that one setting fits any stream; learned anew after each
change.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.streams.river import make
from detectors.streams.settings import DOMAIN, Settings, check_settings
from detectors.streams.signal import Past, Signal
from detectors.streams.state import Stored, UnreadableState, pack, unpack
from detectors.summaries.summary import Floats

LARGEST = 1e100         # beyond it squares and their sums leave the range of a double
_CHUNK = 16_384         # values turned into Python's numbers at a time: they stay in cache
_SAME = 1e-9            # gathered values that differ by less than this part of their size differ by rounding alone
_NUMBERS = 6            # of a stored past before its arrays


def step(
    state: bytes | None, values: Floats, detector: str = "adwin", settings: Settings | None = None
) -> tuple[bytes, list[Signal]]:
    """Take in values, shape (n,), and give the new state and the changes found; ``None`` begins a stream.

    ``step(step(None, a), b)`` and ``step(None, a + b)`` give the same signals (``index`` counts within one call) and
    the same bytes. ``settings`` left out are the calibrated ones of ``check_settings``; ``river_settings`` gives
    River's. Values that are not finite, or beyond 1e100 in magnitude, are passed over. After a change the detector
    begins anew. ``ddm`` and ``eddm`` take 0 and 1, ``hddm_a`` and ``hddm_w`` numbers from 0 to 1, the others any.

    Raises ``UnreadableState`` for bytes that are not from ``step``, or from another detector, other settings or another
    minor version of River; ``ValueError`` for settings that are unknown and values that the detector does not take.

    >>> state, signals = step(None, np.repeat([0.25, 0.75], 10_000))
    >>> [(10_000 <= s.index < 11_100, s.direction) for s in signals], step(state, np.full(100, 0.75))[1]
    ([(True, 'up')], [])
    """
    stream = _Stream.read(state, detector, check_settings(detector, settings))
    numbers = np.asarray(values, np.float64)
    places = np.flatnonzero(np.abs(numbers) <= LARGEST)
    if places.size < numbers.size:
        numbers = numbers[places]
    _check_domain(detector, numbers)
    means, ends = stream.blocks(numbers)
    found = []
    for start in range(0, means.size, _CHUNK):
        for at, width, before, after in stream.run(means[start : start + _CHUNK]):
            found.append(Signal(int(places[ends[start + at]]), width, before, after))
    return stream.write(), found


def _check_domain(detector: str, values: Floats) -> None:
    domain = DOMAIN[detector]
    if domain == "bit" and not np.isin(values, (0.0, 1.0)).all():
        raise ValueError(f"{detector} takes 0 and 1 alone; for other values use adwin, page_hinkley or kswin")
    if domain == "unit" and values.size and not 0.0 <= values.min() <= values.max() <= 1.0:
        raise ValueError(f"{detector} takes numbers from 0 to 1; for other values use adwin, page_hinkley or kswin")


class _Stream:
    """A detector with its two stages. ``scale`` 0: the units are not learned yet."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name, self.settings = name, settings
        self.block, self.warm_up = int(settings.get("block", 1)), int(settings.get("warm_up", 0))
        self.partial = np.empty(0)
        self._begin()
        self.detector = make(name, settings)

    def _begin(self) -> None:
        self.gathered, self.centre, self.scale, self.past = np.empty(0), 0.0, 0.0, Past()

    def blocks(self, values: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The means of the blocks that are full now, and for each the place of its last value."""
        if self.block == 1:
            return values, np.arange(values.size)
        held = np.concatenate([self.partial, values])
        n = held.size // self.block
        ends = np.arange(1, n + 1) * self.block - 1 - self.partial.size
        self.partial = held[n * self.block :]
        return held[: n * self.block].reshape(n, self.block).mean(axis=1), ends

    def run(self, values: Floats) -> Iterator[tuple[int, int, float, float]]:
        """Each change: the place it was seen at, the values since, their mean after and the mean before."""
        at = 0
        while at < values.size:
            if self.warm_up and not self.scale:
                at += self._gather(values[at:])
                if not self.scale:
                    return
                fed, self.gathered = self.gathered, np.empty(0)
                hit = self._take(fed)
                if hit is not None:         # seen only now, when all of them are there
                    self.past = self.past.extend(fed[hit + 1 :])
            else:
                hit = self._take(values[at:])
                at = values.size if hit is None else at + hit + 1
            if hit is not None:
                width, before, after = self.past.part(self.detector.sign)
                yield at - 1, width * self.block, before, after
                self._begin()
                self.detector.begin()

    def _gather(self, values: Floats) -> int:
        """Gather values until there are enough that are not all the same; gives how many were taken."""
        held = np.concatenate([self.gathered, values])
        changes = np.flatnonzero(np.diff(held))
        if held.size < self.warm_up or not changes.size:
            self.gathered = held[max(held.size - self.warm_up, 0) :]
            return values.size
        end = max(self.warm_up, int(changes[0]) + 2)
        taken = end - self.gathered.size
        self.gathered = held[end - self.warm_up : end]
        largest = float(np.abs(self.gathered).max())
        self.centre = float(self.gathered.mean())
        self.scale = max(float(self.gathered.std()), _SAME * largest, 1 / LARGEST)
        return taken

    def _take(self, values: Floats) -> int | None:
        units = values
        if self.warm_up:
            units = np.clip((values - self.centre) / self.scale, -LARGEST, LARGEST)
        hit = self.detector.feed(units.tolist())
        self.past = self.past.extend(values if hit is None else values[: hit + 1])
        return hit

    def write(self) -> bytes:
        fields, rest = self.detector.fields()
        sizes = [self.partial.size, self.gathered.size]
        numbers = [*sizes, self.centre, self.scale, self.past.count, self.past.total]
        past = np.concatenate([numbers, self.partial, self.gathered, self.past.tail])
        return pack(Stored(self.name, self.settings, past, np.array(fields), rest))

    @classmethod
    def read(cls, state: bytes | None, name: str, settings: Settings) -> _Stream:
        stream = cls(name, settings)
        if state is None:
            return stream
        stored = unpack(state)
        if (stored.detector, stored.settings) != (name, settings):
            raise UnreadableState(f"the state is that of {stored.detector} with {dict(stored.settings)}")
        if stored.past.size < _NUMBERS or not np.isfinite(stored.past).all():
            raise UnreadableState("the state cannot be read: what lies before the detector is cut short")
        n_partial, n_gathered, stream.centre, stream.scale, count, total = stored.past[:_NUMBERS].tolist()
        parts = np.split(stored.past[_NUMBERS:], [int(n_partial), int(n_partial + n_gathered)])
        stream.partial, stream.gathered = parts[0], parts[1]
        stream.past = Past(count, total, parts[2])
        stream.detector = make(name, settings, stored.fields, stored.rest)
        return stream
