"""A year of incidents, lived through the machine, and the log of each. Seeded: the same year each time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.care import AcceptRisk, Approve, Merge, PlanAction, Retest
from incidents.commands import Acknowledge, Clock, Close, Command, Dispose, Disposition, Open, Recover, Reopen, Resolve
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from incidents.machine import REOPEN_WINDOW, apply, decide, decide_merge
from incidents.verdict import Fingerprint, Kind, Limit, Severity

YEAR = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 20, tzinfo=UTC)
MODELS = tuple(f"model{n}" for n in range(20))
_ANA, _BO = Actor("ana", ActorKind.PERSON), Actor("bo", ActorKind.PERSON)
_RULE = Actor("vigil", ActorKind.RULE)
_LIMIT = Limit("disparate_impact", "attribute=SEX", low=0.8)


class Life:
    """One incident and its log, each step some time after the last; nothing happens after ``NOW``."""

    def __init__(self, number: int, at: datetime, draw: random.Random, model: str | None = None) -> None:
        self.draw, self.at = draw, at
        kind = draw.choice(list(Kind)) if model is None else draw.choice([Kind.DRIFT, Kind.QUALITY])
        self.fingerprint = Fingerprint(model or draw.choice(MODELS), kind, key=str(number))
        self.incident: Incident | None = None
        self.log: list[dict[str, Any]] = []
        self.clock = Clock.EVENT if model is None and draw.random() < 0.03 else Clock.WALL
        self.breach()

    @property
    def it(self) -> Incident:
        assert self.incident is not None
        return self.incident

    def breach(self) -> None:
        limits = (_LIMIT,) if self.fingerprint.kind is Kind.FAIRNESS else ()
        severity, began = self.draw.choice(list(Severity)), self.at - timedelta(hours=self.draw.expovariate(1 / 9))
        self.ask(Open(self.fingerprint, severity, "t", began, clock=self.clock, limits=limits), _RULE)

    def ask(self, command: Command, actor: Actor) -> None:
        self.take(decide(self.incident, command, actor, self.at).events)

    def take(self, events: Any) -> None:
        for event in events:
            self.incident = apply(self.incident, event)
            self.log.append(event.to_json())

    def wait(self, hours: float) -> bool:
        """Whether there is still time for what comes next."""
        later = self.at + timedelta(hours=self.draw.expovariate(1 / hours))
        self.at = min(later, NOW)
        return later < NOW

    def lived(self) -> Life:
        """From here on: perhaps acknowledged, perhaps resolved, reopened, judged and closed."""
        draw = self.draw
        if draw.random() < 0.75 and self.wait(3):
            self.ask(Acknowledge(), draw.choice([_ANA, _BO]))
        if draw.random() < 0.1 or not self.wait(60):
            return self
        self._resolved()
        while draw.random() < 0.25 and self.wait(30):
            ended = self.it.resolved_at
            if draw.random() < 0.5 or ended is None or self.at - ended >= REOPEN_WINDOW:
                self.ask(Reopen(), _ANA)
            else:
                self.breach()
            if draw.random() < 0.5 and self.wait(3):
                self.ask(Acknowledge(), _BO)
            if not self.wait(40):
                return self
            self._resolved()
        if draw.random() < 0.8 and self.wait(20):
            self._reviewed()
        return self

    def _resolved(self) -> None:
        if self.draw.random() < 0.5:
            tested = (self._retest(),) if self.fingerprint.kind is Kind.FAIRNESS else ()
            self.ask(Recover(self.at - timedelta(hours=1), retests=tested), _RULE)
        self.ask(Resolve(), self.draw.choice([_ANA, _RULE]))

    def _retest(self) -> Retest:
        half = self.draw.choice([0.02, 0.2])
        return Retest(
            _LIMIT.metric, _LIMIT.scope, self.at - timedelta(hours=24), self.at, 0.9, 0.9 - half, 0.9 + half, 500
        )

    def _reviewed(self) -> None:
        draw = self.draw
        disposition = draw.choices(list(Disposition), (6, 2, 2, 1))[0]
        self.ask(Dispose(disposition, "found"), _ANA)
        if draw.random() < 0.7:
            self.ask(PlanAction("mend", "ana", self.at, self.at), _ANA)
        if self.it.is_finding and draw.random() < 0.5:
            self.ask(AcceptRisk("for a while", self.at + timedelta(days=draw.choice([20, 400]))), _ANA)
        if self.wait(10):
            for proposal in self.it.open_proposals:
                self.ask(Approve(proposal.number), _BO)
            self.ask(Close(), _ANA)


def lived(many: int, seed: int) -> list[Life]:
    """So many incidents, opened over the year: a few go on in another, and a few come back as a recurrence."""
    draw, lives = random.Random(seed), []
    while len(lives) < many:
        at = YEAR[0] + timedelta(seconds=draw.uniform(-20 * 86_400, 365 * 86_400))
        if draw.random() < 0.04:
            lives += _merged(len(lives), at, draw)
            continue
        life = Life(len(lives), at, draw).lived()
        lives.append(life)
        if draw.random() < 0.03 and not life.it.is_live and life.wait(24 * 30):
            again = Life.__new__(Life)
            again.__dict__.update(life.__dict__, log=[])
            again.breach()
            if again.it.id != life.it.id:
                lives.append(again.lived())
            else:
                life.log += again.log
                life.incident = again.it
    return lives[:many]


def _merged(number: int, at: datetime, draw: random.Random) -> list[Life]:
    target = Life(number, at, draw, draw.choice(MODELS))
    if not target.wait(2):
        return [target]
    source = Life(number + 1, target.at, draw, target.fingerprint.model)
    if draw.random() < 0.4 and source.wait(2):
        source.ask(Acknowledge(), _ANA)
    if source.wait(5):
        if draw.random() < 0.2:
            source.ask(Resolve(), _RULE)
        here, there = decide_merge(source.it, target.it, Merge(target.it.id), _BO, source.at)
        source.take(here.events)
        target.take(there.events)
    target.at = source.at
    return [target.lived(), source]
