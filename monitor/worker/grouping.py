"""Which segments are folded together: what single rows from many connections make is folded at the price of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from monitor.log.port import Segment

EVENT_BYTES_AT_ONCE = 8 * 2**20     # bodies of events that are read together: JSON takes several times its text


def alike(segments: Sequence[Segment], stops: Set[int], rows: int) -> Iterator[list[Segment]]:
    """Segments in groups that may be folded together: live ones of one kind, typed and sampled alike, up to so many
    ``rows``, and none behind a number at which something else takes effect (``stops``)."""
    group: list[Segment] = []
    for segment in segments:
        if group and not (_alike(group[0], segment) and not any(group[-1].seq <= stop < segment.seq for stop in stops)
                          and sum(s.rows for s in group) < rows
                          and sum(map(_body_bytes, group)) < EVENT_BYTES_AT_ONCE):  # fmt: skip
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _alike(a: Segment, b: Segment) -> bool:
    same = (a.kind, a.declaration, a.sampling_rate, a.protected is None)
    return (
        a.kind in ("predictions", "outcomes", "events")
        and not a.event_clock
        and not b.event_clock
        and same == (b.kind, b.declaration, b.sampling_rate, b.protected is None)
    )


def _body_bytes(segment: Segment) -> int:
    """How much the bodies of its events come to; 0 where it has none."""
    return sum(part.envelope.get("bytes", 0) for part in segment.parts) if segment.kind == "events" else 0
