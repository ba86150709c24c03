"""An incident's timeline in words: one line an event, runs of evidence gathered, and who was told beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from detectors.catalogue import metric_title
from incidents.care import Retest
from incidents.events import Event, EventKind
from incidents.wire import from_json

TITLES: dict[EventKind, str] = {
    EventKind.RISK_ACCEPTED: "Risk accepted",
    EventKind.RETESTED: "Tested again",
    EventKind.GROUPED: "Another signal of the same cause joined",
    EventKind.ABSORBED: "Took over another incident",
    EventKind.MERGED: "Merged into another incident",
    EventKind.PROPOSED: "Proposed, for a second person to decide",
    EventKind.ACTION_PLANNED: "Corrective action planned",
    EventKind.ACTION_COMPLETED: "Corrective action done",
    EventKind.ACTION_CHECKED: "Corrective action checked",
    EventKind.MARKED_SERIOUS: "Marked as serious",
    EventKind.CLEARED_SERIOUS: "Serious mark taken back",
    EventKind.REPORTED: "Report recorded",
}
PROPOSED = {"dispose": "disposition", "accept_risk": "accepting the risk", "clear_serious": "no serious candidate"}


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in a timeline: ``n`` events alike from ``at`` to ``until``; ``words`` say more of it, and ``link`` is
    the incident that they speak of."""

    kind: str
    title: str
    by: str
    at: datetime
    until: datetime
    n: int = 1
    words: tuple[str, ...] = ()
    link: str | None = None


def collapsed(events: Sequence[Event]) -> list[tuple[Event, int, datetime]]:
    """The timeline, newest first: each event, how many alike it stands for, and when the last of them was."""
    shown = []
    for quiet, run in groupby(events, key=lambda e: e.kind is EventKind.EVIDENCE_ADDED):
        some = list(run)
        parts = [(some[0], len(some), some[-1].at)] if quiet else [(e, 1, e.at) for e in some]
        shown += parts
    return shown[::-1]


def timeline(events: Sequence[Event]) -> list[Line]:
    """Every event in words, the newest first."""
    return [_line(*part) for part in collapsed(events)]


def _line(event: Event, n: int, until: datetime) -> Line:
    d = event.data
    title = TITLES.get(event.kind, metric_title(event.kind.value).capitalize())
    who = {"rule": "the rule", "machine": f"{event.actor.id}, a machine"}.get(event.actor.kind.value, event.actor.id)
    said = [*_words(event), d.get("text"), d.get("note")]
    if n == 1 and d.get("evidence"):
        said.append(d["evidence"]["summary"])
    words = tuple(w for w in said if w)
    return Line(event.kind.value, title, who, event.at, until, n, words, d.get("into") or d.get("incident"))


def _words(event: Event) -> list[str]:
    """What the event's own fields say."""
    d = event.data
    match event.kind:
        case EventKind.SEVERITY_RAISED:
            return [f"{d['from']} → {d['to']}"]
        case EventKind.ASSIGNED:
            return [f"to {d['to']}"]
        case EventKind.DISPOSED:
            return [_disposed(d), _signed(d)]
        case EventKind.PROPOSED:
            return [f"{_number(d)}, {proposed(d['command'])}"]
        case EventKind.APPROVED | EventKind.DECLINED:
            return [_number(d)]
        case EventKind.RISK_ACCEPTED:
            return [d["why"], f"until {_day(d['expires_at'])}", _signed(d)]
        case EventKind.RETESTED:
            return [retested(from_json(Retest, d["retest"]), d["passed"])]
        case EventKind.ACTION_PLANNED:
            return [f"{_number(d)}: {d['what']}", f"{d['owner']}, due {_day(d['due_at'])}"]
        case EventKind.ACTION_COMPLETED:
            return [_number(d)]
        case EventKind.ACTION_CHECKED:
            return [f"{_number(d)}: {'it worked' if d['effective'] else 'it did not work'}"]
        case EventKind.MARKED_SERIOUS:
            regimes = ", ".join(dict.fromkeys(s["regime"] for s in d["steps"]))
            of = "" if d["category"] == regimes else f": {d['category']}"
            return [f"{regimes}{of}".replace("_", " ")]
        case EventKind.REPORTED:
            return [f"{d['regime']} {d['deadline']}".replace("_", " "), d["reference"]]
        case EventKind.CLEARED_SERIOUS:
            return [d["why"], _signed(d)]
        case EventKind.GROUPED:
            return [d["title"], f"Because: {d['reason']}".replace("_", " ")]
        case EventKind.ABSORBED:
            return [d["title"]]
        case _:
            return []


def proposed(command: Mapping[str, Any]) -> str:
    """What a proposal would do.

    >>> proposed({"command": "dispose", "disposition": "false_positive", "root_cause": "a drill", "note": ""})
    'disposition: false positive; root cause: a drill'
    """
    what = PROPOSED.get(command["command"], command["command"])
    if command["command"] == "dispose":
        return f"{what}: {_disposed(command)}"
    until = f" until {_day(command['expires_at'])}" if command.get("expires_at") else ""
    return f"{what}{until}: {command['why']}"


def retested(retest: Retest, passed: bool) -> str:
    """A re-test and what it showed."""
    said = "passed" if passed else "did not pass"
    days = f"{retest.window_start:%Y-%m-%d} to {retest.window_end:%Y-%m-%d}"
    if retest.value is None:
        return f"{metric_title(retest.metric)} over {days} is unknown, so it did not pass"
    spread = "" if retest.low is None or retest.high is None else f" ({retest.low:.3g} to {retest.high:.3g})"
    return f"{metric_title(retest.metric)} {retest.value:.3g}{spread} over {days}, of {retest.n:,} rows: {said}"


def _disposed(d: Mapping[str, Any]) -> str:
    cause = f"; root cause: {d['root_cause']}" if d.get("root_cause") else ""
    return f"{d['disposition']}".replace("_", " ") + cause


def _signed(d: Mapping[str, Any]) -> str:
    return f"proposed by {d['by']}, approved by {d['approved_by']}" if d.get("approved_by") else ""


def _number(d: Mapping[str, Any]) -> str:
    return f"No. {d['number']}"


def _day(instant: str) -> str:
    return instant[:10]
