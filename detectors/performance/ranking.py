"""Performance of a ranking: what each query's list is worth, and the means over queries.

A query is one list that was ranked: its items with their scores and their relevance, which is 0 for an irrelevant item
and more for a better one. Floats of one score are tied, and a measure is its mean over all orders of the tied. A query
without a relevant item says nothing of the ranking: it is left out of every mean and counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.special import gammaln

from detectors.intervals import Interval
from detectors.performance.delta import one, sized_limits
from detectors.point import Measurement, Reason
from detectors.summaries.space import RANKING_SUMS
from detectors.summaries.summary import Floats, Ints

RANKING_METRICS = ("ndcg", "mean_reciprocal_rank", "precision_at_k", "recall_at_k")

Named = tuple[str, Measurement]


def ranking_losses(queries: Ints, scores: Floats, relevance: Floats, k: int = 10) -> Floats:
    """What each query adds to ``RANKING_SUMS``: shape (queries, 10), in ascending order of the query's number.

    Arguments have shape (items,), in any order. ``relevance`` that is missing or negative counts as 0. NDCG at ``k``
    has linear gains and logarithmic discounts (Järvelin and Kekäläinen (2002), ACM TOIS 20(4)); the reciprocal rank is
    that of the first relevant item, wherever it stands; precision at ``k`` is over ``k`` also where there are fewer
    items, as in TREC; recall at ``k`` is the share of the query's relevant items among the first ``k``.

    >>> query, score = np.array([7, 7, 7, 9]), np.array([0.9, 0.5, 0.1, 0.3])
    >>> rows = ranking_losses(query, score, np.array([0.0, 1.0, 0.0, 0.0]), k=2)
    >>> dict(zip(RANKING_SUMS, rows[0].round(3).tolist())) | {"squared_ndcg": ...}          # doctest: +ELLIPSIS
    {'queries': 1.0, 'without_relevant': 0.0, 'ndcg': 0.631, 'mean_reciprocal_rank': 0.5, 'precision_at_k': 0.5,
     'recall_at_k': 1.0, 'squared_ndcg': Ellipsis, ...}
    >>> rows[1].tolist()
    [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if queries.size == 0:
        return np.zeros((0, len(RANKING_SUMS)))
    _, query = np.unique(queries, return_inverse=True)
    gain = np.maximum(np.nan_to_num(relevance, nan=0.0), 0.0)
    served, ideal = _Ties(query, scores, gain), _Ties(query, gain, gain)
    relevant = served.by_query(served.relevant)
    some = relevant > 0
    hits = served.by_query(served.relevant / served.size * served.within(np.arange(k + 1.0)))
    discounts = np.r_[0.0, np.cumsum(1 / np.log2(np.arange(k) + 2.0))]
    gained, best = (t.by_query(t.gain / t.size * t.within(discounts)) for t in (served, ideal))
    values = np.stack(
        [
            gained / np.where(some, best, 1.0),
            served.reciprocal_ranks(),
            hits / k,
            hits / np.where(some, relevant, 1.0),
        ],
        axis=1,
    )
    values = np.clip(values, 0.0, 1.0) * some[:, None]
    return np.concatenate([some[:, None], ~some[:, None], values, values**2], axis=1)


def ranking_metrics(sums: Mapping[str, float]) -> Iterator[Named]:
    """The means over the queries that have a relevant item, from ``RANKING_SUMS`` by name; ``n`` counts the queries.

    The interval is Wilson's at the size at which a share would spread as the queries do: it stays in [0, 1] and, where
    all queries are perfect, is that of as many successes.

    >>> sums = dict.fromkeys(RANKING_SUMS, 0.0) | {"queries": 2.0, "ndcg": 1.5, "squared_ndcg": 1.25}
    >>> dict(ranking_metrics(sums))["ndcg"].value
    0.75
    >>> {m.reason.value for _, m in ranking_metrics(dict.fromkeys(RANKING_SUMS, 0.0) | {"without_relevant": 3.0})}
    {'no_positives'}
    """
    n = round(sums["queries"])
    if n == 0:
        reason = Reason.NO_POSITIVES if round(sums["without_relevant"]) else Reason.NO_OUTCOMES
        yield from ((metric, Measurement.unknown(reason)) for metric in RANKING_METRICS)
        return
    for metric in RANKING_METRICS:
        value = min(max(sums[metric] / n, 0.0), 1.0)
        yield metric, Measurement(value, n, _interval(value, sums[f"squared_{metric}"] / n, n))


def _interval(value: float, square: float, n: int) -> Interval:
    """With two more queries, one of 0 and one of 1, in the variance, so that a few are not taken for all."""
    centre = (value * n + 1) / (n + 2)
    variance = max((square * n + 1) / (n + 2) - centre**2, 0.0)
    return one(sized_limits(*(np.array(x) for x in (value, centre, variance / n))))[1]


class _Ties:
    """The items by query and descending score; those of one query and score are one tie."""

    def __init__(self, query: Ints, scores: Floats, gain: Floats) -> None:
        order = np.lexsort((-scores, query))
        query, scores, gain = query[order], scores[order], gain[order]
        new_query = np.r_[True, query[1:] != query[:-1]]
        first = np.flatnonzero(new_query | np.r_[True, scores[1:] != scores[:-1]])
        query_start = np.flatnonzero(new_query)
        self.query = query[first]
        self.queries = query_start.size
        self.size = np.diff(np.r_[first, query.size])
        self.first_rank = first - query_start[self.query]
        self.gain = np.add.reduceat(gain, first)
        self.relevant = np.add.reduceat((gain > 0).astype(np.float64), first)

    def by_query(self, values: Floats) -> Floats:
        """The sum over each query's ties."""
        return np.bincount(self.query, values, self.queries).astype(np.float64)

    def within(self, cumulative: Floats) -> Floats:
        """What the ranks of each tie add up to, from what the first 0, 1, ... k ranks add up to."""
        k = cumulative.size - 1
        first, last = (cumulative[np.minimum(rank, k)] for rank in (self.first_rank, self.first_rank + self.size))
        added: Floats = last - first
        return added

    def reciprocal_ranks(self) -> Floats:
        """One over the rank of the first relevant item, on average over the orders of its tie; 0 where there is none.

        With r of m tied items relevant, j irrelevant ones come before the first with a chance of C(m-j-1, r-1)/C(m, r).
        """
        out = np.zeros(self.queries)
        at = np.flatnonzero(self.relevant)[::-1]
        first = np.full(self.queries, -1)
        first[self.query[at]] = at                       # of several ties of a query the last written is the first
        found = first[first >= 0]
        out[self.query[found]] = 1 / (self.first_rank[found] + 1.0)
        for tie in found[self.size[found] > self.relevant[found]].tolist():
            m, r, rank = int(self.size[tie]), int(self.relevant[tie]), int(self.first_rank[tie]) + 1
            j = np.arange(m - r + 1)
            chance = np.exp(_log_choose(m - j - 1, r - 1) - _log_choose(np.array(m), r))
            out[self.query[tie]] = float((chance / (rank + j)).sum())
        return out


def _log_choose(n: Ints, k: int) -> Floats:
    chosen: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return chosen
