"""Incidents without data: entries of the lanes are carried out as the worker does, and lost and made again as after a
power cut; a notifier whose threads are the test's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, select

from incidents.commands import Command, Open
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from incidents.machine import decide
from incidents.notices import Lane, Origin
from incidents.routing import ChannelKind, Route
from incidents.verdict import Evidence, Fingerprint, Kind, Severity
from monitor.database import reading, writing
from monitor.log.notifications import deliveries, notifications
from monitor.senders.channels.base import Extra, Result
from monitor.senders.notifier import Notifier
from monitor.senders.queue import Queue
from monitor.senders.relay import Relay
from monitor.store import incidents, models, tables

RULE, ANA, BO = Actor("vigil", ActorKind.RULE), Actor("ana", ActorKind.PERSON), Actor("bo", ActorKind.PERSON)
MODEL = "churn"
DRIFT, QUALITY = Fingerprint(MODEL, Kind.DRIFT), Fingerprint(MODEL, Kind.QUALITY)
HOOK = Route("hook", ChannelKind.WEBHOOK, url_env="HOOK_URL")


@dataclass
class SetClock:
    at: datetime = datetime(2026, 7, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass(frozen=True)
class Entry:
    """What stands in a lane: who asked what of the latest incident of a fingerprint, and when."""

    lane: Lane
    seq: int
    at: datetime
    fingerprint: Fingerprint
    command: Command
    actor: Actor


@dataclass
class Desk:
    """A model's lanes, and the state that follows from them."""

    log: Engine
    state: Engine
    clock: SetClock = field(default_factory=SetClock)
    lanes: list[Entry] = field(default_factory=list)

    def open(self, fingerprint: Fingerprint = DRIFT, severity: Severity = Severity.CRITICAL) -> None:
        at = self.clock()
        shown = Evidence(at - timedelta(hours=1), at, "PSI of age 0.4, above 0.2")
        self.ask(Open(fingerprint, severity, f"{fingerprint.kind} of age", at, shown), fingerprint=fingerprint)

    def ask(self, command: Command, actor: Actor = RULE, fingerprint: Fingerprint = DRIFT) -> None:
        lane: Lane = "command" if actor.is_person else "tick"
        seq = 1 + sum(entry.lane == lane for entry in self.lanes)
        self.lanes.append(Entry(lane, seq, self.clock(), fingerprint, command, actor))
        self._carry_out(self.lanes[-1])

    def lose(self, last: int) -> None:
        """The state as it was ``last`` entries ago: deleted, and made again so far."""
        self.forget()
        for entry in self.lanes[: len(self.lanes) - last]:
            self._carry_out(entry)

    def catch_up(self) -> None:
        """Carry out again what was lost."""
        with reading(self.state) as db:
            model = models.load(db, MODEL)
        done = {"command": model.command_cursor, "tick": model.tick_cursor} if model else {"command": 0, "tick": 0}
        for entry in self.lanes:
            if entry.seq > done[entry.lane]:
                self._carry_out(entry)

    def forget(self) -> None:
        with writing(self.state) as db:
            held = (tables.live_fingerprints, tables.incident_events, tables.incidents)
            for table in (tables.notices, *held, tables.models):
                db.execute(delete(table))

    def incident(self, fingerprint: Fingerprint = DRIFT) -> Incident:
        with reading(self.state) as db:
            found = incidents.latest(db, fingerprint)
        assert found is not None
        return found

    def _carry_out(self, entry: Entry) -> None:
        with writing(self.state) as db:
            model = models.load(db, MODEL) or models.create(db, MODEL, 1)
            before = incidents.latest(db, entry.fingerprint)
            decision = decide(before, entry.command, entry.actor, entry.at)
            incidents.record(db, model.id, before, decision.events, Origin(entry.lane, entry.seq))
            setattr(model, f"{entry.lane}_cursor", entry.seq)
            models.save(db, model)

    def queued(self) -> list[Any]:
        """The rows of the queue in their order."""
        with reading(self.log) as db:
            return list(db.execute(select(notifications).order_by(notifications.c.number)))

    def states(self) -> dict[str, list[str]]:
        """By channel: what each notification says, and what became of it."""
        found: dict[str, list[str]] = {}
        for row in self.queued():
            found.setdefault(row.channel, []).append(f"{row.kind} {row.state}")
        return found

    def outcomes(self, id: str | None = None) -> list[tuple[str, str]]:
        """The delivery log: outcome and detail, of one notification or of all."""
        query = select(deliveries.c.outcome, deliveries.c.detail).order_by(deliveries.c.seq)
        if id is not None:
            query = query.where(deliveries.c.notification == id)
        with reading(self.log) as db:
            return [tuple(row) for row in db.execute(query)]


@dataclass
class Spoken:
    """A channel that keeps what it is to send, and answers as it is told."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    answer: Callable[[str], Result] = lambda _: Result(True, False, 200)

    def body(self, notice: Any, extra: Extra) -> bytes:
        return f"{notice.kind.value} {notice.note}".strip().encode()

    def send(self, id: str, body: bytes, timeout: float) -> Result:
        self.sent.append((id, body))
        return self.answer(id)

    @property
    def said(self) -> list[str]:
        return [body.decode() for _, body in self.sent]


@dataclass
class Teller:
    """A notifier by hand: ``run`` takes over and sends all that is due at the test's clock."""

    desk: Desk
    routes: Sequence[Route] = (HOOK,)
    on: bool = True
    channels: dict[str, Spoken] = field(default_factory=dict)

    def __post_init__(self) -> None:
        desk = self.desk
        self.relay = Relay(desk.log, desk.state, lambda _: self.routes, desk.clock)
        self.queue = Queue(desk.log, desk.state, desk.clock, "test", self.on, lambda: 0.5)
        self.notifier = Notifier(
            self.relay, self.queue, lambda _: self.routes, lambda r: self.channel(r.name), lambda *_: Extra(),
            lambda: True,
        )

    def channel(self, name: str = "hook") -> Spoken:
        return self.channels.setdefault(name, Spoken())

    def run(self) -> None:
        self.relay.run()
        self.deliver()

    def deliver(self) -> None:
        for _ in range(100):
            before, taken = self.desk.queued(), self.queue.take(8)
            for row in taken:
                self.notifier.attempt(row)
            if not taken and self.desk.queued() == before:
                return
        raise AssertionError("it never comes to an end")

    def wait(self, **by: float) -> None:
        """Let time pass, and send what has fallen due since."""
        self.desk.clock.move(**by)
        self.run()
