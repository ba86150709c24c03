"""The words of a declaration: tasks, durations, labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

TASKS = ("binary_classification", "multiclass_classification", "regression", "ranking")
SEVERITIES = ("info", "warning", "critical")

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def parse_duration(text: object) -> timedelta:
    """A whole number and a unit (``s``, ``m``, ``h``, ``d``, ``w``) as a duration; else ``ValueError`` with the mend.

    >>> parse_duration("90d")
    datetime.timedelta(days=90)
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"found {shown(text)}; write a duration such as 30m, 1h, 7d or 2w")
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds > 36_525 * 86_400:
        raise ValueError(f"found {shown(text)}; write a duration of at most 100 years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """What ``parse_duration`` reads, in the largest unit that is whole, up to days.

    >>> format_duration(timedelta(hours=36)), format_duration(timedelta(days=7))
    ('36h', '7d')
    """
    seconds = int(duration.total_seconds())
    unit = next(u for u in "dhms" if seconds % _UNITS[u] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def canonical_label(value: str | int | float | bool) -> str:
    """A label, decision or category as text, so that JSON's ``1``, ``1.0`` and ``"1"`` are one and the same.

    >>> [canonical_label(v) for v in (1, 21.0, 0.5, True, "yes")]
    ['1', '21', '0.5', 'true', 'yes']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Beyond 2^53 a float names no single integer, so it keeps its shortest form.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The known word that a misspelt one most likely meant, as a mend; all of them where none is near.

    >>> nearest("roc_acu", ("roc_auc", "accuracy"))
    "the nearest known is 'roc_auc'"
    """
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"the nearest known is '{close[0]}'" if close else f"known are {', '.join(known)}"


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like another, however little.

    >>> closest("auc", ("accuracy", "roc_auc"))
    'roc_auc'
    """
    return get_close_matches(word, list(known), n=1, cutoff=0.0)[0]


def shown(value: Any) -> str:
    """What was found, for a message: its kind, and the value itself where it is short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"text '{value if len(value) <= 40 else value[:40] + '…'}'"
        case int() | float():
            return f"the number {value}" if len(str(value)) <= 40 else "a very long number"
        case list() | tuple():
            return "a list"
        case _:
            return "a map"
