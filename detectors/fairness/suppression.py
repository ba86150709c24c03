"""Which groups may be told: a minimum size, and no small group found by subtraction.

What is published of the whole, less what is published of the shown groups, is what the hidden groups have together. If
that is a handful of people, hiding them was in vain. So, while the hidden groups together are fewer than the minimum,
the smallest of the shown is hidden with them (complementary suppression; Hundepool et al. (2012), Statistical
Disclosure Control, 4.2). Rows without the attribute, or of groups beyond the axis, are cover: nobody can tell them from
the hidden. In an intersection ("SEX&RACE", "1&2") the same holds within each group of each attribute, whose own figures
are published too; there no row counts as cover.

What this does not protect: two windows that differ by one grain, reported one after the other, can be subtracted, and
so show that grain's rows; nor does it guard against someone who knows all of a group's members but one. A reader who
may ask for any window has to be trusted (the scope ``sensitive``, each read logged), or be given only whole fairness
windows. Intersections are protected line by line, and not against solving the equations of all lines together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.disparities import Bools
from detectors.summaries.summary import Ints

SEPARATOR = "&"


def small(sizes: Ints, minimum: int) -> Bools:
    """Groups with fewer than ``minimum`` rows in a part that they have at all; ``sizes`` as below, shape (groups,)."""
    groups = sizes[:, 1:-1]
    found: Bools = np.any((groups > 0) & (groups < minimum), axis=0)
    return found


def complementary(sizes: Ints, hidden: Bools, minimum: int, lines: Sequence[Bools] = ()) -> Bools:
    """Which further groups must be hidden, so that the ``hidden`` ones cannot be had by subtraction: shape (groups,).

    ``sizes``: rows by part (the positives and the negatives, say) and cell of the axis (missing, the groups, other);
    ``lines``: the groups that add up to a published figure besides all of them, as ``lines_of`` finds them.

    >>> hidden = np.array([True, False, False, True])
    >>> [complementary(np.array([[missing, 5, 300, 200, 0, 0]]), hidden, 100).tolist() for missing in (0, 95)]
    [[False, False, True, False], [False, False, False, False]]
    """
    more = np.zeros_like(hidden)
    groups, cover = sizes[:, 1:-1], sizes[:, 0] + sizes[:, -1]
    if not groups[:, hidden].any():
        return more
    total = groups.sum(axis=0)
    order = np.argsort(total, kind="stable")
    ranges = [(np.ones_like(hidden), cover), *((line, np.zeros_like(cover)) for line in lines)]
    changed = True
    while changed:                              # what one line hides may leave another with a lone small group
        changed = False
        for line, hiding in ranges:
            out = (hidden | more) & line
            lone = groups[:, out].sum(axis=1)
            shown = order[(line & ~out & (total > 0))[order]]
            if shown.size and ((lone > 0) & (lone + hiding < minimum)).any():
                more[shown[0]] = changed = True
    return more


def lines_of(attribute: str, groups: Sequence[str]) -> list[Bools]:
    """The groups of an intersection that share a group of one of its attributes; none for a single attribute.

    >>> [line.tolist() for line in lines_of("SEX&RACE", ["1&1", "1&2", "2&1"])]
    [[True, True, False], [False, False, True], [True, False, True], [False, True, False]]
    """
    width = len(attribute.split(SEPARATOR))
    parts = [group.split(SEPARATOR) for group in groups]
    if width < 2 or any(len(part) != width for part in parts):
        return []
    lines = []
    for i in range(width):
        values = [part[i] for part in parts]
        lines += [np.array([value == v for v in values]) for value in dict.fromkeys(values)]
    return lines
