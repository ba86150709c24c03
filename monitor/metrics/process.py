"""What the process counts of itself. Counters begin at 0 with each start, as Prometheus expects."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

_APPEND_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Instruments:
    """Counters and histograms of one process, in ``registry``: HTTP, ingest and log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A look at the labels of a series costs more than to count in it.
        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._by_batch: dict[tuple[str, str], tuple[Counter, ...]] = {}
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series a counter, which nobody reads
        ProcessCollector(registry=registry)
        build = Gauge("vigil_build_info", "The version that runs.", ("version", "python_version"), registry=registry)
        build.labels(version("vigil-ml"), platform.python_version()).set(1)
        self.requests = Counter(
            "vigil_http_requests", "HTTP requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "vigil_http_request_duration_seconds", "Time to answer an HTTP request.", ("method", "route"),
            buckets=_HTTP_BUCKETS, registry=registry,
        )  # fmt: skip
        self._rows = Counter(
            "vigil_ingest_rows", "Rows of answered batches, accepted or rejected.", ("model", "kind", "result"),
            registry=registry,
        )  # fmt: skip
        self._bytes = Counter(
            "vigil_ingest_bytes", "Bytes of answered batches, as they came.", ("model", "kind"), registry=registry
        )
        self._append_seconds = Histogram(
            "vigil_log_append_duration_seconds", "Time to make a group of batches durable.",
            buckets=_APPEND_BUCKETS, registry=registry,
        )  # fmt: skip
        self._append_failures = Counter(
            "vigil_log_append_failures", "Groups of batches that could not be made durable.", registry=registry
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered, by its route's template."""
        labels = (method, route, status)
        children = self._by_request.get(labels)
        if children is None:
            children = self.requests.labels(method, route, str(status)), self.request_seconds.labels(method, route)
            self._by_request[labels] = children
        children[0].inc()
        children[1].observe(seconds)

    def count_batch(self, model: str, kind: str, size: int, accepted: int, rejected: int) -> None:
        """Count a batch that was answered; ``size`` in bytes."""
        children = self._by_batch.get((model, kind))
        if children is None:
            results = (self._rows.labels(model, kind, result) for result in ("accepted", "rejected"))
            children = self._by_batch[model, kind] = (*results, self._bytes.labels(model, kind))
        for child, amount in zip(children, (accepted, rejected, size), strict=True):
            child.inc(amount)

    @contextmanager
    def append(self) -> Iterator[None]:
        """Around an append to the log: its time, and whether it failed."""
        with self._append_failures.count_exceptions(), self._append_seconds.time():
            yield
