"""Rows grouped by stratum (bucket of event time, model version, role, sampling rate), each summarised in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from detectors.summaries.counting import occurrences
from detectors.summaries.summary import Summary
from monitor.fold.coded import Coded
from monitor.fold.rows import Floats, Ints


class Stratum(NamedTuple):
    """Where a summary belongs. ``bucket`` is the start of the bucket in microseconds since 1970; ``rate`` the share of
    all rows that was sent."""

    bucket: int
    version: str
    role: str
    rate: float = 1.0


def stratify(buckets: Ints, versions: Coded, roles: Coded, rates: Floats) -> tuple[list[Stratum], Ints]:
    """The distinct strata of some rows, and for each row the number of its own; shape (n,)."""
    named = versions.codes * max(len(roles.words), 1) + roles.codes
    keys, out = [], np.zeros(len(named), np.int64)
    for part in (rates, named, buckets):
        distinct, codes = np.unique(part, return_inverse=True) if _vary(part) else (part[:1], np.int64(0))
        keys.append(distinct)
        out = out * max(distinct.size, 1) + codes
    used, out = np.unique(out, return_inverse=True) if _vary(out) else (out[:1], np.zeros(out.size, np.int64))
    strata = []
    for number in used.tolist():
        rest, bucket = divmod(number, keys[2].size)
        rate, name = divmod(rest, keys[1].size)
        version, role = divmod(int(keys[1][name]), len(roles.words))
        strata.append(Stratum(int(keys[2][bucket]), versions.words[version], roles.words[role], float(keys[0][rate])))
    return strata, out.astype(np.int64)


def _vary(values: Ints | Floats) -> bool:
    """Whether there is more than one value: a look that spares most batches a sort."""
    return bool(values.size) and bool((values != values[0]).any())


def summarise(
    size: int, strata: Sequence[Stratum], codes: Ints, cells: Ints, sums: Floats
) -> dict[Stratum, Summary]:
    """One summary for each stratum. ``cells``: those that each row counts in, shape (cells a row, n), in a space of
    ``size`` cells; ``sums``: what the rows of each stratum add to the sums, shape (strata, sums)."""
    few = cells.size < _FEW * len(strata)
    counted = (_count_together if few else _count_each)(size, len(strata), codes, cells)
    return {s: Summary(*found, sums[i]) for i, (s, found) in enumerate(zip(strata, counted, strict=True))}


_FEW = 300      # counts a stratum below which one sort of all is faster than a step for each stratum


def _count_together(size: int, n: int, codes: Ints, cells: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The cells and counts of each of ``n`` strata, from one numbering of (stratum, cell)."""
    keys, counts = occurrences((cells + codes * size).ravel(), n * size)
    ends = np.searchsorted(keys, np.arange(n + 1) * size)
    for i in range(n):
        at = slice(ends[i], ends[i + 1])
        yield keys[at] - i * size, counts[at]


def _count_each(size: int, n: int, codes: Ints, cells: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The same stratum by stratum: what one stratum needs stays in cache."""
    if (codes[1:] < codes[:-1]).any():
        cells = cells[:, np.argsort(codes, kind="stable")]
    ends = np.cumsum(np.bincount(codes, minlength=n))
    for start, end in zip((0, *ends), ends, strict=False):
        yield occurrences(cells[:, start:end].ravel(), size)


def merge_into(total: dict[Stratum, Summary], part: dict[Stratum, Summary]) -> None:
    """Add ``part`` to ``total``, stratum by stratum."""
    for stratum, summary in part.items():
        total[stratum] = total[stratum] + summary if stratum in total else summary
