"""The help of every command, as people read it. ``UPDATE_GOLDEN=1`` writes the texts anew; look at the difference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from monitor.cli.root import vigil

TEXTS = Path(__file__).parent / "cli"


def paths(command: click.Command = vigil, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from paths(inner, (*path, name))


def file_of(path: tuple[str, ...]) -> Path:
    return TEXTS / f"{'-'.join(('vigil', *path))}.txt"


@pytest.mark.parametrize("path", sorted(paths()), ids=lambda p: " ".join(("vigil", *p)))
def test_help(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(vigil, [*path, "--help"], prog_name="vigil", terminal_width=100)
    assert shown.exit_code == 0
    file = file_of(path)
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(shown.output, "utf-8")
    assert shown.output == file.read_text("utf-8")


def test_no_text_is_left_of_a_command_that_is_gone() -> None:
    assert {f.name for f in TEXTS.glob("*.txt")} == {file_of(p).name for p in paths()}
