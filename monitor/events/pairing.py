"""Requests and responses into exchanges, in whatever order they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

from monitor.events.families import Side
from monitor.times import span_micros

WAIT = timedelta(minutes=10)
"""How long a request waits for its response, and a response for its request, by the log's own clock."""
_WAIT = span_micros(WAIT)

Key: TypeAlias = tuple[str, str]
"""The request's id, and the part of the service that logged it."""


@dataclass(frozen=True, slots=True)
class Half:
    """A request or a response that was logged. ``at`` is its arrival and ``time`` its own, in microseconds since 1970;
    ``attributes`` the event's, as JSON. ``source`` is the place of the source that takes it in the declaration.
    ``part`` and ``place`` say which batch it came in, of those that are folded together, and where in it.

    The side ``both`` stands for an exchange that is complete, so that a half that comes once more is told for a
    duplicate.
    """

    id: str
    node: str
    side: Side | Literal["both"]
    at: int
    time: int | None = None
    attributes: str = "{}"
    content_type: str = ""
    data: bytes = b""
    source: int = 0
    part: int = 0
    place: int = 0

    @property
    def key(self) -> Key:
        return self.id, self.node


@dataclass(frozen=True, slots=True)
class Pair:
    """An exchange. ``last`` is the half that completed it: what becomes of it is told with that one's batch."""

    request: Half
    response: Half
    last: Half


@dataclass(frozen=True, slots=True)
class Paired:
    """``known`` is what is to be remembered of each id that was touched. ``duplicates`` counts halves that came again,
    by part; ``orphans`` those that had waited too long when another of their id came, by side."""

    pairs: list[Pair] = field(default_factory=list)
    known: dict[Key, Half] = field(default_factory=dict)
    duplicates: Counter[int] = field(default_factory=Counter)
    orphans: Counter[str] = field(default_factory=Counter)


def pair(new: Iterable[Half], known: Mapping[Key, Half]) -> Paired:
    """Pair halves, in the order of their arrival, among themselves and with those ``known`` from before. What is older
    than ``WAIT`` is not known any more, whether it was forgotten already or not: so it does not matter when that is.

    >>> asked, told = Half("r", "", "request", 0), Half("r", "", "response", 1)
    >>> done = pair([told, asked, asked], {})
    >>> len(done.pairs), done.known["r", ""].side, done.duplicates
    (1, 'both', Counter({0: 1}))
    """
    out = Paired()
    for half in new:
        before = out.known.get(half.key) or known.get(half.key)
        if before is not None and half.at - before.at >= _WAIT:
            out.orphans[before.side] += before.side != "both"
            before = None
        if before is None:
            out.known[half.key] = half
        elif before.side in ("both", half.side):
            out.duplicates[half.part] += 1
        else:
            request, response = (half, before) if half.side == "request" else (before, half)
            out.pairs.append(Pair(request, response, half))
            out.known[half.key] = Half(half.id, half.node, "both", half.at)
    return out
