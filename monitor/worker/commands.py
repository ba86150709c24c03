"""Commands of the lane: where one stands between the data, what it comes to, and those that come while the state that
they speak of is being made again."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import Connection, Engine

from incidents.care import Merge
from incidents.commands import Clock, Open, Reopen, command_from_json
from incidents.commands import Command as Asked
from incidents.decision import no
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from incidents.machine import DecisionReason, decide, decide_merge
from incidents.notices import Origin
from monitor.database import reading
from monitor.log import seals
from monitor.log.port import Command, Tick
from monitor.log.sql import SqlLog
from monitor.store import incidents, outbox
from monitor.store.models import ModelState
from monitor.times import from_micros


class Recorded(StrEnum):
    """It is durable in its lane, and is carried out once the state is as far again: what comes of it shows then."""

    RECORDED = "recorded"


Reason = DecisionReason | Recorded


def place(entry: Command | Tick) -> tuple[int, int, int]:
    """Where an entry of the two lanes stands between the segments: a command behind the tick that it names."""
    if isinstance(entry, Command):
        return entry.after_seq, entry.after_tick, entry.seq
    return entry.after_seq, entry.seq, 0


def behind_all(log: SqlLog, name: str, lanes: Sequence[Command | Tick]) -> tuple[int, int]:
    """The place behind all that the log has of a model now: segment and tick. ``lanes``: what is not carried out yet.
    What a command speaks of was there when it was given, so it is there again by then."""
    segment = max((entry.after_seq for entry in lanes), default=0)
    return max(segment, log.head().get(name, 0)), log.lane_ends(name)[1]


def being_rebuilt(log: SqlLog, state: Engine, name: str) -> bool:
    """Whether the log has entries of a model that the state has not carried out: for a moment at each command and tick,
    and for long after the state was lost."""
    with reading(state) as db:
        there = outbox.places(db).get(name)
    if there is None:
        return is_begun(log, name)
    command, tick = log.lane_ends(name)
    return command > there.command or tick > there.tick or log.head().get(name, 0) > there.segment


def is_begun(log: SqlLog, name: str) -> bool:
    """Whether a model has anything from which a state is made."""
    with reading(log.engine) as db:
        sealed = seals.find(db, name) is not None
    return sealed or log.lane_ends(name) != (0, 0) or log.head().get(name, 0) > 0


def carry_out(db: Connection, model: ModelState, command: Command) -> DecisionReason:
    """Decide a command and record what comes of it; the reason says what that is."""
    asked = command_from_json(command.body)
    if isinstance(asked, Open):     # it names no incident, and may find the last of its fingerprint
        incident = incidents.latest(db, asked.fingerprint)
    else:
        incident = incidents.find(db, command.incident)
    actor = Actor(command.actor["id"], ActorKind(command.actor["kind"]))
    # In a replay it is now the time of the data: an incident has one clock, and its times can be compared.
    replayed = incident is not None and incident.clock is Clock.EVENT
    now = from_micros(model.clock if replayed else command.at)
    origin = Origin("command", command.seq)
    model.command_cursor = command.seq
    if isinstance(asked, Merge):
        target = incidents.find(db, asked.into)
        decision, absorbed = decide_merge(incident, target, asked, actor, now)
        # The one that ends goes first, so that its fingerprints are free for the other.
        incidents.record(db, model.id, incident, decision.events, origin)
        incidents.record(db, model.id, target, absorbed.events, origin)
        return decision.reason
    decision = decide(incident, asked, actor, now)
    if decision.events and _is_taken(db, incident, asked):
        decision = no(DecisionReason.ALREADY_OPEN)
    incidents.record(db, model.id, incident, decision.events, origin)
    return decision.reason


def _is_taken(db: Connection, incident: Incident | None, asked: Asked) -> bool:
    """Whether another incident has become live by this one's fingerprint since it was resolved."""
    if incident is None or not isinstance(asked, Reopen):
        return False
    return incidents.holder(db, incident.fingerprint) not in (None, incident.id)
