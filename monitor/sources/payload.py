"""The body of a model's request or response, whatever protocol it is in, as columns.

``protocols.py`` reads the formats; this is what all of them give, and how one value of a row is found in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from monitor.model.sources import Output

Side = Literal["inputs", "outputs"]
MAX_ROWS = 100_000      # of one request
MAX_WIDTH = 5_000       # values of a row, all laid out

_PLACES = tuple(map(str, range(MAX_WIDTH)))


class Unreadable(ValueError):
    """Why a payload cannot be read, with the mend. It repeats no value, which may be a protected attribute's."""


@dataclass(frozen=True, slots=True)
class Payload:
    """``columns`` has ``n_rows`` values by name, in the order that they stood; ``"0"``, ``"1"`` where the format gives
    positions only (``named`` is then false). A value is JSON's, or a list where a row holds several under one name.

    ``id``, ``model`` and ``version`` are what the body says of itself (Open Inference Protocol v2).
    """

    columns: Mapping[str, list[Any]] = field(default_factory=dict)
    n_rows: int = 0
    named: bool = True
    id: str | None = None
    model: str | None = None
    version: str | None = None

    def laid_out(self) -> dict[str, list[Any]]:
        """Every value of a row in a column of its own: a list under ``proba`` becomes ``proba.0``, ``proba.1``.

        >>> Payload({"label": ["a"], "proba": [[0.9, 0.1]]}, 1).laid_out()
        {'label': ['a'], 'proba.0': [0.9], 'proba.1': [0.1]}
        """
        out: dict[str, list[Any]] = {}
        for name, values in self.columns.items():
            for k, column in enumerate(_apart(name, values)):
                out[name if column is values else f"{name}.{k}"] = column
            if len(out) > MAX_WIDTH:
                raise Unreadable(f"has over {MAX_WIDTH} values in a row; send the features alone")
        return out

    def pick(self, which: Output) -> list[Any]:
        """One value of each row: by its place among all values of a row, by name, or as ``NAME.PLACE``.

        >>> answer = Payload({"label": ["a"], "proba": [[0.9, 0.1]]}, 1)
        >>> answer.pick(2), answer.pick("proba.1"), answer.pick("label")
        ([0.1], [0.1], ['a'])
        """
        if isinstance(which, int):
            flat = list(self.laid_out().values())
            if which < len(flat):
                return flat[which]
            raise Unreadable(f"has {len(flat)} values in a row, and the source names place {which}, counted from 0")
        if which in self.columns:
            return self.columns[which]
        outer, _, inner = which.rpartition(".")
        if outer in self.columns:
            return [_within(value, inner) for value in self.columns[outer]]
        raise Unreadable(f"has nothing named '{which}'; it has {_few(self.columns)}")


def from_rows(rows: Sequence[Any]) -> Payload:
    """Rows as columns: objects by their names, lists by position, bare values as the only column.

    >>> from_rows([[1, 2], [3, 4]]).columns
    {'0': [1, 3], '1': [2, 4]}
    >>> from_rows([0.2, 0.7]).columns
    {'0': [0.2, 0.7]}
    """
    if len(rows) > MAX_ROWS:
        raise Unreadable(f"has {len(rows)} rows; send at most {MAX_ROWS} in one request")
    kinds = {dict if isinstance(row, dict) else list if isinstance(row, list) else None for row in rows}
    if len(kinds) > 1:
        raise Unreadable("has rows of different kinds; send each as an object, or each as a list")
    if kinds == {dict}:
        names = dict.fromkeys(key for row in rows for key in row)
        if len(names) > MAX_WIDTH:
            raise Unreadable(f"has over {MAX_WIDTH} names; send the features alone")
        return Payload({name: [row.get(name) for row in rows] for name in names}, len(rows))
    if kinds == {list}:
        width = len(rows[0])
        if any(len(row) != width for row in rows) or width > MAX_WIDTH:
            raise Unreadable("has rows of different lengths, or of too many values; send one value for each input")
        if width == 0:
            return Payload({}, len(rows), named=False)
        return Payload(dict(zip(_PLACES, map(list, zip(*rows, strict=True)), strict=False)), len(rows), named=False)
    return Payload({"0": list(rows)}, len(rows), named=False)


def from_columns(columns: Mapping[str, Any]) -> Payload:
    """Columns by name, each a list of one value for each row; a bare value stands for a list of one.

    >>> from_columns({"age": [40, 41], "plan": ["a", "b"]}).n_rows
    2
    """
    listed = {name: values if isinstance(values, list) else [values] for name, values in columns.items()}
    lengths = {len(values) for values in listed.values()}
    if len(lengths) > 1:
        raise Unreadable(f"has columns of different length: {_few(listed)}; send one value for each row in each")
    n_rows = lengths.pop() if lengths else 0
    if n_rows > MAX_ROWS or len(listed) > MAX_WIDTH:
        raise Unreadable(f"has over {MAX_ROWS} rows or {MAX_WIDTH} columns; send less in one request")
    return Payload(listed, n_rows)


def _apart(name: str, values: list[Any]) -> Iterator[list[Any]]:
    """The columns of a column of lists (nested ones row by row); the column itself where it holds none."""
    first = next((value for value in values if value is not None), None)
    if not isinstance(first, list):
        yield values
        return
    width = len(first)
    if width > MAX_WIDTH:
        raise Unreadable(f"has over {MAX_WIDTH} values in '{name}'; send the features alone")
    if any(value is not None and (not isinstance(value, list) or len(value) != width) for value in values):
        raise Unreadable(f"has lists of different lengths in '{name}'; send one value for each input")
    for k in range(width):
        yield from _apart(name, [None if value is None else value[k] for value in values])


def _within(value: Any, inner: str) -> Any:
    if isinstance(value, dict):
        return value.get(inner)
    if isinstance(value, list) and inner.isdigit() and int(inner) < len(value):
        return value[int(inner)]
    return None


def _few(names: Mapping[str, Any]) -> str:
    shown = [f"'{name[:60]}'" for name in list(names)[:10]]
    return ", ".join(shown) + (f" and {len(names) - 10} more" if len(names) > 10 else "") if shown else "nothing"
