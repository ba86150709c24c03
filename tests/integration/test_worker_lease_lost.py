"""A lease that a session of PostgreSQL holds ends with the session, and its holder sees it."""

from __future__ import annotations

import time

from databases import Deployment
from sqlalchemy import text

from monitor.database import open_database
from monitor.database.lease import lease_of
from monitor.migrate import migrate

CUT = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"


def test_a_session_that_the_server_cut_off_has_lost_it(on_postgres: Deployment) -> None:
    settings = on_postgres.settings()
    migrate(settings)
    state = open_database(settings.state_url, durable=False)
    first, second = lease_of(state), lease_of(state)
    assert first.take()
    assert not second.take()
    with state.connect() as db:
        db.execute(text(CUT))
    deadline = time.monotonic() + 30
    while not second.take():        # the server ends the session in its own time
        assert time.monotonic() < deadline, "it was not let go"
        time.sleep(0.02)
    assert not first.take()
    second.release()
    assert first.take()
    first.release()
    state.dispose()
