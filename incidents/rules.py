"""When verdicts become an incident: N breaches in the last M disjoint windows open it, K clean ones resolve it.

What each verdict does:

============ ================================ =================================
verdict      towards N of M                   towards K clean
============ ================================ =================================
breach       takes a place and counts         starts the count again
ok           takes a place                    counts
inconclusive takes a place                    neither counts nor starts it again
unknown      nothing: it takes no place       nothing
============ ================================ =================================

Only a breach opens or continues, only an ok recovers or resolves. A value between a monitor's two limits (the one that
opens and the ``clear`` one that resolves) is to be judged inconclusive, which does neither.

Windows that overlap are one piece of evidence. So the windows are taken from the newest backwards, each the latest that
ends before the one taken starts, and those alone are counted. A window judged again replaces what was said of it; one
that comes late takes its place in order of time; one older than any that still counts changes nothing.

A person may resolve an incident that its rule still holds open, and another rule may share the incident. So whoever
judges says ``released(state)`` first where no incident of the fingerprint is live; and where several rules share one,
it sends recovery and resolution once no rule of them is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import takewhile
from typing import Any

from incidents.verdict import VerdictKind


@dataclass(frozen=True, slots=True)
class Rule:
    """``open_after`` (N, M): N breaches in the last M windows; ``resolve_after``: K clean ones on end."""

    open_after: tuple[int, int] = (2, 3)
    resolve_after: int = 2

    def __post_init__(self) -> None:
        n, m = self.open_after
        if not 1 <= n <= m or self.resolve_after < 1:
            raise ValueError(f"open_after {n} of {m} and resolve_after {self.resolve_after} cannot be met")


class Outcome(StrEnum):
    """What the verdict means for the incident; ``relapse`` is a breach after ``recover``, before ``resolve``."""

    NONE = "none"
    OPEN = "open"
    CONTINUE = "continue"
    RECOVER = "recover"
    RELAPSE = "relapse"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Judged:
    """A window ``[start, end)`` and the latest verdict on it; never unknown."""

    start: datetime
    end: datetime
    verdict: VerdictKind


@dataclass(frozen=True, slots=True)
class RuleState:
    """All that a rule remembers: the judged windows that may still count, in order of time, and where it stands."""

    recent: tuple[Judged, ...] = ()
    open: bool = False
    recovered: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, so that the counters survive a restart."""
        recent = [[w.start.isoformat(), w.end.isoformat(), w.verdict.value] for w in self.recent]
        return {"recent": recent, "open": self.open, "recovered": self.recovered}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RuleState:
        """Read what ``to_json`` wrote. A model has a state for each of its monitors, so this is made to be quick."""
        instant = datetime.fromisoformat
        recent = tuple(Judged(instant(a), instant(b), VerdictKind(v)) for a, b, v in data["recent"])
        return cls(recent, data["open"], data["recovered"])


def released(state: RuleState) -> RuleState:
    """The state of a rule whose incident is live no more: closed to it, but what the windows showed stays known."""
    return replace(state, open=False, recovered=False)


def started_at(rule: Rule, state: RuleState) -> datetime | None:
    """The end of the first breached window among those that count towards N of M: when the fault began, as far as seen.

    To be asked after ``advance`` said open; None where no window that counts is breached.
    """
    ends = [w.end for w in _disjoint(state.recent, rule.open_after[1]) if w.verdict is VerdictKind.BREACH]
    return min(ends, default=None)


def advance(
    rule: Rule, state: RuleState, window: tuple[datetime, datetime], verdict: VerdictKind
) -> tuple[RuleState, Outcome]:
    """Take one verdict on the window ``[start, end)`` and say what follows from it.

    >>> from datetime import UTC, timedelta
    >>> day, rule, state = timedelta(days=1), Rule(open_after=(2, 3), resolve_after=2), RuleState()
    >>> for i, word in enumerate("breach ok breach ok unknown ok".split()):
    ...     start = datetime(2026, 1, 1, tzinfo=UTC) + i * day
    ...     state, outcome = advance(rule, state, (start, start + day), VerdictKind(word))
    ...     print(word, outcome.value)
    breach none
    ok none
    breach open
    ok recover
    unknown none
    ok resolve
    """
    judged = Judged(*window, verdict)
    if not judged.start < judged.end:
        raise ValueError(f"a window must end after it starts, and {judged.end} is not after {judged.start}")
    if verdict is VerdictKind.UNKNOWN:
        return state, Outcome.NONE
    if judged in state.recent:  # said again: it counts once, but a breach may bring better evidence of its window
        return state, Outcome.CONTINUE if state.open and verdict is VerdictKind.BREACH else Outcome.NONE
    recent = _pruned(rule, _inserted(state.recent, judged))
    if judged not in recent:
        return state, Outcome.NONE
    state = replace(state, recent=recent)
    breaches = sum(w.verdict is VerdictKind.BREACH for w in _disjoint(recent, rule.open_after[1]))
    clean = _clean(rule, recent)
    if verdict is VerdictKind.BREACH:
        if state.open:
            relapse = state.recovered and clean == 0  # a late breach behind a clean window is no relapse
            return (replace(state, recovered=False), Outcome.RELAPSE) if relapse else (state, Outcome.CONTINUE)
        # An amended window may breach behind K clean ones: that has come and gone, and would resolve at once.
        if breaches >= rule.open_after[0] and clean < rule.resolve_after:
            return replace(state, open=True), Outcome.OPEN
    elif verdict is VerdictKind.OK and state.open:
        if clean >= rule.resolve_after:
            return released(state), Outcome.RESOLVE
        if clean > 0 and not state.recovered:
            return replace(state, recovered=True), Outcome.RECOVER
    return state, Outcome.NONE


def _inserted(recent: tuple[Judged, ...], judged: Judged) -> list[Judged]:
    others = [w for w in recent if (w.start, w.end) != (judged.start, judged.end)]
    return sorted([*others, judged], key=lambda w: (w.end, w.start))


def _disjoint(windows: Iterable[Judged], most: int) -> list[Judged]:
    """From the newest backwards, the windows that overlap none taken before; at most ``most``."""
    taken: list[Judged] = []
    for w in sorted(windows, key=lambda w: (w.end, w.start), reverse=True):
        if len(taken) < most and (not taken or w.end <= taken[-1].start):
            taken.append(w)
    return taken


def _decisive(rule: Rule, recent: Iterable[Judged]) -> list[Judged]:
    return _disjoint((w for w in recent if w.verdict is not VerdictKind.INCONCLUSIVE), rule.resolve_after)


def _clean(rule: Rule, recent: Iterable[Judged]) -> int:
    return len(list(takewhile(lambda w: w.verdict is VerdictKind.OK, _decisive(rule, recent))))


def _pruned(rule: Rule, recent: list[Judged]) -> tuple[Judged, ...]:
    """Without what can count no more: older than the last M windows, and than the last K that were not inconclusive."""
    last, decisive = _disjoint(recent, rule.open_after[1]), _decisive(rule, recent)
    oldest = min(w.start for w in recent)
    whole = last[-1].start if len(last) == rule.open_after[1] else oldest
    said = decisive[-1].start if len(decisive) == rule.resolve_after else oldest
    return tuple(
        w for w in recent if w.start >= whole or (w.start >= said and w.verdict is not VerdictKind.INCONCLUSIVE)
    )
