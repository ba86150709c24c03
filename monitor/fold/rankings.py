"""Ranked lists as bytes, and what each is worth once the relevant items are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from detectors.performance.ranking import ranking_losses
from detectors.summaries.summary import Floats

MAX_KEPT = 100      # items of a list that are kept for the join, the highest scores first
_MOST_GAIN = 1e300  # a relevance beyond this counts as this, so that a list's sum is still a number

_ITEM = np.dtype([("item", "<i8"), ("value", "<f8")])


def pack(values: pa.Array | None, n: int, most: int | None = MAX_KEPT) -> list[bytes]:
    """Each row's map from item to number as bytes, the highest first, at most so many; empty where it is null. Of a
    list's scores the first are enough, of its relevant items all are needed.

    >>> packed = pack(pa.array([{"a": 0.1, "b": 0.7}, None], pa.map_(pa.string(), pa.float64())), 2)
    >>> top(packed).tolist(), losses(packed[:1], pack(pa.array([[("a", 1.0)]], packed_type()), 1), 10)[:, 3].tolist()
    ([0.7, nan], [0.5])
    """
    if values is None:
        return [b""] * n
    out = []
    for pairs in values.to_pylist():
        ranked = sorted(pairs or (), key=lambda pair: (-pair[1], pair[0]))[:most]
        out.append(np.array([(_digest(item), value) for item, value in ranked], _ITEM).tobytes())
    return out


def packed_type() -> pa.DataType:
    """What a batch's maps from item to number are."""
    return pa.map_(pa.string(), pa.float64())


def top(lists: Sequence[bytes]) -> Floats:
    """The highest score of each list, NaN where it is empty; shape (n,)."""
    return np.array([np.frombuffer(b, _ITEM, 1)["value"][0] if b else np.nan for b in lists], np.float64)


def losses(lists: Sequence[bytes], relevance: Sequence[bytes], k: int) -> Floats:
    """What each list adds to the sums of a ranking, shape (n, len(RANKING_SUMS)). A relevant item that the list does
    not have stands behind all that it has."""
    query, score, gain = [], [], []
    for i, (ranked, relevant) in enumerate(zip(lists, relevance, strict=True)):
        served, wanted = np.frombuffer(ranked, _ITEM), np.frombuffer(relevant, _ITEM)
        gains = dict(zip(wanted["item"].tolist(), wanted["value"].tolist(), strict=True))
        gain += [gains.pop(item, 0.0) for item in served["item"].tolist()] + list(gains.values())
        score += served["value"].tolist() + [-np.inf] * len(gains)
        query += [i] * (served.size + len(gains))
    found = ranking_losses(np.array(query, np.int64), np.array(score), np.minimum(np.array(gain), _MOST_GAIN), k)
    out = np.zeros((len(lists), found.shape[1]))
    out[np.unique(np.array(query, np.int64))] = found
    return out


@lru_cache(maxsize=100_000)
def _digest(item: str) -> int:
    return int.from_bytes(hashlib.blake2b(item.encode(), digest_size=8).digest(), "little", signed=True)
