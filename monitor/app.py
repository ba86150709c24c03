"""The only wiring: settings to databases, log, worker, and the questions that the API and the command line ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from incidents.commands import Clock, Command, command_to_json
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from incidents.machine import DecisionReason
from monitor.access import Keys, Principal
from monitor.clock import Now, system_clock
from monitor.database import open_database, reading
from monitor.errors import Conflict, NotFound
from monitor.identity import Mesh
from monitor.ingest import Admission, EventIntake, Intake
from monitor.kpis.kpi import Kpi
from monitor.kpis.periods import Period
from monitor.log.erasures import Erasure, Of, of_model
from monitor.log.port import Declaration, Segment
from monitor.log.sql import SqlLog
from monitor.log.writer import LogWriter
from monitor.metrics import Metrics
from monitor.migrate import migrate
from monitor.model import ModelSpec
from monitor.review import kpis_for
from monitor.settings import Settings
from monitor.store import incidents, models
from monitor.store.models import ModelState
from monitor.times import to_micros
from monitor.worker.erasing import ask
from monitor.worker.housekeeping import Housekeeping
from monitor.worker.keeping import Keeper
from monitor.worker.loop import Worker
from monitor.worker.retention import Ages, Retention
from monitor.worker.thread import WorkerThread


class App:
    """Vigil with its parts put together. ``start`` begins what runs in the background, ``stop`` ends it in order."""

    def __init__(self, settings: Settings, now: Now = system_clock) -> None:
        self.settings = settings
        self.now = now
        migrate(settings)
        self.log = SqlLog(open_database(settings.log_url, durable=True))
        self.state = open_database(settings.state_url, durable=False)
        self.keys = Keys(self.log.engine, now)
        self.metrics = Metrics(self.log.engine, self.state, now, lambda: self.thread.last_round, self._kpis)
        self.worker = Worker(self.log, self.state, now, self.metrics.process.fold)
        self.keeper = Keeper(self.worker)
        self.retention = Retention(self.keeper, Ages.of_days(
            settings.retention_raw_days, settings.retention_protected_days, settings.retention_summaries_days,
            settings.retention_rejects_days,
        ))  # fmt: skip
        self.thread = WorkerThread(self.worker, settings.tick_seconds, Housekeeping(self.retention))
        self.writer = LogWriter(self.log, self._appended, self.metrics.process.append)
        self.admission = Admission(self.log, self.state, settings.max_backlog_rows)
        self.intake = Intake(self.log, self.writer, now, settings.max_rows_per_batch)
        self.events = EventIntake(self.log, self.writer, now, self.admission, settings.max_rows_per_batch)
        self.mesh = Mesh.of(settings.mesh_identity_header, settings.trusted_proxies)

    def start(self) -> None:
        self.writer.start()
        if self.settings.worker == "embedded":
            self.thread.start()

    def stop(self) -> None:
        if self.writer.is_alive():
            self.writer.stop()
        self.intake.stop()
        if self.thread.is_alive():
            self.thread.stop()
        self.worker.ahead.stop()
        self.log.engine.dispose()
        self.state.dispose()

    def _appended(self, new: Sequence[Segment]) -> None:
        for segment in new:
            self.admission.appended(segment.model, segment.rows)
        self.thread.wake()

    def _kpis(self, now: datetime, period: Period, clock: Clock) -> list[Kpi]:
        return kpis_for(self.log.engine, self.state, now, period, clock=clock.value)

    def faults(self) -> str:
        """What keeps the service from working; empty where nothing does."""
        self.log.models()
        self.ask(models.names)
        if not self.writer.is_alive():
            return "the log's writer has stopped"
        if self.settings.worker == "embedded" and not self.thread.is_alive():
            return "the worker has stopped"
        return ""

    def declare(self, spec: ModelSpec, by: str) -> Declaration:
        """Make a declaration the model's next version; the same again is the version that stands. ``Conflict`` for one
        of another task or positive label: what was logged under the first cannot be read by the second, for a score is
        the probability of that label."""
        before = self.log.declaration(spec.model)
        new = spec.to_dict()
        for key in ("task", "positive_label"):
            if before is not None and before.body.get(key) != new.get(key):
                raise Conflict(
                    f"'{spec.model}' is declared with {key} {before.body.get(key)!r}, and this says {new.get(key)!r}",
                    "Declare it under a name of its own",
                )
        made = self.log.declare(spec.model, to_micros(self.now()), by, spec.to_dict())
        self.intake.forget(spec.model)
        self.events.declarations.forget()
        return made

    def spec(self, model: str, version: int) -> ModelSpec:
        """A version of a model's declaration."""
        found = self.log.declaration(model, version)
        if found is None:
            raise NotFound(f"'{model}' has no declaration {version}", f"GET /v1/models/{model} shows the one in force")
        return ModelSpec.from_dict(found.body)

    def ask_erasure(self, model: str, of: Of, whom: str, by: str, reason: str) -> Erasure:
        """Record that what is held of a person or a prediction is to be erased; the worker carries it out."""
        self.intake.declared(model)
        return ask(self.keeper, model, of, whom, by, reason)

    def erasures(self, model: str) -> list[Erasure]:
        self.intake.declared(model)
        with reading(self.log.engine) as db:
            return of_model(db, model)

    def model_state(self, model: str) -> ModelState | None:
        with reading(self.state) as db:
            return models.load(db, model)

    def command(self, incident_id: str, command: Command, who: Principal) -> tuple[Incident, DecisionReason]:
        """Carry out a person's or machine's command; ``NotFound`` where there is no such incident."""
        name = self.model_of(incident_id)
        actor = Actor(who.owner, ActorKind(who.kind))
        reason = self.worker.command(name, incident_id, command_to_json(command), actor)
        return self.incident(incident_id), reason

    def incident(self, incident_id: str) -> Incident:
        with reading(self.state) as db:
            found = incidents.find(db, incident_id)
        if found is None:
            raise NotFound(f"there is no incident '{incident_id}'", "GET /v1/incidents lists them")
        return found

    def model_of(self, incident_id: str) -> str:
        """The name of the model that an incident belongs to."""
        with reading(self.state) as db:
            number = incidents.model_of(db, incident_id)
            names = models.names(db)
        if number is None:
            raise NotFound(f"there is no incident '{incident_id}'", "GET /v1/incidents lists them")
        return names[number]

    def ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Answer a question of ``monitor.queries`` from one consistent view of the state."""
        with reading(self.state) as db:
            return question(db, *args, **kwargs)
