"""Law 1: the log holds the truth. Delete everything right of it, rebuild, and get the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import census
import numpy as np
import pytest
from databases import Deployment
from inprocess import declare, fold, open_vigil, take
from sqlalchemy import Connection
from state import EXACT, contents, differing

from incidents.commands import Acknowledge, Comment
from monitor.access import Principal
from monitor.app import App
from monitor.store import lists
from monitor.store.lists import Filter

pytestmark = pytest.mark.both_databases

PERSON = Principal("ana", "person", frozenset({"operate"}), None)
ALL = (*EXACT, "models", "folded")


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def _rebuilt(deployment: Deployment, now: Hands, model: str) -> dict[str, list[str]]:
    """What the log alone makes, after the state is gone."""
    deployment.drop_state()
    vigil = open_vigil(deployment, now)
    fold(vigil, model)
    found = contents(vigil.state, ALL)
    vigil.stop()
    return found


def test_a_replay_rebuilt_from_the_log_gives_the_same_points_and_incidents(deployment: Deployment) -> None:
    now = Hands(datetime(2026, 11, 1, tzinfo=UTC))
    vigil = open_vigil(deployment, now)
    declare(vigil, census.declaration())
    take(vigil, census.MODEL, [census.reference()])
    acknowledged = False
    for i, post in enumerate(census.arrivals(slice(131_000, 139_000), 500)):
        now.at += timedelta(milliseconds=1)
        take(vigil, census.MODEL, [post])
        if i % 3 == 0:      # the worker takes what is there, now more and now less: it must not matter
            fold(vigil, census.MODEL)
        live = vigil.ask(_live)
        if live and not acknowledged:
            _, reason = vigil.command(live[0], Acknowledge("mine"), PERSON)
            acknowledged = reason.value == "done"
    fold(vigil, census.MODEL)
    first = contents(vigil.state, ALL)
    vigil.stop()
    assert acknowledged
    assert len(first["incidents"]) >= 1, "the cut holds the group quarters"
    assert any('"acknowledged"' in e for e in first["incident_events"])
    again = _rebuilt(deployment, now, census.MODEL)
    assert differing(first, again) == {}


def test_ticks_and_commands_take_effect_again_where_they_did(deployment: Deployment) -> None:
    now = Hands(datetime(2026, 3, 2, tzinfo=UTC))
    vigil = open_vigil(deployment, now)
    declare(vigil, json.dumps(_SMALL).encode())
    rng = np.random.default_rng(7)
    _send(vigil, "reference", _rows(rng, now.at - timedelta(days=30), 3_000, 0.0))
    for day in range(8):
        body = _rows(rng, now.at, 300, 0.0 if day < 3 else 4.0)
        now.at += timedelta(days=1)
        _send(vigil, "predictions", body)
        if day % 2:
            fold(vigil, "small")
        now.at += timedelta(minutes=10)
        vigil.worker.tick("small")
        for incident in vigil.ask(_live):
            vigil.command(incident, Comment(f"day {day}"), PERSON)
    now.at += timedelta(days=4)     # nothing comes any more: time alone closes windows
    fold(vigil, "small")
    vigil.worker.tick("small")
    first = contents(vigil.state, ALL)
    assert len(vigil.log.ticks("small")) > 2
    assert len(vigil.log.commands("small")) > 1
    vigil.stop()
    assert any("Drift in x" in e for e in first["incident_events"]), "it joined the values out of range that explain it"
    assert any("Volume: row count 0" in i for i in first["incidents"]), "silence is an incident of its own kind"
    again = _rebuilt(deployment, now, "small")
    assert differing(first, again) == {}


def test_models_that_were_folded_in_turn_come_out_the_same(deployment: Deployment) -> None:
    now = Hands(datetime(2026, 3, 2, tzinfo=UTC))
    vigil = open_vigil(deployment, now)
    names = ("zebra", "aardvark")       # declared in another order than the worker goes by
    for name in names:
        declare(vigil, json.dumps(_SMALL | {"model": name}).encode())
    rng = np.random.default_rng(11)
    for name in names:
        _send(vigil, "reference", _rows(rng, now.at - timedelta(days=30), 1_000, 0.0), name)
    for _ in range(4):
        start = now.at
        now.at += timedelta(days=1)
        for name in names:
            _send(vigil, "predictions", _rows(rng, start, 200, 0.0), name)
            fold(vigil, name)
    first = contents(vigil.state, ALL)
    vigil.stop()
    assert len({json.loads(p)["model"] for p in first["points"]}) == 2
    deployment.drop_state()
    vigil = open_vigil(deployment, now)
    for name in vigil.log.models():
        fold(vigil, name)
    assert differing(first, contents(vigil.state, ALL)) == {}
    vigil.stop()


_SMALL = {
    "model": "small",
    "task": "binary_classification",
    "features": {"x": "numeric", "k": "categorical"},
    "grain": "1d",
    "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"},
}


def _send(vigil: App, kind: str, body: bytes, model: str = "small") -> None:
    take(vigil, model, [(kind, body)], clock="wall", media="application/json")


def _rows(rng: np.random.Generator, start: datetime, n: int, shift: float) -> bytes:
    rows = [
        {
            "prediction_id": f"{start:%m%d}-{i}",
            "timestamp": (start + timedelta(seconds=86_000 * i / n)).isoformat(),
            "features": {"x": float(rng.normal() + shift), "k": "ab"[i % 2]},
            "prediction_score": float(rng.random()),
        }
        for i in range(n)
    ]
    return json.dumps(rows).encode()


def _live(db: Connection) -> list[str]:
    return [i.id for i in lists.bodies(db, Filter(state="live"))]
