"""A server of PostgreSQL that goes away under a running service, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from databases import Deployment, Postgres

from monitor.database.lease import lease_of
from monitor.settings import Settings
from monitor.worker.thread import WorkerThread


@pytest.fixture
def settings(on_postgres: Deployment) -> Settings:
    return on_postgres.settings()


@pytest.fixture
def server(postgres: Postgres, on_postgres: Deployment) -> Iterator[Server]:
    found = Server(postgres, on_postgres.name)
    yield found
    found.back()


class Server:
    """The database as a service sees it: there, or gone."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self.postgres, self.name = postgres, name

    def gone(self) -> None:
        """Take nobody in, and cut off who is there."""
        self.postgres.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self.postgres.execute(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{self.name}'"
        )

    def back(self) -> None:
        self.postgres.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")


def test_it_answers_503_while_the_server_is_gone_and_comes_back_by_itself(
    service: Any, problem: Any, server: Server
) -> None:
    service.reference()
    assert service.post("predictions", [service.prediction(0)]).status_code == 202
    worker = WorkerThread(service.app.worker, 1, service.app.heart, lease_of(service.app.state))
    worker.start()
    try:
        server.gone()
        for _ in range(2):
            for answer in (service.post("predictions", [service.prediction(1)]), service.client.get("/v1/models")):
                body = problem(answer, 503, "not-durable")
                assert int(answer.headers["retry-after"]) > 0
                assert "Start the database" in body["mend"] or "restore the database" in body["mend"]
        assert service.client.get("/readyz").status_code == 503
        assert worker.is_alive()
        server.back()
        assert service.post("predictions", [service.prediction(1)]).status_code == 202
        assert service.client.get("/readyz").status_code == 200
    finally:
        worker.stop()
    service.fold()
    assert service.counts() == {"predictions": 2}
