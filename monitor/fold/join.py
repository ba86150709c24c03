"""Predictions and outcomes joined by prediction_id, whichever comes first, each counted exactly once.

The same identity (model version, prediction_id) with the same content is a duplicate; with other content a conflict,
which is not counted. Of several outcomes for one id the one with the latest timestamp holds: a correction takes the
old one's contribution back and adds its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from detectors.summaries.fold import outcome_cells, outcome_sums, prediction_cells, prediction_sums
from detectors.summaries.space import RANKING_SUMS, Space
from detectors.summaries.summary import Summary
from monitor.fold import rankings
from monitor.fold.entries import Entries
from monitor.fold.rows import Floats, Ints, Outcomes, Predictions
from monitor.fold.strata import Stratum, merge_into, stratify, summarise

SERVING = "champion"     # only the serving role feeds the figures; the others are counted in strata of their own


class Outcome(NamedTuple):
    """The outcome that holds for a prediction_id."""

    timestamp: int
    digest: int
    label: int | None
    value: float | None
    relevance: bytes | None = None


@dataclass(slots=True)
class Folded:
    """What a batch changes: new entries and outcomes, summaries to merge, values for the streams, and its counts."""

    counts: Counter[str] = field(default_factory=Counter)
    conflicts: list[int] = field(default_factory=list)
    entries: Entries | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    predictions: dict[Stratum, Summary] = field(default_factory=dict)
    joined: dict[Stratum, Summary] = field(default_factory=dict)
    scores: Floats = field(default_factory=lambda: np.empty(0))
    errors: Floats = field(default_factory=lambda: np.empty(0))
    instants: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def fold_predictions(
    space: Space,
    grain: int,
    rows: Predictions,
    known: Mapping[tuple[str, str], int],
    waiting: Mapping[str, Outcome],
) -> Folded:
    """Fold predictions. ``known``: the digests of all stored predictions of these ids, by (id, version);
    ``waiting``: the outcomes that are there already, by id."""
    out = Folded()
    keep = _new_rows(rows, known, out)
    if not len(keep):
        return out
    if len(keep) < len(rows.ids):
        rows = rows.take(keep)
    entries = Entries.of(rows, grain)
    strata, codes = stratify(entries.buckets, entries.versions, entries.roles)
    cells = prediction_cells(space, rows.columns, rows.groups, rows.decisions, rows.subjects)
    sums = prediction_sums(space, rows.matrices, codes, len(strata))
    out.entries = entries
    out.predictions = summarise(space.prediction_size, strata, codes, cells, sums)
    confidence = rows.predicted.max(axis=1)                # of two classes the score itself
    serving = np.array([r == SERVING for r in rows.roles]) & ~np.isnan(confidence)
    out.scores, out.instants = confidence[serving], rows.timestamps[serving]
    out.counts["predictions"] = len(keep)
    found = [i for i, id_ in enumerate(rows.ids) if id_ in waiting] if waiting else []
    if found:
        matched = entries.take(found)
        merge_into(out.joined, _join(space, matched, [waiting[i] for i in matched.ids], +1)[0])
        out.counts["joined"] = len(found)
        out.counts["orphans"] = -len(set(matched.ids) - {id_ for id_, _ in known})
    return out


def fold_outcomes(space: Space, rows: Outcomes, stored: Mapping[str, Outcome], entries: Entries) -> Folded:
    """Fold outcomes. ``stored``: the outcomes that hold now, by id; ``entries``: all predictions of these ids."""
    out = Folded()
    before: dict[str, Outcome] = {}
    changed: set[str] = set()
    for i, (id_, outcome) in enumerate(zip(rows.ids, _outcomes(rows), strict=True)):
        old = out.outcomes.get(id_) or stored.get(id_)
        if old is None:
            out.counts["outcomes"] += 1
            out.outcomes[id_] = outcome
            changed.add(id_)
        elif old.digest == outcome.digest:
            out.counts["duplicates"] += 1
            if outcome.timestamp > old.timestamp:       # said again later: what came in between is superseded
                out.outcomes[id_] = outcome
        elif outcome.timestamp > old.timestamp:
            out.counts["corrections"] += 1
            out.outcomes[id_] = outcome
            changed.add(id_)
            if id_ in stored:
                before[id_] = stored[id_]
        elif outcome.timestamp < old.timestamp:
            out.counts["superseded"] += 1
        else:
            out.counts["conflicts"] += 1
            out.conflicts.append(i)
    touched = [i for i, id_ in enumerate(entries.ids) if id_ in changed]
    if touched:
        matched = entries if len(touched) == len(entries) else entries.take(touched)
        truths = [out.outcomes[i] for i in matched.ids]
        out.joined, errors = _join(space, matched, truths, +1)
        serving = np.array([r == SERVING for r in matched.roles])
        out.errors, out.instants = errors[serving], np.array([t.timestamp for t in truths], np.int64)[serving]
        again = [i for i, id_ in enumerate(matched.ids) if id_ in before]
        if again:
            corrected = matched.take(again)
            merge_into(out.joined, _join(space, corrected, [before[i] for i in corrected.ids], -1)[0])
        out.counts["joined"] = len(matched) - len(again)
    met = set(entries.ids)
    out.counts["orphans"] = sum(1 for id_ in out.outcomes if id_ not in met and id_ not in stored)
    return out


def _new_rows(rows: Predictions, known: Mapping[tuple[str, str], int], out: Folded) -> Ints:
    """The rows that count, the first of each identity; the rest go to the duplicates and the conflicts."""
    seen = dict(known)
    keep = []
    keys = zip(rows.ids, rows.versions, strict=True)
    for i, (key, digest) in enumerate(zip(keys, rows.digests.tolist(), strict=True)):
        old = seen.get(key)
        if old is None:
            seen[key] = digest
            keep.append(i)
        elif old == digest:
            out.counts["duplicates"] += 1
        else:
            out.counts["conflicts"] += 1
            out.conflicts.append(i)
    return np.array(keep, np.int64)


def _outcomes(rows: Outcomes) -> list[Outcome]:
    n = len(rows.ids)
    labels: Sequence[int | None] = [None] * n if rows.labels is None else rows.labels.tolist()
    values: Sequence[float | None] = [None] * n if rows.actual is None else rows.actual.tolist()
    relevance: Sequence[bytes | None] = [None] * n if rows.relevance is None else rows.relevance
    columns = zip(rows.timestamps.tolist(), rows.digests.tolist(), labels, values, relevance, strict=True)
    return [Outcome(*row) for row in columns]


def _join(
    space: Space, entries: Entries, truths: Sequence[Outcome], sign: int
) -> tuple[dict[Stratum, Summary], Floats]:
    """The summaries of some predictions with their outcomes, and each one's error: wrong or not, or the residual."""
    classify = space.n_classes > 1
    labels = np.array([t.label for t in truths], np.int64) if classify else None
    actual = None if classify else _actual(space, entries, truths)
    decisions = entries.decisions if classify else None
    groups = [entries.groups[:, i] for i in range(entries.groups.shape[1])]
    scores = [
        space.columns[c].grid.cells(entries.predicted[:, i])  # type: ignore[arg-type]  # scores and values are numbers
        for i, c in enumerate(space.scores)
    ]
    strata, codes = stratify(entries.buckets, entries.versions, entries.roles)
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


def _actual(space: Space, entries: Entries, truths: Sequence[Outcome]) -> Floats:
    """The actual values of a regression, or what each list of a ranking is worth."""
    if space.task == "ranking":
        lists = entries.lists or [b""] * len(entries)
        return rankings.losses(lists, [t.relevance or b"" for t in truths], space.top)
    return np.array([t.value for t in truths], np.float64)
