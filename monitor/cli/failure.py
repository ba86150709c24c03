"""How a command ends when it does not end well: what is wrong, what to do next, and an exit code for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import IO, Any

import click

REFUSED = 1             # the service or a check said no
USAGE = 2               # wrong options, settings or files; click's own code for it
UNREACHABLE = 3         # no service answers, or it cannot take anything now
NOT_ALLOWED = 4         # no valid key, or one that may not do this

EXIT_CODES = {
    0: "done",
    REFUSED: "refused, or a check failed",
    USAGE: "a wrong option, setting or file",
    UNREACHABLE: "no service answers there, or it can take nothing now",
    NOT_ALLOWED: "no valid key, or a key that may not do this",
}


class Failure(click.ClickException):
    """``detail`` says what is wrong, ``mend`` what to do next, ``faults`` each row or key where there are several."""

    as_json = False

    def __init__(self, detail: str, mend: str, code: int = REFUSED, faults: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.detail, self.mend = detail, mend
        self.exit_code = code       # type: ignore[misc]    # click has it on the class, and reads it from the instance
        self.faults = list(faults)

    def show(self, file: IO[Any] | None = None) -> None:
        to = file or sys.stderr
        if self.as_json:
            said = {"error": self.detail, "mend": self.mend, "exit_code": self.exit_code, "faults": self.faults}
            click.echo(json.dumps(said), file=to)
            return
        click.echo(f"error: {self.detail}", file=to)
        for fault in self.faults:
            line = _described(fault)
            if line not in self.detail:
                click.echo(f"  {line}", file=to)
        if self.mend:
            click.echo(f"what to do: {self.mend}", file=to)


def _described(fault: dict[str, Any]) -> str:
    """
    >>> _described({"row": 3, "field": "timestamp", "reason": "is missing"})
    'row 3: timestamp: is missing'
    >>> _described({"key": "taks", "line": 2, "reason": "is no key"})
    'taks (line 2): is no key'
    """
    parts = [f"row {fault['row']}"] if "row" in fault else []
    name = fault.get("field") or fault.get("key")
    if name:
        parts.append(f"{name} (line {fault['line']})" if fault.get("line") else str(name))
    return ": ".join([*parts, str(fault.get("reason", ""))])
