"""Many rows at once: maps of columns, data frames and Arrow tables as one block.

Runs in the caller's thread, and makes lists of all columns, so that the caller may reuse what it handed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vigil_client.batch import Block
from vigil_client.rows import Unclear, text_id, weight
from vigil_client.values import Now


def block_of(
    kind: str, columns: Any, groups: Mapping[str, Any], fields: Mapping[str, Any], now: int
) -> tuple[list[str], Block]:
    """The ids of the rows, and the rows. ``groups`` are tables by the prefix of their names; ``fields`` have a column
    or one value each; ``now`` in nanoseconds is the timestamp of rows without one.

    Raises ``Unclear`` for what is no table, columns of different length, and outcomes without identity.

    >>> names, block = block_of("outcomes", {"prediction_id": ["a", "b"]}, {}, {"actual_label": 1}, 0)
    >>> names, block.columns["actual_label"]
    (['a', 'b'], [1, 1])
    """
    found: dict[str, list[Any]] = {}
    single: dict[str, Any] = {}
    for prefix, table in (("", columns), *groups.items(), ("", fields)):
        if table is not None:
            several, one = columns_of(table, prefix)
            found.update(several)
            single.update(one)
    lengths = {len(values) for values in found.values()}
    if len(lengths) != 1:
        raise Unclear("the columns differ in length" if lengths else "there is no column")
    if kind == "outcomes" and "prediction_id" not in found:
        raise Unclear("outcomes need their prediction_id")
    rows = lengths.pop()
    names = _identities(rows, found.get("prediction_id"), single.pop("prediction_id", None))
    found["prediction_id"] = list(names)
    for name, value in {"timestamp": Now(now), **single}.items():
        found.setdefault(name, [value] * rows)
    return names, Block(found, rows)


def _identities(rows: int, each: list[Any] | None, one: Any) -> list[str]:
    """The id of each row: its own, a part of the one that all have, or a new one."""
    if each is not None:
        return [text_id(name) for name in each]
    if one is None or rows == 1:
        return [text_id(one) for _ in range(rows)]
    return [f"{text_id(one)}/{row}" for row in range(rows)]


def columns_of(table: Any, prefix: str = "") -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The columns of a map, a data frame or an Arrow table as lists, by name; and a map's values for all rows.

    Raises ``Unclear`` for what has no columns.

    >>> columns_of({"age": (40, 41), "plan": "a"}, "features.")
    ({'features.age': [40, 41]}, {'features.plan': 'a'})
    """
    if isinstance(table, Mapping):
        named = {prefix + str(name): values for name, values in table.items()}
        columns = {name: listed(values) for name, values in named.items() if is_column(values)}
        return columns, {name: value for name, value in named.items() if name not in columns}
    names = getattr(table, "column_names", None)       # an Arrow table's; its ``columns`` are the data
    if names is None:
        names = getattr(table, "columns", None)
    if names is None or isinstance(table, type):
        raise Unclear(f"{type(table).__name__} is no table with named columns")
    return {prefix + str(name): listed(table[name]) for name in names}, {}


def is_column(value: Any) -> bool:
    """Whether a value has one item a row, rather than being that of every row."""
    if isinstance(value, (str, bytes, Mapping)) or getattr(value, "ndim", 1) == 0:
        return False
    return hasattr(value, "__len__")


def listed(column: Any) -> list[Any]:
    """A column's values as a list of its own. Raises ``Unclear`` for what is no column."""
    for name in ("tolist", "to_list", "to_pylist"):     # numpy's and pandas', polars', Arrow's
        method = getattr(column, name, None)
        if callable(method):
            found = method()
            if isinstance(found, list):
                return found
    if isinstance(column, (str, bytes, Mapping)):
        raise Unclear(f"{type(column).__name__} is no column")
    try:
        return list(column)
    except TypeError:
        raise Unclear(f"{type(column).__name__} is no column") from None


def column_weight(values: list[Any]) -> int:
    """About how many bytes a column takes, judged by a few of its values."""
    some = values[:: max(len(values) // 16, 1)]
    mean = sum(8 + weight(v) for v in some) / len(some) if some else 0.0
    return int(mean * len(values))
