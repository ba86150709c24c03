"""The console: models at a glance, and the page of one model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from api.access import Vigil, needs
from api.pages import Page, headline, render
from api.sections import sections
from monitor import queries, views
from monitor.access import Principal
from monitor.app import App
from monitor.judge.windows import Track
from monitor.model import ModelSpec
from monitor.store import lists, points
from monitor.store.lists import Filter, Listed, Sort
from monitor.store.models import ModelState
from monitor.times import from_micros, span_micros

router = APIRouter(route_class=Page)

Reader = Annotated[Principal, needs("read")]
SPARK_WINDOWS = 52
MOST_LIVE = 50


@dataclass(frozen=True, slots=True)
class Glance:
    """A model's row on the home page."""

    name: str
    spec: ModelSpec
    state: ModelState | None
    waiting: int
    health: list[views.Health]
    metric: str
    recent: list[float]
    live: int

    @property
    def coverage(self) -> float | None:
        counts = (self.state and self.state.counts) or {}
        return counts.get("joined", 0) / counts["predictions"] if counts.get("predictions") else None

    @property
    def latest(self) -> datetime | None:
        return from_micros(self.state.last_prediction) if self.state and self.state.last_prediction else None


@router.get("/")
def home(request: Request, vigil: Vigil, who: Reader) -> Response:
    """What needs somebody now, then each model."""
    names = visible(vigil, who)
    mine = Filter(who.models, "live")
    live: list[Listed] = vigil.ask(lists.page, mine, MOST_LIVE, Sort.URGENT).items
    by_model: dict[str, int] = vigil.ask(lists.count_by_model, mine)
    glances = [_glance(vigil, name, by_model.get(name, 0)) for name in names]
    more = sum(by_model.values()) - len(live)
    return render(request, "home.html", who, live=live, more=more, models=glances)


@router.get("/models/{model}")
def model_page(
    request: Request,
    vigil: Vigil,
    who: Reader,
    model: str,
    window: str | None = None,
    feature: str | None = None,
    metric: str | None = None,
    attribute: str | None = None,
) -> Response:
    """One model over event time; every choice is a parameter, so that each view is a link."""
    _, spec = vigil.intake.declared(model)
    state = vigil.model_state(model)
    watch = None
    if state is not None and state.reference is not None:
        spec = vigil.spec(model, state.declaration)
        watch = queries.watch_of(spec, state)
    page: dict[str, Any] = {"glance": _glance(vigil, model), "spec": spec, "watch": watch}
    page |= {"incidents": [], "signals": []}
    if state is not None and watch is not None:
        page |= vigil.ask(sections, state, watch, window, feature, metric, attribute)
    return render(request, "model.html", who, **page)


def visible(vigil: App, who: Principal) -> list[str]:
    """The declared models that a key may see."""
    return [name for name in vigil.log.models() if who.models is None or name in who.models]


def _glance(vigil: App, name: str, live: int = 0) -> Glance:
    _, spec = vigil.intake.declared(name)
    state = vigil.model_state(name)
    metric = headline(spec)
    waiting = vigil.log.rows_after(name, 0 if state is None else state.cursor)
    health: list[views.Health] = []
    recent: list[float] = []
    if state is not None:
        health = vigil.ask(views.health, state.id)
        track = Track("performance", span_micros(spec.windows.performance)).name
        newest = vigil.ask(points.history, state.id, track, metric, 2**62, SPARK_WINDOWS)
        recent = newest[::-1]
    return Glance(name, spec, state, waiting, health, metric, recent, live)
