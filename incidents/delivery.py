"""Whether a notification is sent, decided when it is due: by what the incident is then, what its channel was told of it
so far, and what is silenced. Reasons are values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from incidents.countdowns import deadlines
from incidents.incident import Incident, State
from incidents.notices import CALLING, REMINDING, Notice, NoticeKind
from incidents.routing import CHECK, Planned
from incidents.silences import Silence, matches

ASK_AGAIN = timedelta(seconds=60)       # of what is held: a silence may have been ended since
BASE, LONGEST = timedelta(seconds=5), timedelta(minutes=10)
LONGEST_ASKED = timedelta(hours=1)      # that a receiver may ask for
GIVE_UP = timedelta(hours=24)           # after the first attempt


class HoldReason(StrEnum):
    SILENCED = "silenced"
    MAINTENANCE = "maintenance"


class DropReason(StrEnum):
    """Why something is never sent.

    ``acknowledged``: somebody has it. ``over_before_told``: the incident ended before its channel heard of it.
    ``nothing_told``: its channel never heard of what this answers. ``reported``, ``done``, ``moved``: a reminder of
    what was done, or has another date by now. ``incident_merged``: it goes on in another incident.
    ``no_such_incident``: another version of Vigil finds none in the same data. ``no_such_channel``: its route was
    taken out of the declaration. ``nothing_to_say``: its channel says nothing of such a notice. ``notify_off``: the
    setting says that nobody is told.
    """

    ACKNOWLEDGED = "acknowledged"
    OVER_BEFORE_TOLD = "over_before_told"
    NOTHING_TOLD = "nothing_told"
    REPORTED = "reported"
    DONE = "done"
    MOVED = "moved"
    INCIDENT_MERGED = "incident_merged"
    NO_SUCH_INCIDENT = "no_such_incident"
    NO_SUCH_CHANNEL = "no_such_channel"
    NOTHING_TO_SAY = "nothing_to_say"
    NOTIFY_OFF = "notify_off"


@dataclass(frozen=True, slots=True)
class Send:
    pass


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now; ask again at ``until`` at the latest."""

    until: datetime
    reason: HoldReason


@dataclass(frozen=True, slots=True)
class Drop:
    reason: DropReason


Delivery = Send | Hold | Drop


class Told(NamedTuple):
    """A notification of the same incident and channel: what it says, how often it was tried, whether it arrived."""

    episode: int
    kind: NoticeKind
    attempts: int
    delivered: bool


def decide_delivery(
    planned: Planned,
    incident: Incident | None,
    told: Sequence[Told],
    silences: Sequence[Silence],
    now: datetime,
    rebuilding: bool,
) -> Delivery:
    """What becomes of a notification that is due. It never raises.

    ``told`` has this one too. ``silences``: those that end after it was due, on or not, are enough. ``rebuilding``: the
    incident as it is read may be older than what was told of it, or missing: then it is sent, for a call too many is
    better than none. A silence holds what calls somebody; what answers a call goes on to whoever heard it.
    """
    notice = planned.notice
    if notice.kind is NoticeKind.TEST:
        return Send()
    reason = _pointless(planned, incident, told, silences, now, rebuilding)
    if reason is not None:
        return Drop(reason)
    on = [s for s in silences if s.is_on(now) and matches(s, notice)]
    if notice.kind in CALLING and on:
        longest = max(on, key=lambda s: s.ends_at)
        why = HoldReason.MAINTENANCE if longest.kind == "maintenance" else HoldReason.SILENCED
        return Hold(min(longest.ends_at, now + ASK_AGAIN), why)
    return Send()


def wait(attempt: int, retry_after: float | None, chance: float) -> timedelta:
    """How long until the next attempt, after attempt number ``attempt`` (from 1): twice as long each time with full
    jitter (``chance`` from 0 to 1), or what the receiver asked for (``retry_after``, seconds) where that is longer.

    >>> wait(1, None, 0.5), wait(20, None, 0.5), wait(1, 7200.0, 0.5)
    (datetime.timedelta(seconds=5), datetime.timedelta(seconds=300), datetime.timedelta(seconds=3600))
    """
    most = min(BASE * 2.0 ** min(attempt, 10), LONGEST)
    asked = timedelta(seconds=max(0.0, min(retry_after or 0.0, LONGEST_ASKED.total_seconds())))
    longest: timedelta = max(most * chance, timedelta(seconds=1), asked)
    return longest


def _pointless(
    planned: Planned,
    incident: Incident | None,
    told: Sequence[Told],
    silences: Sequence[Silence],
    now: datetime,
    rebuilding: bool,
) -> DropReason | None:
    notice = planned.notice
    if incident is None or (rebuilding and incident.updated_at < notice.at):
        return None if rebuilding else DropReason.NO_SUCH_INCIDENT
    if notice.kind in REMINDING:
        return _needless(notice, incident)
    heard = any(t.attempts for t in told if t.kind in CALLING and t.episode <= notice.episode)
    if notice.kind not in CALLING:
        return None if heard or notice.kind is NoticeKind.PROPOSED else DropReason.NOTHING_TOLD
    if planned.step == 0 and not _was_silenced(planned, silences, now):
        return None     # each call is told, and what came of it behind it
    if any(t.attempts for t in told if t.kind is notice.kind and t.episode == notice.episode):
        return None     # after an attempt nobody knows what the receiver has
    return _taken_care_of(planned, incident)


def _was_silenced(planned: Planned, silences: Sequence[Silence], now: datetime) -> bool:
    since = planned.due_at
    return any(s.starts_at <= now and s.ends_at > max(since, s.starts_at) and matches(s, planned.notice)
               for s in silences)  # fmt: skip


def _taken_care_of(planned: Planned, incident: Incident) -> DropReason | None:
    """Whether nobody need be called any more: of an escalation step, and of what a silence held."""
    if incident.merged_into is not None:
        return DropReason.INCIDENT_MERGED
    if incident.reopenings > planned.notice.episode:
        return DropReason.OVER_BEFORE_TOLD
    match incident.state:
        case State.OPEN:
            return None
        case State.ACKNOWLEDGED:
            return DropReason.ACKNOWLEDGED
        case _:
            return DropReason.OVER_BEFORE_TOLD


def _needless(notice: Notice, incident: Incident) -> DropReason | None:
    """Why nobody need be reminded: of one deadline or action, by what the incident says of it now."""
    if incident.merged_into is not None:
        return DropReason.INCIDENT_MERGED
    if notice.kind is NoticeKind.RISK_ACCEPTED:
        until = None if incident.acceptance is None else incident.acceptance.expires_at
        return None if until in {d.due_at for d in notice.deadlines} else DropReason.DONE
    if notice.kind is NoticeKind.ACTION_PLANNED:
        return _action_done(notice, incident)
    for told in notice.deadlines:
        if incident.serious is None:
            return DropReason.DONE
        now = {(d.regime, d.name): d for d in deadlines(incident.serious)}.get((told.regime, told.name))
        if now is None or now.reported_at is not None:
            return DropReason.REPORTED
        if now.due_at != told.due_at:
            return DropReason.MOVED
    return None


def _action_done(notice: Notice, incident: Incident) -> DropReason | None:
    """An action is due until it is completed, and then to be looked at until it was checked."""
    now = {action.number: action for action in incident.actions}
    for action in notice.actions:
        found = now.get(action.number)
        if found is None or found.checked_at is not None:
            return DropReason.DONE
        if found.completed_at is not None and not notice.note.startswith(CHECK):
            return DropReason.DONE
    return None
