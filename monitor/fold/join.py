"""Predictions and outcomes joined by prediction_id, whichever comes first, each counted exactly once.

The same identity (model version, prediction_id) with the same content is a duplicate; with other content a conflict,
which is not counted. Of several outcomes for one id the one with the latest timestamp holds: a correction takes the
old one's contribution back and adds its own.

What is stored comes in as ``Stored``: all rows kept under the ids of a batch, each with the row of the batch that asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.summaries.fold import outcome_cells, outcome_sums, prediction_cells, prediction_sums
from detectors.summaries.space import RANKING_SUMS, Space
from detectors.summaries.summary import Summary
from monitor.fold import rankings
from monitor.fold.entries import Entries
from monitor.fold.rows import Floats, Ints, Outcomes, Predictions
from monitor.fold.strata import Stratum, merge_into, stratify, summarise

UNKNOWN = 0      # the digest of a row whose content was cut: whatever comes under its identity is taken for the same
SERVING = "champion"     # only the serving role feeds the figures; the others are counted in strata of their own

Kept = TypeVar("Kept", Entries, Outcomes)


class Stored(NamedTuple, Generic[Kept]):
    """``rows[i]`` is kept under the id of row ``asked[i]`` of the batch; in the order of ``asked``, and under one id in
    that in which they came."""

    asked: Ints
    rows: Kept


@dataclass(slots=True)
class Folded:
    """What a batch changes: new entries and outcomes, summaries to merge, values for the streams, and its counts.

    ``counts``: by name what each row of the batch adds, shape (n,). ``kept``: the rows that are kept under their ids,
    one for each of ``entries`` or ``outcomes``.
    """

    n: int
    counts: dict[str, Ints] = field(default_factory=dict)
    kept: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    entries: Entries | None = None
    outcomes: Outcomes | None = None
    predictions: dict[Stratum, Summary] = field(default_factory=dict)
    joined: dict[Stratum, Summary] = field(default_factory=dict)
    scores: Floats = field(default_factory=lambda: np.empty(0))
    errors: Floats = field(default_factory=lambda: np.empty(0))
    instants: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def count(self, name: str, rows: Ints | npt.NDArray[np.bool_], by: int | Ints = 1) -> None:
        """Add to what some rows, each named once, count under a name."""
        if not (rows.any() if rows.dtype == np.bool_ else rows.size):
            return
        self.counts.setdefault(name, np.zeros(self.n, np.int64))[rows] += by

    @property
    def total(self) -> Counter[str]:
        return Counter({name: int(n.sum()) for name, n in self.counts.items()})


def fold_predictions(
    space: Space,
    grain: int,
    rows: Predictions,
    known: Stored[Entries] | None = None,
    waiting: Stored[Outcomes] | None = None,
    rate: float = 1.0,
    counted: dict[Stratum, Summary] | None = None,
) -> Folded:
    """Fold predictions. ``known``: all stored predictions of these ids; ``waiting``: the outcomes that are there
    already; ``rate``: the share of all predictions that was sent; ``counted``: what ``count_predictions`` gave for all
    of the rows, which holds where none of them was there before."""
    n = len(rows.digests)
    out = Folded(n)
    out.kept = _new_rows(rows, known, out)
    if not out.kept.size:
        return out
    if out.kept.size < n:
        rows, counted = rows.take(out.kept), None
    entries = Entries.of(rows, grain, rate)
    out.entries = entries
    out.predictions = counted if counted is not None else count_predictions(space, grain, rows, rate)
    confidence = rows.predicted.max(axis=1)                # of two classes the score itself
    serving = rows.roles.are(SERVING) & ~np.isnan(confidence)
    out.scores, out.instants = confidence[serving], rows.timestamps[serving]
    out.count("predictions", out.kept)
    if waiting is not None and waiting.asked.size:
        _meet(space, entries, known, waiting, out)
    return out


def count_predictions(space: Space, grain: int, rows: Predictions, rate: float = 1.0) -> dict[Stratum, Summary]:
    """The summaries of predictions, each of which counts."""
    rates = np.full(len(rows.digests), rate)
    strata, codes = stratify(rows.timestamps // grain * grain, rows.versions, rows.roles, rates)
    cells = prediction_cells(space, rows.columns, rows.groups, rows.decisions, rows.subjects)
    sums = prediction_sums(space, rows.matrices, codes, len(strata))
    found = summarise(space.prediction_size, strata, codes, cells, sums)
    merge_into(found, _faults(space, rows, strata, codes))
    return found


def fold_outcomes(
    space: Space, rows: Outcomes, stored: Stored[Outcomes] | None = None, entries: Stored[Entries] | None = None
) -> Folded:
    """Fold outcomes. ``stored``: the outcomes that hold now; ``entries``: all predictions of these ids."""
    out = Folded(len(rows))
    held = _Held.of(rows, stored)
    for turn in held.turns():
        held.take(turn, rows, out)
    new = np.flatnonzero(held.row >= 0)
    out.kept = np.sort(held.row[new])
    out.outcomes = rows.take(out.kept)
    met = np.zeros(len(rows), np.bool_)
    if entries is not None:
        met[held.of_row[entries.asked]] = True
        _settle(space, rows, stored, entries, held, out)
    orphans = new[~met[new] & (held.stored[new] < 0)]
    out.count("orphans", held.row[orphans])
    return out


def _new_rows(rows: Predictions, known: Stored[Entries] | None, out: Folded) -> Ints:
    """The rows that count, the first of each identity; the rest go to the duplicates and the conflicts."""
    first = rows.ids.firsts(rows.versions.codes)
    there = np.zeros(out.n, np.bool_)
    digests = rows.digests[first]
    if known is not None and known.asked.size:
        same = known.rows.versions.among(rows.versions.words) == rows.versions.codes[known.asked]
        there[known.asked[same]] = True
        digests[known.asked[same]] = known.rows.digests[same]
    new = ~there & (first == np.arange(out.n))
    as_before = (digests == rows.digests) | (digests == UNKNOWN)
    out.count("duplicates", ~new & as_before)
    out.count("conflicts", ~new & ~as_before)
    return np.flatnonzero(new)


def _faults(space: Space, rows: Predictions, strata: Sequence[Stratum], codes: Ints) -> dict[Stratum, Summary]:
    """What was wrong with rows beside what was taken of them: values of a wrong type by feature, and fields that
    nobody declared."""
    at, cells, of = space.predictions, [], []
    if rows.mistyped is not None:
        numbers = {c.name: at.start("mistyped") + i for i, c in enumerate(space.columns) if c.kind == "feature"}
        found = np.asarray(rows.mistyped.indices.fill_null(-1))
        for code, names in enumerate(rows.mistyped.dictionary.to_pylist()):
            mine = np.flatnonzero(found == code)
            for name in names.split("\x1f"):
                if name in numbers:     # of a time when another feature was declared: nothing to count it under
                    cells.append(np.full(mine.size, numbers[name]))
                    of.append(mine)
    if rows.undeclared is not None:
        mine = np.flatnonzero(rows.undeclared)
        cells.append(np.full(mine.size, at.start("undeclared")))
        of.append(mine)
    if not cells:
        return {}
    cell, stratum = np.concatenate(cells), codes[np.concatenate(of)]
    none = np.zeros(space.prediction_sums.size)
    return {strata[s]: Summary.of(cell[stratum == s], none) for s in np.unique(stratum).tolist()}


def _meet(
    space: Space, entries: Entries, known: Stored[Entries] | None, waiting: Stored[Outcomes], out: Folded
) -> None:
    """Join new predictions with the outcomes that were there before them."""
    number = np.full(out.n, -1)
    number[out.kept] = np.arange(out.kept.size)
    there = number[waiting.asked] >= 0
    asked = waiting.asked[there]
    matched, truths = entries.take(number[asked]), waiting.rows.take(np.flatnonzero(there))
    merge_into(out.joined, _join(space, matched, truths, +1)[0])
    out.count("joined", asked)
    met = np.zeros(out.n, np.bool_)     # of ids that had a prediction before, whose outcome was no orphan
    if known is not None:
        met[known.asked] = True
    lone = asked[~met[asked]]
    first = entries.ids.take(number[lone]).firsts()
    out.count("orphans", lone[first == np.arange(lone.size)], -1)


@dataclass(slots=True)
class _Held:
    """The outcome that holds for each id of a batch, while the batch's rows are taken one after another.

    ``of_row``: the number of each row's id (that of its first row). By that number: ``timestamp`` and ``digest`` of
    what holds; ``row``: the row of the batch that it is, -1 where none; ``stored``: the stored one, -1 where none;
    ``changed``: whether what holds says something else than before.
    """

    of_row: Ints
    timestamp: Ints
    digest: Ints
    row: Ints
    stored: Ints
    changed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Outcomes, stored: Stored[Outcomes] | None) -> _Held:
        n = len(rows)
        nothing = np.full(n, -1)
        out = cls(rows.ids.firsts(), nothing, nothing.copy(), nothing.copy(), nothing.copy(), np.zeros(n, np.bool_))
        if stored is not None and stored.asked.size:
            first = out.of_row[stored.asked]        # of several versions of one id the last one stands
            out.stored[first] = np.arange(first.size)
            out.timestamp[first], out.digest[first] = stored.rows.timestamps, stored.rows.digests
        return out

    def turns(self) -> list[Ints]:
        """The rows in sets in which no id occurs twice, each id's rows in their order."""
        n = self.of_row.size
        if (self.of_row == np.arange(n)).all():
            return [np.arange(n)]
        order = np.argsort(self.of_row, kind="stable")
        starts = np.flatnonzero(np.diff(self.of_row[order], prepend=-1))
        turn = np.empty(n, np.int64)
        turn[order] = np.arange(n) - np.repeat(starts, np.diff(starts, append=n))
        return [np.flatnonzero(turn == i) for i in range(int(turn.max()) + 1)]

    def take(self, turn: Ints, rows: Outcomes, out: Folded) -> None:
        at = self.of_row[turn]
        none = (self.row[at] < 0) & (self.stored[at] < 0)
        same = ~none & (self.digest[at] == rows.digests[turn])
        later = ~none & (rows.timestamps[turn] > self.timestamp[at])
        earlier = ~none & (rows.timestamps[turn] < self.timestamp[at])
        out.count("outcomes", turn[none])
        out.count("duplicates", turn[same])
        out.count("corrections", turn[~none & ~same & later])
        out.count("superseded", turn[~same & earlier])
        out.count("conflicts", turn[~none & ~same & ~later & ~earlier])
        stands = none | later       # said again later: what came in between is superseded
        at, turn = at[stands], turn[stands]
        self.row[at], self.timestamp[at], self.digest[at] = turn, rows.timestamps[turn], rows.digests[turn]
        self.changed[at] |= ~same[stands]


def _settle(
    space: Space,
    rows: Outcomes,
    stored: Stored[Outcomes] | None,
    entries: Stored[Entries],
    held: _Held,
    out: Folded,
) -> None:
    """Join the outcomes that now hold with their predictions, and take back those that held before."""
    ids = held.of_row[entries.asked]
    touched = np.flatnonzero((ids == entries.asked) & held.changed[ids])
    if not touched.size:
        return
    ids, matched = ids[touched], entries.rows.take(touched)
    truths = rows.take(held.row[ids])
    out.joined, errors = _join(space, matched, truths, +1)
    serving = matched.roles.are(SERVING)
    out.errors, out.instants = errors[serving], truths.timestamps[serving]
    added = np.bincount(held.row[ids], minlength=out.n)
    again = np.flatnonzero(held.stored[ids] >= 0)
    if again.size:
        assert stored is not None, "what was stored is taken back"
        before = stored.rows.take(held.stored[ids[again]])
        merge_into(out.joined, _join(space, matched.take(again), before, -1)[0])
        added -= np.bincount(held.row[ids[again]], minlength=out.n)
    out.count("joined", np.flatnonzero(added), added[added > 0])


def _join(space: Space, entries: Entries, truths: Outcomes, sign: int) -> tuple[dict[Stratum, Summary], Floats]:
    """The summaries of some predictions with their outcomes, and each one's error: wrong or not, or the residual."""
    classify = space.n_classes > 1
    labels = truths.labels if classify else None
    actual = None if classify else _actual(space, entries, truths)
    decisions = entries.decisions if classify else None
    groups = [entries.groups[:, i] for i in range(entries.groups.shape[1])]
    scores = [
        space.columns[c].grid.cells(entries.predicted[:, i])  # type: ignore[arg-type]  # scores and values are numbers
        for i, c in enumerate(space.scores)
    ]
    strata, codes = stratify(entries.buckets, entries.versions, entries.roles, entries.rates)
    cells = outcome_cells(space, scores, groups, decisions, labels)
    sums = outcome_sums(space, groups, entries.predicted, labels, actual, codes, len(strata))
    summaries = summarise(space.outcome_size, strata, codes, cells, sums)
    if sign < 0:
        summaries = {k: -s for k, s in summaries.items()}
    if space.task == "ranking":
        assert actual is not None, "a ranking has what each list is worth"
        return summaries, 1.0 - actual[:, RANKING_SUMS.index("ndcg")]
    if actual is None:
        return summaries, (entries.decisions != labels).astype(np.float64)
    with np.errstate(over="ignore"):        # beyond a double it is infinite, and a stream passes over it
        return summaries, np.abs(entries.predicted[:, 0] - actual)


def _actual(space: Space, entries: Entries, truths: Outcomes) -> Floats:
    """The actual values of a regression, or what each list of a ranking is worth."""
    if space.task == "ranking":
        assert truths.relevance is not None, "the truth of a ranking is what its items are worth"
        return rankings.losses(entries.lists or [b""] * len(entries), truths.relevance, space.top)
    assert truths.actual is not None, "a regression's truth is a value"
    return truths.actual
