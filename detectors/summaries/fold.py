"""Rows into summaries: the one place where cells are counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.summaries.space import Space
from detectors.summaries.summary import QUANTUM, Floats, Ints, Summary, quantise

_MOST_ERROR = 1e60       # a value or an error beyond this counts as this, so that its fourth power is still a number
_SCORE_FLOOR = 1e-15     # log loss clips scores to [1e-15, 1 - 1e-15], as scikit-learn did and NannyML does


def fold_predictions(
    space: Space, columns: Sequence[Ints], groups: Sequence[Ints], decisions: Ints | None = None
) -> Summary:
    """Count predictions. Each argument's arrays have shape (n,).

    ``columns``: the cells of each of ``space.columns``; ``groups``: the cells of each of ``space.axes``;
    ``decisions``: 1 for the positive label, 0 for the other, ``None`` for a regression.

    >>> from detectors.summaries.space import example_space
    >>> space, one = example_space(), np.array([1])
    >>> fold_predictions(space, [np.array([7]), one, np.array([900])], [one, one], one).counts.tolist()
    [1, 1, 1, 1, 1]
    """
    return Summary.of(np.concatenate(prediction_cells(space, columns, groups, decisions)))


def fold_outcomes(
    space: Space,
    output: Ints,
    groups: Sequence[Ints],
    decisions: Ints | None,
    labels: Ints | None,
    predicted: Floats,
    actual: Floats | None = None,
) -> Summary:
    """Count outcomes joined to their predictions, and sum their losses. Arrays have shape (n,).

    ``output``: the cell of the score or predicted value; ``predicted`` the score (NaN where there is none) or value
    itself; ``labels`` as ``decisions``; ``actual`` the true value of a regression.
    """
    cells = np.concatenate(outcome_cells(space, output, groups, decisions, labels))
    return Summary.of(cells, outcome_losses(space, predicted, labels, actual).sum(axis=0))


def prediction_cells(
    space: Space, columns: Sequence[Ints], groups: Sequence[Ints], decisions: Ints | None
) -> list[Ints]:
    """The cells of the space that each row counts in: one array of shape (n,) for each column and axis."""
    k = space.n_classes
    out = [cells + offset for cells, offset in zip(columns, space.column_offsets[:-1], strict=True)]
    for group, offset in zip(groups, space.axis_offsets[:-1], strict=True):
        out.append(offset + (group if decisions is None else group * k + decisions))
    return out


def outcome_cells(
    space: Space, output: Ints, groups: Sequence[Ints], decisions: Ints | None, labels: Ints | None
) -> list[Ints]:
    """The same for outcomes: one array for the output by label, and one for each axis."""
    if labels is None or decisions is None:
        return [output, *(o + g for g, o in zip(groups, space.outcome_axis_offsets[:-1], strict=True))]
    k = space.n_classes
    out = [labels * space.output.grid.size + output]
    for group, offset in zip(groups, space.outcome_axis_offsets[:-1], strict=True):
        out.append(offset + (group * k + decisions) * k + labels)
    return out


def outcome_losses(space: Space, predicted: Floats, labels: Ints | None, actual: Floats | None) -> Floats:
    """What each row adds to the sums of the space, quantised so that their sum is exact: shape (n, sums)."""
    if labels is not None:
        scored = ~np.isnan(predicted)
        p = np.where(scored, predicted, 0.5)
        clipped = np.clip(p, _SCORE_FLOOR, 1.0 - _SCORE_FLOOR)
        log_loss = -np.log(np.where(labels == 1, clipped, 1.0 - clipped))
        brier = (p - labels) ** 2
        return quantise(np.stack([log_loss, brier], axis=1) * scored[:, None])
    assert actual is not None, "a regression's outcome has an actual value"
    actual = np.clip(actual, -_MOST_ERROR, _MOST_ERROR)
    with np.errstate(over="ignore"):
        error = np.clip(np.nan_to_num(predicted - actual), -_MOST_ERROR, _MOST_ERROR)
    powers = np.stack([error, np.abs(error), error**2, error**4, actual, actual**2], axis=1)
    return quantise(powers, QUANTUM)
