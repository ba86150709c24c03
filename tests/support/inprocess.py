"""Vigil without a network: batches through the intake, folded when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from arrivals import ARROW, Post
from databases import Deployment

from monitor import queries
from monitor.app import App
from monitor.clock import system_clock
from monitor.model import parse_declaration
from monitor.times import to_micros


def open_vigil(where: Path | Deployment, now: Callable[[], datetime] = system_clock) -> App:
    """An App whose worker runs only when it is told to; in a folder, it keeps its databases there."""
    deployment = where if isinstance(where, Deployment) else Deployment(where)
    vigil = App(deployment.settings(), now)
    vigil.writer.start()
    return vigil


def declare(vigil: App, declaration: bytes) -> None:
    vigil.declare(parse_declaration(declaration, "yaml"), "ana")


def take(vigil: App, model: str, posts: Iterable[Post], clock: str = "event", media: str = ARROW) -> None:
    for kind, sent in posts:
        taken = vigil.intake.take(model, kind, media, sent, {"clock": clock}, None)  # type: ignore[arg-type]
        assert asyncio.run(taken).rejected == 0


def fold(vigil: App, model: str) -> None:
    while vigil.worker.step(model):
        pass


def report(vigil: App, model: str, start: datetime, end: datetime) -> dict[tuple[str, str | None, str | None], Any]:
    """The points of a window by metric, attribute and group; those of one column or segment
    are left out."""
    state = vigil.model_state(model)
    assert state is not None
    watch = queries.watch_of(vigil.spec(model, state.declaration), state)
    found = vigil.ask(queries.report, state, watch, to_micros(start), to_micros(end), None, None)
    whole = [p for p in found["points"] if not any(p["scope"][k] for k in ("feature", "output", "segment"))]
    return {(p["metric"], p["scope"]["attribute"], p["scope"]["group"]): p for p in whole}
