"""All disparities of one attribute at once: which groups each may compare, and what it says where it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from detectors.disparities import Against, Bools, Estimates, Kind, between, critical, from_overall, region, worst
from detectors.fairness.comparisons import resolve
from detectors.intervals import Limits, normal_quantile
from detectors.point import Measurement, Reason
from detectors.simultaneous import many_to_one
from detectors.summaries.summary import Floats, Ints

_EDGES = 2           # a group's bounds where outcomes are selective are two limits, each from its own extreme
_MANY = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rates or means by group, with what may be compared; arrays have shape (rates, groups).

    ``near`` are the limits of the ``estimates``, each by itself at the ``confidence``. ``known`` rates may be told; of
    the ``unseen`` only ``bounds``, which are given for any number of standard errors. ``reason`` says why any other one
    is not known. ``rest`` gives what ``from_overall`` needs besides: the estimates of all but the group, and the
    group's share. ``shown``, shape (groups,), are the groups that are large enough; ``most`` is the largest value that
    a difference can have.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    estimates: Estimates
    near: Limits
    n: Ints
    known: Bools
    shown: Bools
    reason: Callable[[int, int], Reason]
    confidence: float
    rest: Callable[[], tuple[Estimates, Floats]]
    most: float = 1.0
    unseen: Bools | None = None
    bounds: Callable[[float], Limits] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The comparisons with one counterpart: each one's rate by its row, whether it is a ratio, and how many are judged
    together with it; arrays of shape (comparisons,)."""

    against: Against
    rows: Ints
    ratio: Bools
    families: Ints

    def take(self, kept: Ints) -> _Part:
        return _Part(self.against, self.rows[kept], self.ratio[kept], self.families[kept])


def compare_all(
    sample: Sample, metrics: tuple[str, ...], reference: str | None = None
) -> Iterator[tuple[str, Measurement]]:
    """Each of the ``metrics`` over the groups whose rate is known: between all of them, or from the ``reference``.

    Intervals hold over all groups at once; ``n`` is the denominator of the smallest group compared. A disparity is
    unknown with fewer than two groups, and where fewer than two have the rate, for the reason that the others have
    none; likewise where the reference group has none, or where there is none and the metric asks for it.
    """
    parts, places = _plan(metrics, sample.names, reference is not None)
    found = [_measure(sample, part, reference) for part in parts]
    for metric, kind, part, where in places:
        yield metric, worst(kind, found[part][where])


@lru_cache(maxsize=64)
def _plan(
    metrics: tuple[str, ...], names: tuple[str, ...], has_reference: bool
) -> tuple[list[_Part], list[tuple[str, Kind, int, slice]]]:
    """Which comparisons there are, and where each metric finds its own: the part, and where in the part."""
    parts: dict[Against, list[tuple[int, bool, int]]] = {}
    places: list[tuple[str, Kind, int, slice]] = []
    for metric in metrics:
        c = resolve(metric)
        against = c.against or ("reference" if has_reference else "groups")
        part = parts.setdefault(against, [])
        places.append((metric, c.kind, list(parts).index(against), slice(len(part), len(part) + len(c.rates))))
        part += [(names.index(rate), c.kind == "ratio", len(c.rates)) for rate in c.rates]
    out = []
    for against, found in parts.items():
        rows, ratio, families = np.array(found, np.int64).T
        out.append(_Part(against, rows, ratio == 1, families))
    return out, places


def _measure(sample: Sample, part: _Part, reference: str | None) -> list[Measurement]:
    """One measurement for each comparison of the part."""
    if np.count_nonzero(sample.shown) < 2:
        return [Measurement.unknown(Reason.FEWER_THAN_TWO_GROUPS)] * part.rows.size
    usable = sample.known[part.rows]
    if sample.unseen is not None:
        usable = usable | sample.unseen[part.rows]
    at = sample.groups.index(reference) if reference in sample.groups else None
    enough = usable.sum(axis=1) >= 2
    if part.against == "reference":
        enough &= usable[:, at] if at is not None else False
    if enough.all():
        return list(_told(sample, part, usable, at))
    kept = np.flatnonzero(enough)
    told = _told(sample, part.take(kept), usable[kept], at) if kept.size else iter(())
    return [
        next(told) if good else Measurement.unknown(_lacking(sample, row, mine, part.against, reference, at))
        for row, mine, good in zip(part.rows.tolist(), usable, enough.tolist(), strict=True)
    ]


def _lacking(
    sample: Sample, row: int, usable: Bools, against: Against, reference: str | None, at: int | None
) -> Reason:
    """Why a rate cannot be compared: what the reference group lacks, or else the first of the shown groups."""
    if against == "reference":
        if at is None:
            return Reason.NO_REFERENCE if reference is None else Reason.TOO_FEW_SAMPLES
        if not usable[at]:
            return sample.reason(row, at)
    return sample.reason(row, int(np.flatnonzero(sample.shown & ~usable)[0]))


def _told(sample: Sample, part: _Part, usable: Bools, at: int | None) -> Iterator[Measurement]:
    """The comparisons over the ``usable`` groups, two or more in each: shape (comparisons, groups)."""
    smallest = np.where(usable, sample.n[part.rows], _MANY).min(axis=1).tolist()
    at = at if part.against == "reference" else None
    unseen = _unseen(sample, part, usable, at)
    values, lower, upper, nought = _spans(sample, part, usable, at)
    rows = zip(values.tolist(), lower.tolist(), np.minimum(upper, sample.most).tolist(), nought.tolist(), strict=True)
    for i, (value, low, high, nothing) in enumerate(rows):
        if i in unseen:
            yield Measurement(None, smallest[i], unseen[i], reason=Reason.SELECTIVE_OUTCOMES)
        elif nothing:
            yield Measurement.unknown(Reason.ZERO_DENOMINATOR, smallest[i])
        else:
            yield Measurement(value, smallest[i], (low, high))


def _spans(sample: Sample, part: _Part, usable: Bools, at: int | None) -> tuple[Floats, Floats, Floats, Bools]:
    """Value and limits of each comparison, and whether it is a ratio of rates that are all 0."""
    near = _take(sample.near, part.rows)
    z = critical(part.against, usable, part.families, sample.confidence)
    far = sample.estimates.take(part.rows).far(z)
    nought = part.ratio & ((near.value == 0) | ~usable).all(axis=1)
    overall = part.against == "overall"
    if overall:
        rest, share = sample.rest()
        others, share = rest.take(part.rows), share[part.rows]
        near_rest, far_rest = others.at(normal_quantile(sample.confidence)), others.far(z)
        nought &= (others.value == 0).all(axis=1)
    out = np.empty((3, part.rows.size))
    kinds: tuple[tuple[Kind, Bools], ...] = (("difference", ~part.ratio), ("ratio", part.ratio))
    for kind, mine in kinds:
        if not mine.any():
            continue
        a, b = _take(near, mine), _take(far, mine)
        if overall:
            pairs = (a, _take(near_rest, mine)), (b, _take(far_rest, mine))
            out[:, mine] = from_overall(kind, *pairs, share[mine], usable[mine])
        else:
            out[:, mine] = between(kind, a, b, usable[mine], at)
    return out[0], out[1], out[2], nought


def _unseen(
    sample: Sample, part: _Part, usable: Bools, at: int | None
) -> dict[int, tuple[float, float] | None]:
    """The bounds of the comparisons in which a group's rate rests on outcomes that nobody saw, by their place.

    There are none of a comparison with the whole, whose own rate rests on them as well.
    """
    if sample.unseen is None or sample.bounds is None:
        return {}
    concerned = (sample.unseen[part.rows] & usable).any(axis=1)
    if part.against == "overall":
        return dict.fromkeys(np.flatnonzero(concerned).tolist())
    edges = many_to_one(_EDGES * usable.shape[1], int(part.families.max()), sample.confidence)
    near, far = (_take(sample.bounds(z), part.rows) for z in (normal_quantile(sample.confidence), edges))
    out: dict[int, tuple[float, float] | None] = {}
    for i in np.flatnonzero(concerned).tolist():
        one = slice(i, i + 1)
        kind: Kind = "ratio" if part.ratio[i] else "difference"
        low, high = region(kind, _take(near, one), _take(far, one), usable[one], at)
        out[i] = float(low[0]), min(float(high[0]), sample.most)
    return out


def _take(limits: Limits, rows: Ints | Bools | slice) -> Limits:
    return Limits(limits.value[rows], limits.lower[rows], limits.upper[rows])
