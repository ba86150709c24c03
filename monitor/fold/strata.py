"""Rows grouped by stratum (bucket of event time, model version, role), and each stratum's summary, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from detectors.summaries.counting import occurrences
from detectors.summaries.summary import Summary
from monitor.fold.rows import Floats, Ints


class Stratum(NamedTuple):
    """Where a summary belongs. ``bucket`` is the start of the bucket in microseconds since 1970."""

    bucket: int
    version: str
    role: str


def stratify(buckets: Ints, versions: Sequence[str], roles: Sequence[str]) -> tuple[list[Stratum], Ints]:
    """The distinct strata of some rows, and for each row the number of its own; shape (n,)."""
    pairs: dict[tuple[str, str], int] = {}
    kinds = np.fromiter((pairs.setdefault(p, len(pairs)) for p in zip(versions, roles, strict=True)), np.int64)
    names = list(pairs)
    distinct, bucket_codes = np.unique(buckets, return_inverse=True)
    keys, codes = np.unique(bucket_codes * max(len(names), 1) + kinds, return_inverse=True)
    strata = [Stratum(int(distinct[k // len(names)]), *names[int(k % len(names))]) for k in keys]
    return strata, codes.astype(np.int64)


def summarise(
    size: int, strata: Sequence[Stratum], codes: Ints, cells: Sequence[Ints], sums: Floats
) -> dict[Stratum, Summary]:
    """One summary for each stratum. ``cells``: for every column the cell of each row, shape (n,), in a space of
    ``size`` cells; ``sums``: what the rows of each stratum add to the sums, shape (strata, sums)."""
    few = len(cells) * len(codes) < _FEW * len(strata)
    counted = (_count_together if few else _count_each)(size, len(strata), codes, cells)
    return {s: Summary(*found, sums[i]) for i, (s, found) in enumerate(zip(strata, counted, strict=True))}


_FEW = 300      # counts a stratum below which one sort of all is faster than a step for each stratum


def _count_together(size: int, n: int, codes: Ints, cells: Sequence[Ints]) -> Iterator[tuple[Ints, Ints]]:
    """The cells and counts of each of ``n`` strata, from one numbering of (stratum, cell)."""
    keys, counts = occurrences(np.concatenate([c + codes * size for c in cells]), n * size)
    ends = np.searchsorted(keys, np.arange(n + 1) * size)
    for i in range(n):
        at = slice(ends[i], ends[i + 1])
        yield keys[at] - i * size, counts[at]


def _count_each(size: int, n: int, codes: Ints, cells: Sequence[Ints]) -> Iterator[tuple[Ints, Ints]]:
    """The same stratum by stratum: what one stratum needs stays in cache."""
    table = np.stack(cells)
    if n > 1:
        table = table[:, np.argsort(codes, kind="stable")]
    ends = np.cumsum(np.bincount(codes, minlength=n))
    for start, end in zip((0, *ends), ends, strict=False):
        yield occurrences(table[:, start:end].ravel(), size)


def merge_into(total: dict[Stratum, Summary], part: dict[Stratum, Summary]) -> None:
    """Add ``part`` to ``total``, stratum by stratum."""
    for stratum, summary in part.items():
        total[stratum] = total[stratum] + summary if stratum in total else summary
