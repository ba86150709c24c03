"""Several workers on one database: the database holds one live incident a fingerprint, and what they make together is
what one makes alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from databases import Deployment
from inprocess import declare, fold, open_vigil, take
from parallel import fold_together
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from state import EXACT, contents, differing

from incidents.commands import Open
from incidents.events import Actor, ActorKind
from incidents.machine import decide
from incidents.notices import Origin
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.app import App
from monitor.database import open_database, writing
from monitor.store import incidents, tables

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = ["first", "second", "third"]
WORKERS, ROWS, DAYS = 4, 120, 6
RULE = Actor("vigil", ActorKind.RULE)
_SMALL = {"task": "binary_classification", "grain": "1d", "features": {"x": "numeric", "y": "numeric"},
          "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"}}  # fmt: skip


def _rows(rng: np.random.Generator, start: datetime, n: int, shift: float) -> bytes:
    rows: list[dict[str, Any]] = [
        {"prediction_id": f"{start:%m%d}-{i}", "timestamp": (start + timedelta(minutes=5 * i)).isoformat(),
         "features": {"x": float(rng.normal(shift)), "y": float(rng.normal())}, "prediction_score": float(rng.random())}
        for i in range(n)
    ]  # fmt: skip
    return json.dumps(rows).encode()


def _filled(vigil: App) -> None:
    """Three models, each with its reference folded and six days in the log, of which the last drift."""
    rng = np.random.default_rng(3)
    for name in NAMES:
        declare(vigil, json.dumps(_SMALL | {"model": name}).encode())
        take(vigil, name, [("reference", _rows(rng, NOW - timedelta(days=60), 800, 0.0))], media="application/json")
        fold(vigil, name)
        for day in range(DAYS):
            body = _rows(rng, NOW + timedelta(days=day), ROWS, 4.0 if day >= 3 else 0.0)
            take(vigil, name, [("predictions", body)], media="application/json")


@pytest.mark.both_databases
def test_four_workers_make_what_one_makes(deployment: Deployment) -> None:
    vigil = open_vigil(deployment)
    _filled(vigil)
    waiting = vigil.worker.waiting()
    assert waiting == sorted(NAMES)
    assert fold_together(deployment.settings(), NAMES, WORKERS, ROWS) == [0] * WORKERS
    assert vigil.worker.waiting() == []
    together = contents(vigil.state, (*EXACT, "models", "folded"))
    live = [json.loads(i)["fingerprint"] for i in together["incidents"] if json.loads(i)["active"]]
    assert len(together["incidents"]) >= len(NAMES)
    assert len(live) == len(set(live))
    vigil.stop()
    deployment.drop_state()
    vigil = open_vigil(deployment)
    for name in NAMES:
        fold(vigil, name)
    assert differing(together, contents(vigil.state, (*EXACT, "models", "folded"))) == {}
    vigil.stop()


@pytest.fixture
def state(deployment: Deployment) -> Iterator[Engine]:
    engine = open_database(deployment.settings().state_url, durable=False)
    yield engine
    engine.dispose()


@pytest.mark.both_databases
def test_of_those_who_open_one_fingerprint_at_once_the_database_lets_one(deployment: Deployment, state: Engine) -> None:
    fingerprint, begin = Fingerprint("churn", Kind.DRIFT), threading.Barrier(WORKERS)
    opened, refused = list[str](), list[int]()

    def open_(number: int) -> None:
        """As one who has seen no live incident: it is not looked for again under the lock."""
        at = NOW + timedelta(seconds=number)
        decision = decide(None, Open(fingerprint, Severity.WARNING, "it drifts", at), RULE, at)
        begin.wait(timeout=30)
        try:
            with writing(state) as db:
                incident = incidents.record(db, 1, None, decision.events, Origin("tick", number + 1))
            assert incident is not None
            opened.append(incident.id)
        except IntegrityError:
            refused.append(number)

    threads = [threading.Thread(target=open_, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(opened), len(refused)) == (1, WORKERS - 1)
    with state.connect() as db:
        kept = select(func.count()).select_from(tables.incidents)
        assert db.execute(kept).scalar_one() == 1, "what was refused left nothing"
        assert incidents.holder(db, fingerprint) == opened[0]
