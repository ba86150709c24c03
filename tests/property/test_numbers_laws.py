"""Columns of few numbers read together are what each is alone."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.codecs.numbers import many_numbers, numbers
from monitor.codecs.refusals import Mistyped

values = st.integers(-(10**400), 10**400) | st.floats() | st.integers(-9, 9)
others = st.none() | st.booleans() | st.text(max_size=3) | st.just([])


@given(st.integers(0, 5).flatmap(lambda n: st.lists(st.lists(values | others, min_size=n, max_size=n), max_size=4)))
def test_together_is_as_alone(columns: list[list[Any]]) -> None:
    n_rows = len(columns[0]) if columns else 0
    named = {str(i): column for i, column in enumerate(columns)}
    read = many_numbers(named, n_rows)
    for name, array in read.items():
        alone = Mistyped(n_rows)
        assert array.equals(numbers(named[name], name, alone))
        assert not array.null_count
        assert not alone.counts(slice(None))  # type: ignore[arg-type]


@given(st.lists(st.lists(st.integers(-(2**60), 2**60) | st.floats(-1e300, 1e300), min_size=3, max_size=3), max_size=4))
def test_plain_numbers_are_all_read_together(columns: list[list[float]]) -> None:
    named = {str(i): column for i, column in enumerate(columns)}
    assert many_numbers(named, 3).keys() == named.keys()
