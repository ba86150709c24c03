"""The forms of an incident's page: what each of them sends, read as the command that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta

from incidents.care import (
    AcceptRisk,
    Approve,
    CheckAction,
    ClearSerious,
    CompleteAction,
    Decline,
    MarkSerious,
    Merge,
    PlanAction,
    RecordReport,
)
from incidents.commands import Acknowledge, Assign, Close, Command, Comment, Dispose, Disposition, Reopen, Resolve
from incidents.countdowns import PRESETS, steps_of
from monitor.errors import InvalidInput

MOST = 4_000    # characters of a text


class Fields:
    """What a form sent, by the names of its fields; each way to read one is ``InvalidInput`` where it does not fit."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._sent = sent

    def text(self, name: str, most: int = MOST) -> str:
        """A text that may be left out, without the space around it."""
        found = self._sent.get(name, "").strip()
        if len(found) > most:
            raise InvalidInput(f"'{name}' has {len(found):,} characters", f"Write at most {most:,}")
        return found

    def some(self, name: str, most: int = MOST) -> str:
        found = self.text(name, most)
        if not found:
            raise InvalidInput(f"'{name.replace('_', ' ')}' is empty", "Fill it in")
        return found

    def number(self, name: str) -> int:
        found = self.text(name, 7)
        if not (found.isascii() and found.isdigit()):
            raise InvalidInput(f"'{name}' is no number", "Open the page again and send the form from there")
        return int(found)

    def instant(self, name: str) -> datetime:
        """A date and a time, in UTC."""
        try:
            return datetime.fromisoformat(self.some(name, 40)).replace(tzinfo=UTC)
        except ValueError:
            raise InvalidInput(f"'{name.replace('_', ' ')}' is no time", "Write it as 2026-07-01T12:00") from None

    def end_of(self, name: str) -> datetime:
        """The last second of a day in UTC: what is due on a day may be done until it is over."""
        return datetime.combine(self.instant(name).date(), time(), UTC) + timedelta(hours=23, minutes=59, seconds=59)

    def start_of(self, name: str) -> datetime:
        return datetime.combine(self.instant(name).date(), time(), UTC)


def _serious(f: Fields) -> Command:
    regime, _, category = f.some("preset", 64).partition(":")
    if f.text("preset") not in PRESETS:
        raise InvalidInput("no such preset", "Choose one of the list")
    steps = steps_of(category, [regime])
    classified = f.instant("classified_at") if f.text("classified_at") else None
    return MarkSerious(category or regime, steps, f.instant("aware_at"), classified, f.text("text"))


def _report(f: Fields) -> Command:
    regime, _, deadline = f.some("deadline", 260).partition("/")
    return RecordReport(regime, deadline, f.instant("at"), f.text("reference", 200))


def _dispose(f: Fields) -> Command:
    said = f.text("disposition")
    if said not in frozenset(Disposition):
        raise InvalidInput("no disposition was chosen", "Choose what the incident was")
    return Dispose(Disposition(said), f.text("root_cause") or None, f.text("text"))


_COMMANDS: dict[str, Callable[[Fields], Command]] = {
    "acknowledge": lambda f: Acknowledge(f.text("text")),
    "resolve": lambda f: Resolve(f.text("text")),
    "reopen": lambda f: Reopen(f.text("text")),
    "close": lambda f: Close(f.text("text")),
    "comment": lambda f: Comment(f.some("text")),
    "assign": lambda f: Assign(f.some("to", 128)),
    "dispose": _dispose,
    "merge": lambda f: Merge(f.some("into", 64), f.text("text")),
    "accept-risk": lambda f: AcceptRisk(f.some("why"), f.end_of("expires_at")),
    "approve": lambda f: Approve(f.number("number"), f.text("text")),
    "decline": lambda f: Decline(f.number("number"), f.text("text")),
    "plan": lambda f: PlanAction(f.some("what"), f.some("owner", 128), f.end_of("due_at"), f.end_of("check_at")),
    "complete": lambda f: CompleteAction(f.number("number"), f.text("text")),
    "check": lambda f: CheckAction(f.number("number"), f.some("effective") == "yes", f.text("text")),
    "serious": _serious,
    "report": _report,
    "clear-serious": lambda f: ClearSerious(f.some("why")),
}

ACTIONS = frozenset(_COMMANDS) | {"retest"}


def command_of(action: str, fields: Fields) -> Command:
    """The command of a form; ``InvalidInput`` where a field is missing, too long, or is not what it should be."""
    try:
        return _COMMANDS[action](fields)
    except ValueError as error:
        raise InvalidInput(str(error), "Change it, and send the form again") from None
