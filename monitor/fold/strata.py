"""Rows grouped by stratum (bucket of event time, model version, role), and each stratum's summary, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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
    size: int, strata: Sequence[Stratum], codes: Ints, cells: Sequence[Ints], losses: Floats | None = None
) -> dict[Stratum, Summary]:
    """One summary for each stratum. ``cells``: for every column the cell of each row, shape (n,), in a space of
    ``size`` cells; ``losses``: what each row adds to the sums, shape (n, sums)."""
    keys, counts = np.unique(np.concatenate([c + codes * size for c in cells]), return_counts=True)
    ends = np.searchsorted(keys, np.arange(1, len(strata) + 1) * size)
    sums = np.zeros((len(strata), 0 if losses is None else losses.shape[1]))
    if losses is not None:
        for i in range(losses.shape[1]):
            sums[:, i] = np.bincount(codes, weights=losses[:, i], minlength=len(strata))
    out, start = {}, 0
    for i, (stratum, end) in enumerate(zip(strata, ends, strict=True)):
        out[stratum] = Summary(keys[start:end] - i * size, counts[start:end].astype(np.int64), sums[i])
        start = end
    return out


def merge_into(total: dict[Stratum, Summary], part: dict[Stratum, Summary]) -> None:
    """Add ``part`` to ``total``, stratum by stratum."""
    for stratum, summary in part.items():
        total[stratum] = total[stratum] + summary if stratum in total else summary
