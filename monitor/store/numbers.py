"""Ids of rows that a model numbers by itself: the same whatever the models' order, and free for whoever restores it."""

from __future__ import annotations

from sqlalchemy import Column, Connection, select

_MODEL_BITS = 40


def span(model: int) -> tuple[int, int]:
    """Between which two ids a model's own lie, both left out.

    >>> span(1) == (1 << 40, 2 << 40)
    True
    """
    return model << _MODEL_BITS, (model + 1) << _MODEL_BITS


def last_id(db: Connection, column: Column[int], model: int) -> int:
    """The last id that a model has given; the next is one more. By the primary key, however many there are."""
    low, high = span(model)
    query = select(column).where(column > low, column < high).order_by(column.desc()).limit(1)
    return db.execute(query).scalar() or low
