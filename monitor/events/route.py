"""Which declared model an event belongs to: that of the source that selects it most closely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.events.cloudevents import Refused
from monitor.events.families import Logged
from monitor.model.sources import SELECTORS, Source


@dataclass(frozen=True, slots=True)
class Route:
    """``source`` is the place of the source in the model's declaration."""

    model: str
    source: int


class Routes:
    """The sources of all declared models."""

    def __init__(self, declared: Mapping[str, Iterable[Source]]) -> None:
        self._sources = [(Route(m, i), source) for m, of in declared.items() for i, source in enumerate(of)]

    def find(self, event: Logged) -> Route:
        """The event's model. ``Refused`` where no source takes it, or two models do so equally, with what to declare.

        >>> census = {"census": [Source("kserve", {"inferenceservice": "census"})]}
        >>> Routes(census).find(Logged("kserve", "request", "1", "predictor", {"inferenceservice": "census"}))
        Route(model='census', source=0)
        """
        taken = [
            (len(source.selectors), route)
            for route, source in self._sources
            if source.kind == event.kind and source.takes(event.said)
        ]
        if not taken:
            raise Refused("source", f"no model declares a source for it: {_said(event)}; declare {_wanted(event)}")
        most = max(n for n, _ in taken)
        best = [route for n, route in taken if n == most]
        models = list(dict.fromkeys(route.model for route in best))
        if len(models) > 1:
            named = " and ".join(models[:5])
            raise Refused("source", f"{named} both declare a source for it: {_said(event)}; let one of them say more")
        return best[0]


def _said(event: Logged) -> str:
    said = ", ".join(f"{key} {event.said[key][:60]!a}" for key in SELECTORS[event.kind] if key in event.said)
    return f"a {event.kind} event of {said}" if said else f"a {event.kind} event that names no service"


def _wanted(event: Logged) -> str:
    said = "".join(f", {key}: {event.said[key][:60]}" for key in SELECTORS[event.kind] if key in event.said)
    return f"sources: [{{kind: {event.kind}{said}}}] of its model"
