"""The only wiring: settings to databases, log, worker, and the questions that the API and the command line ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from incidents.commands import Clock, Command, command_to_json
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from monitor.access import Keys, Principal
from monitor.clock import Now, system_clock
from monitor.database import open_database, reading
from monitor.database.lease import lease_of
from monitor.errors import BeingRebuilt, Conflict, NotFound
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
from monitor.people import People
from monitor.review import kpis_for
from monitor.senders.wiring import notifier_of
from monitor.settings import Settings
from monitor.store import heartbeats, incidents, models
from monitor.store.models import ModelState
from monitor.times import to_micros
from monitor.worker.beside import MISSED, WorkerBeside
from monitor.worker.commands import Reason, being_rebuilt
from monitor.worker.erasing import ask
from monitor.worker.heartbeat import Heart
from monitor.worker.housekeeping import Housekeeping
from monitor.worker.keeping import Keeper
from monitor.worker.loop import Worker
from monitor.worker.retention import Ages, Retention
from monitor.worker.thread import WorkerThread

if TYPE_CHECKING:
    from monitor.people.oidc import Oidc

SILENT = 60.0       # seconds without a word of the worker after which the service says so


class App:
    """Vigil with its parts put together. ``start`` begins what runs in the background, ``stop`` ends it in order."""

    def __init__(self, settings: Settings, now: Now = system_clock) -> None:
        self.settings = settings
        self.now = now
        migrate(settings)
        self.log = SqlLog(open_database(settings.log_url, durable=True))
        self.state = open_database(settings.state_url, durable=False)
        self.keys = Keys(self.log.engine, now)
        hours, minutes = timedelta(hours=settings.session_hours), timedelta(minutes=settings.acknowledge_link_minutes)
        self.people = People(self.log.engine, now, self.keys, hours, minutes)
        self.metrics = Metrics(self.log.engine, self.state, now, self._kpis)
        self.heart = Heart(self.state, now)
        self.worker = Worker(self.log, self.state, now, self.heart.fold)
        self.keeper = Keeper(self.worker)
        self.retention = Retention(self.keeper, Ages.of_days(
            settings.retention_raw_days, settings.retention_protected_days, settings.retention_summaries_days,
            settings.retention_rejects_days,
        ))  # fmt: skip
        lease, house = lease_of(self.state), Housekeeping(self.retention)
        self.thread = WorkerThread(self.worker, settings.tick_seconds, self.heart, lease, house)
        self.beside = WorkerBeside(settings)
        self.notifier = notifier_of(self.log, self.state, settings, now, self.people, lambda: self.thread.holds)
        self.writer = LogWriter(self.log, self._appended, self.metrics.process.append)
        self.admission = Admission(self.log, self.state, settings.max_backlog_rows)
        self.intake = Intake(self.log, self.writer, now, settings.max_rows_per_batch)
        self.events = EventIntake(self.log, self.writer, now, self.admission, settings.max_rows_per_batch)
        self.mesh = Mesh.of(settings.mesh_identity_header, settings.trusted_proxies)

    @cached_property
    def oidc(self) -> Oidc | None:
        """The provider at which people may sign in, where one is named."""
        if not self.settings.oidc_issuer:
            return None
        from monitor.people.oidc import Oidc, Provider  # not at the top: few need it, and it is large

        of = self.settings
        return Oidc(Provider.of(of.oidc_issuer, of.oidc_client_id, of.oidc_client_secret, of.oidc_claim, of.oidc_roles),
                    self.now)  # fmt: skip

    def start(self) -> None:
        self.writer.start()
        if self.settings.worker == "embedded":
            self.start_worker()
        if self.settings.worker == "process":
            self.beside.start()

    def start_worker(self) -> None:
        """Fold, judge and notify in this process."""
        self.thread.start()
        self.notifier.start()

    def stop(self) -> None:
        if self.writer.is_alive():
            self.writer.stop()
        self.intake.stop()
        for background in (self.notifier, self.thread, self.beside):
            if background.is_alive():
                background.stop()
        self.worker.ahead.stop()
        self.log.engine.dispose()
        self.state.dispose()

    def _appended(self, new: Sequence[Segment]) -> None:
        for segment in new:
            self.admission.appended(segment.model, segment.rows)
        self.thread.wake()
        self.beside.wake()

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
        if (seconds := self.beside.missing()) > MISSED:
            return f"the worker ended {seconds:.0f} s ago, and none that was started since has lasted"
        return ""

    def silence(self) -> str:
        """That the worker this service is to have has said nothing for long: a refold may take as long, so it is no
        fault. Empty where it was heard of."""
        if self.settings.worker == "none":
            return ""
        with reading(self.state) as db:
            beat = heartbeats.load(db)
        seconds = 0.0 if beat is None else (to_micros(self.now()) - beat.at) / 1e6
        return f"the worker was last heard of {seconds:.0f} s ago" if seconds > SILENT else ""

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

    def command(self, incident_id: str, command: Command, who: Principal) -> tuple[Incident | None, Reason]:
        """Carry out a person's or machine's command; ``NotFound`` where there is no such incident. ``RECORDED``, and no
        incident, where it is being made again from the log."""
        name = self.model_of(incident_id)
        actor = Actor(who.owner, ActorKind(who.kind))
        reason = self.worker.command(name, incident_id, command_to_json(command), actor)
        with reading(self.state) as db:
            return incidents.find(db, incident_id), reason

    def incident(self, incident_id: str) -> Incident:
        """An incident; ``NotFound`` where there is none, ``BeingRebuilt`` where it is being made again."""
        with reading(self.state) as db:
            found = incidents.find(db, incident_id)
        if found is None:
            name = self.model_of(incident_id)
            raise BeingRebuilt(f"the incidents of '{name}' are being made again", "Ask again later", retry_after=5)
        return found

    def model_of(self, incident_id: str) -> str:
        """The name of the model that an incident belongs to, if only the log knows it: the state may be behind."""
        with reading(self.state) as db:
            name = incidents.model_of(db, incident_id)
        if name is None:
            name = self.log.model_of(incident_id)
            if name is None or not being_rebuilt(self.log, self.state, name):
                raise NotFound(f"there is no incident '{incident_id}'", "GET /v1/incidents lists them")
        return name

    def ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Answer a question of ``monitor.queries`` from one consistent view of the state."""
        with reading(self.state) as db:
            return question(db, *args, **kwargs)

    def ask_log(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Answer a question of one of the log's registers from one consistent view of it."""
        with reading(self.log.engine) as db:
            return question(db, *args, **kwargs)
