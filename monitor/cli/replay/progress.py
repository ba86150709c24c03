"""How far a replay is: a bar where somebody watches, a line now and then where the output goes to a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

EVERY = 0.1     # of the way: how often a plain line is written


class Watcher(Protocol):
    """Told where the replay stands: rows posted and folded, and the event time that it has come to."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def at(self, posted: int, folded: int, day: datetime | None) -> None: ...


def watcher(console: Console, total: int, line: Callable[[str], None]) -> Watcher:
    return Bar(console, total) if console.is_terminal else Lines(total, line)


class Bar:
    """The bar shows what is folded, for a posted row is not yet a judged one."""

    def __init__(self, console: Console, total: int) -> None:
        self.began = time.monotonic()
        self.progress = Progress(
            TextColumn("{task.fields[day]}"),
            BarColumn(None),
            TextColumn("posted {task.fields[posted]:,}  folded {task.completed:,.0f} of {task.total:,.0f}"),
            TextColumn("{task.fields[rate]:,.0f} rows/s"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self.task = self.progress.add_task("", total=total, day="", posted=0, rate=0.0)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def at(self, posted: int, folded: int, day: datetime | None) -> None:
        rate = folded / max(time.monotonic() - self.began, 0.1)
        shown = "" if day is None else f"{day:%Y-%m-%d}"
        self.progress.update(self.task, completed=folded, posted=posted, rate=rate, day=shown)


class Lines:
    def __init__(self, total: int, line: Callable[[str], None]) -> None:
        self.began, self.total, self.line = time.monotonic(), total, line
        self.next = EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def at(self, posted: int, folded: int, day: datetime | None) -> None:
        if self.total and posted / self.total >= self.next:
            self.next += EVERY
            seconds = time.monotonic() - self.began
            when = f", {day:%Y-%m-%d}" if day else ""
            self.line(f"{seconds:5.1f} s: posted {posted:,} of {self.total:,} rows, folded {folded:,}{when}")
