"""The page that Prometheus scrapes, in the format that it asks for."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from monitor.clock import Now
from monitor.database import reading
from monitor.log.port import Declaration
from monitor.metrics.delivery import add_delivery
from monitor.metrics.figures import add_backlog, add_fold, add_incidents, add_model, add_windows, add_worker
from monitor.metrics.lanes import backlog, declared
from monitor.metrics.names import Page
from monitor.metrics.process import Instruments
from monitor.metrics.quarter import Review, add_kpis, quarters
from monitor.metrics.snapshot import read
from monitor.model import ModelSpec
from monitor.store import outbox
from monitor.times import to_micros


class Metrics:
    """A registry of its own: the process's instruments, and a collector that reads the state at the scrape."""

    def __init__(self, log: Engine, state: Engine, now: Now, review: Review) -> None:
        self.registry = CollectorRegistry()
        self.process = Instruments(self.registry)
        self.registry.register(_StateCollector(log, state, now, review))

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type: OpenMetrics where ``accept`` asks for it, else the text format."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _StateCollector(Collector):
    """Reads the state, then the log: the log is never behind the state, so a backlog is never negative."""

    def __init__(self, log: Engine, state: Engine, now: Now, review: Review) -> None:
        self.log = log
        self.state = state
        self.now = now
        self.review = review
        self._specs: dict[tuple[str, int], ModelSpec] = {}

    def describe(self) -> Iterable[Metric]:
        """The families' names, without reading anything."""
        return Page().families()

    def collect(self) -> Iterable[Metric]:
        page = Page()
        instant = self.now()
        now = to_micros(instant)
        with reading(self.state) as db:
            snapshot, unrelayed = read(db), outbox.count(db)
        cursors = {m.name: m.cursor for m in snapshot.models}
        replays = {m.name for m in snapshot.models if m.event_clock}
        with reading(self.log) as db:
            specs = [self._spec(d) for d in declared(db)]
            waiting = backlog(db, {s.model: cursors.get(s.model, 0) for s in specs})
            add_delivery(page, db, snapshot.heartbeat, unrelayed, now)
        for spec in specs:
            add_model(page, spec, spec.model in replays)
        add_backlog(page, waiting, now)
        add_fold(page, snapshot)
        add_windows(page, snapshot)
        add_incidents(page, snapshot, now)
        for clock, period in quarters(snapshot, (s.model for s in specs), instant).items():
            add_kpis(page, clock, period, self.review(instant, period, clock))
        add_worker(page, snapshot)
        return page.families()

    def _spec(self, declaration: Declaration) -> ModelSpec:
        key = (declaration.model, declaration.version)
        if key not in self._specs:
            self._specs[key] = ModelSpec.from_dict(declaration.body)
        return self._specs[key]
