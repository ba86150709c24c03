"""To whom a notice goes, and when: routes of a model, escalation steps, reminders of what falls due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from incidents.notices import CALLING, REMINDING, Notice, NoticeKind
from incidents.parts import Deadline
from incidents.verdict import Kind, Severity
from incidents.wire import rfc3339


class ChannelKind(StrEnum):
    WEBHOOK = "webhook"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Route:
    """One channel of a model: what goes there, and how long after the others (``after``, an escalation step).

    ``kinds``: None is every kind, but for drift where a channel calls people out (PagerDuty, email). ``theirs``: the
    receiver escalates by itself, and so Vigil does not. Addresses and secrets stand in the environment, under the
    names that ``url_env``, ``key_env`` and ``secret_env`` give.
    """

    name: str
    kind: ChannelKind
    min_severity: Severity = Severity.INFO
    kinds: frozenset[Kind] | None = None
    after: timedelta = timedelta()
    theirs: bool = False
    to: tuple[str, ...] = ()
    url_env: str = ""
    key_env: str = ""
    secret_env: str = ""

    @property
    def receiver(self) -> str:
        """What routes with the same receiver have in common: no address, but the name under which it is kept."""
        return f"{self.kind.value}:{self.url_env or self.key_env or self.name}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A notice on its way to one channel. ``step``: 0 is at once, others are escalation steps, or reminders in their
    order. ``due_at``: not before."""

    id: str
    notice: Notice
    channel: str
    step: int
    due_at: datetime


# What each channel tells of: an integration may want all, a person what asks or answers a call.
_ENDS = frozenset({NoticeKind.RESOLVED, NoticeKind.MERGED})
_TOLD = {
    ChannelKind.WEBHOOK: frozenset(NoticeKind),
    ChannelKind.SLACK: frozenset(NoticeKind) - {NoticeKind.RECOVERED, NoticeKind.CLOSED},
    ChannelKind.PAGERDUTY: CALLING | _ENDS | {NoticeKind.ACKNOWLEDGED, NoticeKind.TEST},
    ChannelKind.ALERTMANAGER: CALLING | _ENDS | {NoticeKind.TEST},
    ChannelKind.EMAIL: CALLING | _ENDS | REMINDING | {NoticeKind.PROPOSED, NoticeKind.TEST},
}
_CALLS_OUT = (ChannelKind.PAGERDUTY, ChannelKind.EMAIL)
CHECK = "it is time to look whether"
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


def plan(notice: Notice, routes: Sequence[Route], now: datetime) -> tuple[Planned, ...]:
    """What is to be sent of a notice: to each route that takes it, at once, after its ``after``, or as reminders.

    An escalation step counts from the later of the notice and ``now``: a worker that was down opens late, and a step
    must not fall due together with the first call. Where a route's receiver escalates, no steps are planned.
    """
    taking = [route for route in routes if takes(route, notice)]
    if notice.kind in REMINDING:
        reminders = list(enumerate(_reminders(notice)))
        return tuple(
            _planned(reminder, route, step, due_at)
            for route in taking
            for step, (due_at, reminder) in reminders
            if due_at > now or step == len(reminders) - 1
        )
    at_once = [_planned(notice, route, 0, notice.at) for route in taking if not route.after]
    if notice.kind not in CALLING:      # who was called later than others is told of the end as they are
        return (*at_once, *(_planned(notice, route, 0, notice.at) for route in taking if route.after))
    if any(route.theirs for route in taking if not route.after):
        return tuple(at_once)
    steps = sorted({route.after for route in taking if route.after})
    from_ = max(notice.at, now)
    later = [
        _planned(notice, route, 1 + steps.index(route.after), from_ + route.after) for route in taking if route.after
    ]
    return (*at_once, *later)


def takes(route: Route, notice: Notice) -> bool:
    """Whether a route is for a notice: by what happened, the incident's kind and its severity."""
    kind = notice.fingerprint.kind
    wanted = kind in route.kinds if route.kinds is not None else not (kind is Kind.DRIFT and route.kind in _CALLS_OUT)
    return notice.kind in _TOLD[route.kind] and wanted and notice.severity >= route.min_severity


def planned_id(notice: str, channel: str, step: int) -> str:
    """The id of a notification, which receivers get as its ``Idempotency-Key``: the same for the same three only."""
    return "ntf_" + sha256(f"{notice}\n{channel}\n{step}".encode()).hexdigest()[:24]


def _planned(notice: Notice, route: Route, step: int, due_at: datetime) -> Planned:
    return Planned(planned_id(notice.id, route.name, step), notice, route.name, step, due_at)


def _reminders(notice: Notice) -> Iterator[tuple[datetime, Notice]]:
    for deadline in notice.deadlines:
        text = f"{deadline.regime}: '{deadline.name}' is due at {rfc3339(deadline.due_at)}"
        for at in _warnings(notice, deadline):
            yield at, replace(notice, deadlines=(deadline,), actions=(), note=text)
    for action in notice.actions:
        due = f"corrective action {action.number} of {action.owner} is due: {action.what}"
        check = f"{CHECK} corrective action {action.number} worked: {action.what}"
        for at, text in ((action.due_at, due), (action.check_at, check)):
            yield at, replace(notice, deadlines=(), actions=(action,), note=text)


def _warnings(notice: Notice, deadline: Deadline) -> Sequence[datetime]:
    """Of a report at half time, a day before (an hour, of a shorter one) and when it is due; of an acceptance a week
    before it ends, and then."""
    due, span = deadline.due_at, deadline.due_at - notice.at
    if notice.kind is NoticeKind.RISK_ACCEPTED:
        return sorted({due - _WEEK, due})
    before = _DAY if span >= _DAY else timedelta(hours=1)
    return sorted({notice.at + span / 2, due - before, due})
