"""Digests that stand in an index for a text of any length: PostgreSQL indexes no text over 2,704 bytes.

A column that holds one names its text's column in ``info``, and is filled from it. A query asks for both, ``is_text``:
the digest finds, the text decides.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Column, ColumnElement, LargeBinary, Table

SIZE = 16       # bytes


def digest_of(text: str) -> bytes:
    """
    >>> len(digest_of("attribute:race,group:2")), digest_of("a") == digest_of("b")
    (16, False)
    """
    return hashlib.blake2b(text.encode(), digest_size=SIZE).digest()


def digest_column(of: str, *, primary_key: bool = False) -> Column[bytes]:
    """The column ``<of>_digest`` of a table whose column ``of`` is a text."""

    def fill(context: Any) -> bytes:
        return digest_of(context.get_current_parameters()[of])

    name, info = f"{of}_digest", {"digest_of": of}
    return Column(name, LargeBinary, nullable=False, default=fill, info=info, primary_key=primary_key)


def digests(table: Table) -> dict[str, str]:
    """The columns of a table that hold digests, and of which column each."""
    return {c.name: c.info["digest_of"] for c in table.c if "digest_of" in c.info}


def is_text(column: Column[str], text: str) -> ColumnElement[bool]:
    """Whether a column that has a digest beside it is a text; answered from the digest's index, where there is one."""
    return (column.table.c[f"{column.name}_digest"] == digest_of(text)) & (column == text)
