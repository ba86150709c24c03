"""Time is an argument: one place reads the clock, and everything else is told."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THE_ONE_PLACE = Path("monitor/clock.py")
READINGS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.localtime",
    "time.gmtime", "time.ctime", "time.strftime",
}  # fmt: skip


def readings(source: str) -> Iterator[tuple[int, str]]:
    """Where a source reads the clock, under whatever name it imported what reads it."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("datetime", "time"):
            for alias in node.names:
                base = alias.name if node.module == "datetime" else f"time.{alias.name}"
                names[alias.asname or alias.name] = base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in ("datetime", "time"):
                    names[alias.asname or alias.name] = alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            head, *rest = ast.unparse(node).split(".")
            full = ".".join([names.get(head, head), *rest]).removeprefix("datetime.datetime").lstrip(".")
            full = full if "." in full else f"datetime.{full}"
            full = full.removeprefix("datetime.") if full.startswith(("datetime.date.", "datetime.time.")) else full
            if full in READINGS and head in names:
                yield node.lineno, full


def test_one_place_reads_the_clock() -> None:
    files = [f for room in ("detectors", "incidents", "monitor", "api") for f in (ROOT / room).rglob("*.py")]
    assert len(files) > 60
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file in sorted(files)
        if file.relative_to(ROOT) != THE_ONE_PLACE
        for line, name in readings(file.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)
    assert list(readings((ROOT / THE_ONE_PLACE).read_text("utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime, UTC\nx = datetime.now(UTC)",
        "import datetime\nx = datetime.datetime.utcnow()",
        "import datetime as dt\nx = dt.datetime.now()",
        "from datetime import datetime as D\nx = D.now",
        "from datetime import date\nx = date.today()",
        "import time\nx = time.time()",
        "from time import time\nx = time()",
        "from time import time_ns as t\nx = t()",
    ],
)
def test_every_way_to_read_it_would_be_seen(source: str) -> None:
    assert list(readings(source)), source


@pytest.mark.parametrize(
    "source",
    [
        "import time\nx = time.monotonic(), time.perf_counter(), time.sleep",
        "from datetime import datetime\nx = datetime.fromisoformat('2026-01-01')",
        "def f(now, clock):\n    return now(), clock.time(), clock.now()",
    ],
)
def test_what_does_not_read_it_is_left_alone(source: str) -> None:
    assert not list(readings(source)), source
