"""A signal: a streaming detector's word that the stream changed, with what came before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from detectors.summaries.summary import Floats

TAIL = 256


@dataclass(frozen=True, slots=True)
class Signal:
    """A change, seen at ``values[index]``. It most likely came ``width`` values ago: these have the mean ``after``, all
    before them, back to where the detector began, the mean ``before`` (``Past.part``)."""

    index: int
    width: int
    before: float
    after: float

    @property
    def direction(self) -> Literal["up", "down"]:
        return "up" if self.after > self.before else "down"


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What a detector took in since it began: its last ``TAIL`` values, the number and the sum of those before."""

    count: float = 0.0
    total: float = 0.0
    tail: Floats = field(default_factory=lambda: np.empty(0))

    def extend(self, values: Floats) -> Past:
        """With further values. Sums go value by value, so that any split of a stream gives the same bits."""
        held = np.concatenate([self.tail, values])
        left, tail = held[: max(held.size - TAIL, 0)], held[max(held.size - TAIL, 0) :]
        total = float(np.add.accumulate(np.concatenate([[self.total], left]))[-1])
        return Past(self.count + left.size, total, tail)

    def part(self, sign: int) -> tuple[int, float, float]:
        """Where the change most likely came: the number of values since, their mean after and the mean before.

        Of all splits within the tail it is the one of greatest likelihood for a single shift of the mean: the greatest
        ``(after - before)**2 n1 n2 / (n1 + n2)``. ``sign`` +1 or -1 looks at rises or falls alone, 0 at both.

        >>> Past().extend(np.repeat([0.0, 1.0], [300, 20])).part(0)
        (20, 0.0, 1.0)
        """
        size = self.tail.size
        first = 0 if self.count else 1
        if size <= first:
            return size, float(self.tail[0]), float(self.tail[0])
        early = np.arange(first, size)
        sums = np.concatenate([[0.0], np.cumsum(self.tail)])
        n1, n2 = self.count + early, size - early
        before, after = (self.total + sums[early]) / n1, (sums[size] - sums[early]) / n2
        change = after - before
        with np.errstate(over="ignore"):
            gain = np.where(change * sign < 0, -1.0, change**2 * (n1 * n2 / (n1 + n2)))
        at = int(np.argmax(gain))
        return int(n2[at]), float(before[at]), float(after[at])
