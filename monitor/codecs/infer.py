"""What the features of a reference are, where the declaration names none."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.columns import Columns
from monitor.codecs.untyped import are_numbers
from monitor.codecs.values import Column, as_array
from monitor.model import FeatureType


def infer_features(columns: Columns) -> dict[str, FeatureType]:
    """The features of a reference: text, booleans and dictionaries are categories, numbers are numeric.

    A column without a single value is left out, as nothing says what it is.

    >>> infer_features(Columns({"features.age": [40, None], "features.plan": ["a", "b"], "features.x": [None] * 2}, 2))
    {'age': 'numeric', 'plan': 'categorical'}
    """
    found: dict[str, FeatureType] = {}
    for wire, column in columns.data.items():
        if wire.startswith("features."):
            kind = _untyped_feature(column) if columns.untyped else _feature_type(column)
            if kind is not None:
                found[wire.removeprefix("features.")] = kind
    return found


def _untyped_feature(text: pa.StringArray) -> FeatureType | None:
    if text.null_count == len(text):
        return None
    return "numeric" if are_numbers(text) else "categorical"


def _feature_type(column: Column) -> FeatureType | None:
    if isinstance(column, pa.Array) and pa.types.is_dictionary(column.type):
        return "categorical"
    array = as_array(column)
    if array is None:       # values of many types: numbers only where none of them is a text or a boolean
        return "categorical" if {str, bool} & set(map(type, column)) else "numeric"
    if array.null_count == len(array):
        return None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        lengths = pc.unique(pc.list_value_length(array).drop_null()).to_pylist()
        return f"embedding[{lengths[0]}]" if len(lengths) == 1 and lengths[0] else "categorical"
    is_number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)
    return "numeric" if is_number else "categorical"
