"""What a command prints: for people as text and tables, with ``--json`` as one JSON value. Remarks go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDE = 160      # where the output is no terminal: wide enough that a table is not cut


class Out:
    """Printing for one command."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        terminal = sys.stdout.isatty()
        self.console = Console(width=None if terminal else WIDE, highlight=False, soft_wrap=not terminal)

    def value(self, data: Any) -> None:
        """The command's answer, where ``--json`` was asked for."""
        if self.as_json:
            click.echo(json.dumps(data, indent=2, ensure_ascii=False))

    def line(self, text: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            click.echo(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
        """A table for people; a column whose values are all numbers stands to the right."""
        if not self.as_json:
            self.console.print(make_table(columns, rows, title))

    def remark(self, text: str) -> None:
        """Something beside the answer, for people and on stderr, so that it spoils no pipe."""
        if not self.as_json:
            click.echo(text, err=True)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> Table:
    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, show_edge=False)
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(r[i], int | float) or r[i] is None for r in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(v) for v in row))
    return table


def shown(value: Any) -> str:
    """
    >>> shown(208892), shown(0.90202643), shown(None), shown(True)
    ('208,892', '0.9020', '', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
    return str(value)


def minute(instant: str | None) -> str | None:
    """An instant for people: to the minute, UTC as everywhere.

    >>> minute("2018-01-26T12:25:45.519000Z")
    '2018-01-26 12:25'
    """
    return None if instant is None else instant[:16].replace("T", " ")
