"""The words of a notice, the same in every channel: what happened, to which model, why, and what changed before.

Of a bias finding no cause is told: its causes are groups of a protected attribute and their rates, and what is sent
leaves the service. ``may_leave`` sees to it here too, whoever made the notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from incidents.notices import Notice, NoticeKind
from incidents.verdict import Cause, Kind
from incidents.wire import rfc3339

MOST_CAUSES = 5
MOST_CHANGES = 5
_HAPPENED = {
    NoticeKind.OPENED: "",      # its title says it
    NoticeKind.REOPENED: "Reopened: ",
    NoticeKind.SEVERITY_RAISED: "Now worse: ",
    NoticeKind.ACKNOWLEDGED: "Acknowledged: ",
    NoticeKind.RECOVERED: "Clean again: ",
    NoticeKind.RELAPSED: "Breached again: ",
    NoticeKind.RESOLVED: "Resolved: ",
    NoticeKind.CLOSED: "Closed: ",
    NoticeKind.MERGED: "Merged into another incident: ",
    NoticeKind.PROPOSED: "A second person is needed: ",
    NoticeKind.MARKED_SERIOUS: "A report may be due: ",
    NoticeKind.REPORTED: "A further report may be due: ",
    NoticeKind.RISK_ACCEPTED: "An accepted risk ends: ",
    NoticeKind.ACTION_PLANNED: "A corrective action is due: ",
    NoticeKind.TEST: "Test: ",
}


def may_leave(notice: Notice) -> Notice:
    """The notice without what must not leave the service."""
    return replace(notice, causes=()) if notice.fingerprint.kind is Kind.FAIRNESS else notice


def headline(notice: Notice) -> str:
    """One line: how bad, of which model, what."""
    return one_line(f"[{notice.severity.value}] {notice.model}: {_HAPPENED[notice.kind]}{notice.title}")


def sentences(notice: Notice) -> Iterator[str]:
    """What is to be said beneath it, a line each; none where there is nothing to say."""
    if notice.summary and notice.summary != notice.title:
        yield one_line(notice.summary)
    if notice.by or notice.note:
        yield one_line(": ".join(part for part in (notice.by and f"By {notice.by}", notice.note) if part))
    yield f"Since {rfc3339(notice.started_at)}, opened {rfc3339(notice.opened_at)}"
    causes = may_leave(notice).causes[:MOST_CAUSES]
    if causes:
        yield "Why: " + "; ".join(map(cause_text, causes))
    if notice.changes:
        yield "Changed before: " + "; ".join(
            f"{one_line(c.text)} ({rfc3339(c.at)})" for c in notice.changes[:MOST_CHANGES]
        )
    for deadline in notice.deadlines:
        yield f"{deadline.regime} {deadline.name}: due {rfc3339(deadline.due_at)}"
    for action in notice.actions:
        due = f"Corrective action {action.number} of {action.owner}, due {rfc3339(action.due_at)}"
        yield one_line(f"{due}: {action.what}")


def cause_text(cause: Cause) -> str:
    """
    >>> cause_text(Cause("age", "js_distance", 0.31)), cause_text(Cause("age", "js_distance", 0.31, "moved a lot"))
    ('age (js_distance 0.31)', 'age: moved a lot')
    """
    value = "unknown" if cause.value is None else f"{cause.value:.3g}"
    return one_line(f"{cause.name}: {cause.note}" if cause.note else f"{cause.name} ({cause.metric} {value})")


def one_line(text: str) -> str:
    """Without line ends and other control characters: a text of another system may hold them.

    >>> one_line("a\\r\\nBcc: x")
    'a Bcc: x'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cut(text: str, most: int) -> str:
    """At most so many characters.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"
