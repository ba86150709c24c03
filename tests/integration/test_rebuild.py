"""Law 1: the log holds the truth. Delete everything right of it, rebuild, and get the same."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import census
import numpy as np
from state import EXACT, contents, differing

from incidents.commands import Acknowledge, Comment
from monitor.access import Principal
from monitor.app import App
from monitor.model import parse_declaration
from monitor.settings import Settings

PERSON = Principal("ana", "person", frozenset({"operate"}), None)
ALL = (*EXACT, "models", "folded")


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def _open(folder: Path, now: Hands) -> App:
    vigil = App(Settings(data_dir=folder, worker="none"), now)
    vigil.writer.start()
    return vigil


def _take(vigil: App, model: str, kind: str, body: bytes, media: str, clock: str) -> None:
    vigil.now.at += timedelta(milliseconds=1)  # type: ignore[attr-defined]  # the hands
    taken = vigil.intake.take(model, kind, media, body, {"clock": clock}, None)  # type: ignore[arg-type]
    assert asyncio.run(taken).rejected == 0


def _fold(vigil: App, model: str) -> None:
    while vigil.worker.step(model):
        pass


def _rebuilt(folder: Path, now: Hands, model: str) -> dict[str, list[str]]:
    """What the log alone makes, after the state's database is gone."""
    for file in folder.glob("vigil.db*"):
        file.unlink()
    vigil = _open(folder, now)
    _fold(vigil, model)
    vigil.worker.catch_up(model)
    found = contents(vigil.state, ALL)
    vigil.stop()
    return found


def test_a_replay_rebuilt_from_the_log_gives_the_same_points_and_incidents(tmp_path: Path) -> None:
    now = Hands(datetime(2026, 11, 1, tzinfo=UTC))
    vigil = _open(tmp_path, now)
    vigil.declare(parse_declaration(census.declaration(), "yaml"), "ana")
    _take(vigil, census.MODEL, *census.reference(), census.ARROW, "event")
    acknowledged = False
    for i, (kind, body) in enumerate(census.arrivals(slice(131_000, 139_000), 500)):
        _take(vigil, census.MODEL, kind, body, census.ARROW, "event")
        if i % 3 == 0:      # the worker takes what is there, now more and now less: it must not matter
            _fold(vigil, census.MODEL)
        live = vigil.ask(_live)
        if live and not acknowledged:
            incident, reason = vigil.command(live[0], Acknowledge("mine"), PERSON)
            acknowledged = reason.value == "done"
    _fold(vigil, census.MODEL)
    first = contents(vigil.state, ALL)
    vigil.stop()
    assert acknowledged
    assert len(first["incidents"]) >= 1, "the cut holds the group quarters"
    assert any('"acknowledged"' in e for e in first["incident_events"])
    again = _rebuilt(tmp_path, now, census.MODEL)
    assert differing(first, again) == {}


def test_ticks_and_commands_take_effect_again_where_they_did(tmp_path: Path) -> None:
    now = Hands(datetime(2026, 3, 2, tzinfo=UTC))
    vigil = _open(tmp_path, now)
    vigil.declare(parse_declaration(json.dumps(_SMALL).encode(), "json"), "ana")
    rng = np.random.default_rng(7)
    _take(vigil, "small", "reference", _rows(rng, now.at - timedelta(days=30), 3_000, 0.0), "application/json", "wall")
    for day in range(8):
        body = _rows(rng, now.at, 300, 0.0 if day < 3 else 4.0)
        now.at += timedelta(days=1)
        _take(vigil, "small", "predictions", body, "application/json", "wall")
        if day % 2:
            _fold(vigil, "small")
        now.at += timedelta(minutes=10)
        vigil.worker.tick("small")
        for incident in vigil.ask(_live):
            vigil.command(incident, Comment(f"day {day}"), PERSON)
    now.at += timedelta(days=2)     # nothing comes any more: time alone closes windows
    _fold(vigil, "small")
    vigil.worker.tick("small")
    first = contents(vigil.state, ALL)
    assert len(vigil.log.ticks("small")) > 2
    assert len(vigil.log.commands("small")) > 1
    vigil.stop()
    assert any("Drift in x" in i for i in first["incidents"])
    again = _rebuilt(tmp_path, now, "small")
    assert differing(first, again) == {}


_SMALL = {
    "model": "small",
    "task": "binary_classification",
    "features": {"x": "numeric", "k": "categorical"},
    "grain": "1d",
    "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"},
}


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


def _live(db: object) -> list[str]:
    from monitor.store import incidents

    return [i.id for i in incidents.search(db, state="live")]  # type: ignore[arg-type]
