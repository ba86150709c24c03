"""Rows into summaries: the one place that says which cells a row counts in, and what it adds to the sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detectors.summaries.grids import NumericGrid
from detectors.summaries.mixing import GOLDEN, mix
from detectors.summaries.space import CONTENTS, GROUP_SUMS, PARTS, SUBJECTS, Space
from detectors.summaries.summary import Floats, Ints, Summary, quantise

_MOST_ERROR = 2.0**60    # units; a value or an error beyond this counts as this: its fourth power is still a number
_SCORE_FLOOR = 1e-15     # log loss clips scores to [1e-15, 1 - 1e-15], as scikit-learn did and NannyML does


def fold_predictions(
    space: Space,
    columns: Sequence[Ints],
    groups: Sequence[Ints],
    decisions: Ints | None = None,
    subjects: Ints | None = None,
    matrices: Sequence[Floats] = (),
) -> Summary:
    """Count predictions. The arguments are those of ``prediction_cells`` and ``prediction_sums``.

    >>> from detectors.summaries.space import example_space
    >>> space, one = example_space(), np.array([1])
    >>> fold_predictions(space, [np.array([7]), one, np.array([900])], [one, one], one).counts.tolist()
    [1, 1, 1, 1, 1, 1, 1]
    """
    cells = prediction_cells(space, columns, groups, decisions, subjects)
    one = np.zeros(len(columns[0]), np.int64)
    return Summary.of(cells.ravel(), prediction_sums(space, matrices, one, 1)[0])


def fold_outcomes(
    space: Space,
    scores: Sequence[Ints] | Ints,
    groups: Sequence[Ints],
    decisions: Ints | None,
    labels: Ints | None,
    predicted: Floats,
    actual: Floats | None = None,
) -> Summary:
    """Count outcomes joined to their predictions, and sum their losses. The arguments are those of ``outcome_cells``
    and ``outcome_sums``; where there is one score, its arrays may come as they are, of shape (n,)."""
    each, n = list(np.atleast_2d(scores)), len(predicted)
    cells = outcome_cells(space, each, groups, decisions, labels).ravel()
    together = predicted.reshape(n, len(each))
    return Summary.of(cells, outcome_sums(space, groups, together, labels, actual, np.zeros(n, np.int64), 1)[0])


def prediction_cells(
    space: Space,
    columns: Sequence[Ints],
    groups: Sequence[Ints],
    decisions: Ints | None,
    subjects: Ints | None = None,
) -> Ints:
    """The cells of the space that each row counts in, shape (cells a row, n).

    ``columns``: the cells of each of ``space.columns``; ``groups``: the groups of each of ``space.axes``;
    ``decisions``: the class decided for, ``None`` for a regression; ``subjects``: a 64-bit digest of the person (of the
    prediction, where none is named), for a space that counts subjects. All of shape (n,).
    """
    at, k = space.predictions, space.n_classes
    blocks = list(zip(space.column_offsets[:-1].tolist(), columns, strict=True))
    for i, group in enumerate(groups):
        blocks.append((at.start("axis", i), group if decisions is None else group * k + decisions))
    if decisions is not None:
        blocks.append((at.start("decided"), _decided(space, columns, decisions)))
    blocks.append((at.start("contents"), _contents(space, columns)))
    if space.subjects and subjects is not None:
        word = mix(subjects.view(np.uint64))
        blocks.append((at.start("subjects"), (word % np.uint64(2 * SUBJECTS)).astype(np.int64)))
    return _placed(blocks)


def _placed(blocks: Sequence[tuple[int, Ints]]) -> Ints:
    """Cells of several blocks as cells of the space; shape (blocks, n). Each comes with where its block begins."""
    out = np.empty((len(blocks), blocks[0][1].size), np.int64)
    for row, (start, cells) in zip(out, blocks, strict=True):
        np.add(cells, start, out=row)
    return out


def prediction_sums(space: Space, matrices: Sequence[Floats], codes: Ints, n: int) -> Floats:
    """What the rows of each of ``n`` strata add to the prediction sums: shape (n, space.prediction_sums.size).

    ``matrices``: the raw values that each of ``space.projections`` takes, shape (rows, dimensions); ``codes``: the
    stratum of each row. A row without any value adds nothing.
    """
    parts = [np.zeros((n, 0))]
    for projection, matrix in zip(space.projections, matrices, strict=True):
        there = np.flatnonzero(~np.isnan(matrix).all(axis=1))
        whole = there.size == len(matrix)
        parts.append(projection.sums_by(*((matrix, codes) if whole else (matrix[there], codes[there])), n))
    return np.concatenate(parts, axis=1)


def outcome_cells(
    space: Space, scores: Sequence[Ints], groups: Sequence[Ints], decisions: Ints | None, labels: Ints | None
) -> Ints:
    """The same for outcomes. ``scores``: the cells of each of ``space.scores``; ``labels`` as ``decisions``."""
    at, k, blocks = space.outcomes, space.n_classes, list[tuple[int, Ints]]()
    for i, cells in enumerate(scores):
        if labels is None:
            blocks.append((at.start("scored", i), cells))
        else:
            is_label = labels == (i if space.classes else 1)
            blocks.append((at.start("scored", i), is_label * space.outcomes.shapes["scored", i][1] + cells))
    for i, group in enumerate(groups):
        within = group if labels is None or decisions is None else (group * k + decisions) * k + labels
        blocks.append((at.start("axis", i), within))
    return _placed(blocks)


def outcome_sums(
    space: Space,
    groups: Sequence[Ints],
    predicted: Floats,
    labels: Ints | None,
    actual: Floats | None,
    codes: Ints,
    n: int,
) -> Floats:
    """What the rows of each of ``n`` strata add to the outcome sums: shape (n, space.outcome_sums.size).

    ``predicted``: the scores or the value, NaN where there is none, shape (rows, scores); ``labels`` of a
    classification; ``actual`` values of a regression, or what each list of a ranking adds to ``RANKING_SUMS``, shape
    (rows, 10); ``codes``: the stratum of each row. Every addend is quantised, and those of a regression are taken
    apart, so that the sums are exact.
    """
    if labels is not None:
        losses, moments, inner = _classified(space, predicted, labels)
    else:
        assert actual is not None, "an outcome has a label, an actual value or a worth"
        losses = _regressed(space, predicted[:, 0], actual) if space.task == "regression" else quantise(actual)
        moments, inner = losses[:, : GROUP_SUMS[space.task][0]], None
    if space.task == "regression":
        parts = [_add(space, groups, p, p[:, : moments.shape[1]], inner, codes, n) for p in _apart(losses)]
        return np.concatenate(parts, axis=1)
    return _add(space, groups, losses, moments, inner, codes, n)


def _add(
    space: Space, groups: Sequence[Ints], losses: Floats, moments: Floats, inner: Ints | None, codes: Ints, n: int
) -> Floats:
    """The addends of each stratum, in the order of ``space.addends``; shape (n, addends)."""
    out = np.zeros((n, space.addends.size))
    varied = [(j, column.copy()) for j, column in enumerate(moments.T) if column.any()]
    for j, column in enumerate(losses.T):
        out[:, j] = np.bincount(codes, weights=column, minlength=n)
    for i, group in enumerate(groups):
        shape, start = space.addends.shapes["axis", i], space.addends.start("axis", i)
        within = int(np.prod(shape)) // max(moments.shape[1], 1)
        key = codes * within + (group if inner is None else group * shape[1] + inner)
        for j, column in varied:
            added = np.bincount(key, weights=column, minlength=n * within).reshape(n, within)
            out[:, start + j : start + j + within * moments.shape[1] : moments.shape[1]] = added
    return out


def _apart(addends: Floats) -> Iterator[Floats]:
    """Addends as parts that are multiples of the steps of ``PARTS``, of the same shape."""
    for step in PARTS:
        part = quantise(addends, step)
        yield part
        addends = addends - part


def _classified(space: Space, predicted: Floats, labels: Ints) -> tuple[Floats, Floats, Ints]:
    """Log loss and Brier score of each row that has scores and a label they speak of; for two classes also [1, score,
    score²], with the labels that those are summed by."""
    scored = np.asarray(~np.isnan(predicted).any(axis=1))[:, None]
    if space.classes:
        scored = scored & (labels < len(space.classes))[:, None]
    p = np.where(scored, predicted, 0.5)
    if space.classes:
        hit = labels[:, None] == np.arange(p.shape[1])
        true = np.clip(np.where(hit, p, 0.0).sum(axis=1), _SCORE_FLOOR, 1.0 - _SCORE_FLOOR)
        brier = ((p - hit) ** 2).sum(axis=1)
        moments = np.empty((len(p), 0))
    else:
        clipped = np.clip(p[:, 0], _SCORE_FLOOR, 1.0 - _SCORE_FLOOR)
        true = np.where(labels == 1, clipped, 1 - clipped)
        brier = (p[:, 0] - labels) ** 2
        moments = quantise(np.stack([np.ones(len(p)), p[:, 0], p[:, 0] ** 2], axis=1) * scored)
    losses = quantise(np.stack([-np.log(true), brier], axis=1) * scored)
    return losses, moments, labels


def _regressed(space: Space, predicted: Floats, actual: Floats) -> Floats:
    """What each row of a regression adds to the sums, in the order of ``REGRESSION_SUMS`` and in the unit."""
    assert isinstance(space.output.grid, NumericGrid), "a regression's value is a number"
    nonzero = actual != 0
    with np.errstate(over="ignore"):
        e = np.clip(np.nan_to_num((predicted - actual) / space.unit), -_MOST_ERROR, _MOST_ERROR)
        y = np.clip((actual - space.output.grid.centre) / space.unit, -_MOST_ERROR, _MOST_ERROR)
        ratio = np.divide(predicted, actual, out=np.ones(len(actual)), where=nonzero)
    size, percentage = np.abs(e), np.minimum(np.abs(np.nan_to_num(ratio, nan=1.0) - 1.0), _MOST_ERROR)
    powers = [
        e, size, e**2, e * size, e**4, y, y**2, y**3, y**4, e**2 * y, (e * y) ** 2, percentage, percentage**2, nonzero,
    ]  # fmt: skip
    return np.stack(powers, axis=1)


def _decided(space: Space, columns: Sequence[Ints], decisions: Ints) -> Ints:
    """(decision, cell of its score), flat: of two classes the one score there is; 0 where the class has none."""
    scores = np.stack([columns[i] for i in space.scores])
    if not space.classes:
        cell = scores[0]
    else:
        known = decisions < len(scores)
        cell = np.where(known, scores[np.where(known, decisions, 0), np.arange(decisions.size)], 0)
    return np.asarray(decisions * space.predictions.shapes["decided", 0][1] + cell)


def _contents(space: Space, columns: Sequence[Ints]) -> Ints:
    """A cell for the content of each row: all its features' cells, hashed together."""
    total = np.zeros(len(columns[0]), np.uint64)
    for column, cells in zip(space.columns, columns, strict=True):
        if column.kind == "feature":
            total = total * GOLDEN + cells.view(np.uint64)
    return (mix(total) % np.uint64(CONTENTS)).astype(np.int64)
