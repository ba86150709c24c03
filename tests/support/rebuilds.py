"""A small model whose state a test deletes and makes again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from databases import Deployment
from inprocess import declare, fold, open_vigil
from state import EXACT, contents

from monitor.app import App
from monitor.store import lists
from monitor.store.lists import Filter
from monitor.store.models import ModelState

MODEL = "small"
ALL = (*EXACT, "models", "folded")
Row = dict[str, Any]
Value = Callable[[int], Any]


class Rebuilds:
    """A Vigil on a deployment, opened again as often as its state is deleted. ``clock``: that of the test."""

    def __init__(self, deployment: Deployment, clock: Any) -> None:
        self.deployment, self.clock = deployment, clock
        self.vigil: App = open_vigil(deployment, clock)

    def begin(self, x: Value = float, **declared: Any) -> None:
        """The model declared, with a reference that was folded. Where no features are declared they are inferred."""
        declare(self.vigil, json.dumps({"model": MODEL, "task": "binary_classification"} | declared).encode())
        self.send_reference(x)
        self.fold()

    def send_reference(self, x: Value) -> None:
        sent = rows(self.clock.at - timedelta(days=30), 120, x)
        self.send("reference", [row | {"actual_label": i % 2} for i, row in enumerate(sent)])

    def send(self, kind: str, sent: list[Row]) -> None:
        """Rows in a segment of their own."""
        features, body = self.vigil.admission.admit(MODEL), json.dumps(sent).encode()
        taken = self.vigil.intake.take(MODEL, kind, "application/json", body, {"clock": "wall"}, features)  # type: ignore[arg-type]
        assert asyncio.run(taken).rejected == 0

    def fold(self) -> None:
        fold(self.vigil, MODEL)

    def lose(self) -> None:
        """Delete the state, and open what is left: the log."""
        self.vigil.stop()
        self.deployment.drop_state()
        self.vigil = open_vigil(self.deployment, self.clock)

    @property
    def state(self) -> ModelState:
        found = self.vigil.model_state(MODEL)
        assert found is not None
        return found

    @property
    def contents(self) -> dict[str, list[str]]:
        return contents(self.vigil.state, ALL)

    @property
    def incident(self) -> str:
        """One that is live."""
        return str(self.vigil.ask(lambda db: next(lists.bodies(db, Filter(state="live")))).id)


def rows(start: datetime, n: int, x: Value = float, first: int = 0) -> list[Row]:
    """Predictions a second apart."""
    return [
        {"prediction_id": f"{first + i}", "timestamp": (start + timedelta(seconds=i)).isoformat(),
         "features": {"x": x(i % 7)}, "prediction_score": i % 11 / 10}
        for i in range(n)
    ]  # fmt: skip


def outcomes(at: datetime, label: int, *ids: Any) -> list[Row]:
    return [{"prediction_id": str(i), "timestamp": at.isoformat(), "actual_label": label} for i in ids]
