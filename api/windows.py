"""Questions of any window of a model: its report, why it is other, whether groups are alike, the reliability curve."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from api.access import Vigil, needs
from api.instants import dated
from api.openapi import errors
from detectors.catalogue import CATALOGUE
from monitor import queries
from monitor.access import Principal
from monitor.app import App
from monitor.equivalence import equivalence_of
from monitor.errors import Conflict, InvalidInput
from monitor.explain import explain
from monitor.judge.watch import Watch
from monitor.model import format_duration
from monitor.model.words import closest
from monitor.reliability import reliability_of
from monitor.store.models import ModelState
from monitor.times import to_micros

router = APIRouter(prefix="/v1", tags=["windows"], responses=errors(401, 403, 404, 409, 422))


Instant = Annotated[datetime, BeforeValidator(dated)]
Reader = Annotated[Principal, needs("read")]
Start = Annotated[Instant, Query(alias="from", description="The window's start: a date, or RFC 3339; on the grain")]
End = Annotated[Instant, Query(description="Its end, which is not part of it")]
Metrics = Annotated[str | None, Query(description="Only these, with commas between them; all where absent")]
Part = Annotated[str | None, Query(description="Only this part, such as feature:age or attribute:SEX")]
Disparity = Annotated[str, Query(description="A disparity of rates, such as demographic_parity_difference")]
Attribute = Annotated[str, Query(description="A protected attribute, or an intersection such as SEX&RACE")]
Margin = Annotated[float, Query(gt=0, lt=1, description="What still counts as equal: a difference, or a ratio")]


@router.get("/models/{model}/report")
def get_report(
    vigil: Vigil,
    model: str,
    _who: Reader,
    start: Start,
    to: End,
    metric: Metrics = None,
    scope: Part = None,
) -> dict[str, Any]:
    """One report of any window whose ends lie on the grain: drift, quality, performance, fairness.

    `causes` ranks the features by what their drift does to the output; `carriers` breaks the change of the first
    performance metric down by segments and bins of features, the parts of each axis adding up to it; `correlations`
    names the pair behind a `correlation_change`; `sampling` tells at which rates rows were sent, where not all were."""
    state, watch, a, b = window_of(vigil, model, start, to)
    metrics = None if metric is None else set(metric.split(","))
    for name in sorted(metrics or ()):
        if name not in CATALOGUE:
            raise InvalidInput(
                f"'{name}' is not measured by this version", f"The nearest known is '{closest(name, CATALOGUE)}'"
            )
    found: dict[str, Any] = vigil.ask(queries.report, state, watch, a, b, metrics, scope)
    return found


@router.get("/models/{model}/explanation")
def get_explanation(vigil: Vigil, model: str, _who: Reader, start: Start, to: End) -> dict[str, Any]:
    """How well a window's rows are told from the reference's, and by which features: a classifier between samples of
    the two, at most 2,000 rows each. The shares of all features add up to 1. Protected attributes are never used."""
    state, watch, a, b = window_of(vigil, model, start, to)
    found: dict[str, Any] = vigil.ask(explain, vigil.log, state, watch, a, b)
    return found


@router.get("/models/{model}/equivalence")
def get_equivalence(
    vigil: Vigil,
    model: str,
    _who: Reader,
    metric: Disparity,
    attribute: Attribute,
    margin: Margin,
    start: Start,
    to: End,
) -> dict[str, Any]:
    """Whether a window shows that groups are treated alike, up to a margin: what it takes to close a finding, since "no
    significant difference" shows nothing. Two one-sided tests at 5 %, over all groups that are large enough to tell."""
    state, watch, a, b = window_of(vigil, model, start, to)
    return equivalence_of(watch, vigil.ask(queries.window_data, state, watch, a, b), metric, attribute, margin)


@router.get("/models/{model}/reliability")
def get_reliability(vigil: Vigil, model: str, _who: Reader, start: Start, to: End) -> dict[str, Any]:
    """The reliability curve of a classification: by bin of the score its mean and the share of positives, in the window
    and in the reference, with the expected calibration error; of many classes one curve each."""
    state, watch, a, b = window_of(vigil, model, start, to)
    return reliability_of(watch, vigil.ask(queries.window_data, state, watch, a, b))


def window_of(vigil: App, model: str, start: datetime, to: datetime) -> tuple[ModelState, Watch, int, int]:
    """A model with its reference and a window on its grain, in microseconds; a problem where there is none."""
    vigil.intake.declared(model)
    state = vigil.model_state(model)
    watch = None if state is None else queries.watch_of(vigil.spec(model, state.declaration), state)
    if state is None or watch is None:
        raise Conflict(f"'{model}' has no reference yet", f"Load one: POST /v1/models/{model}/reference")
    a, b = to_micros(utc(start)), to_micros(utc(to))
    if not queries.on_grain(watch.spec, a, b):
        grain = format_duration(watch.spec.grain)
        raise InvalidInput("the window does not lie on the grain", f"Let 'from' and 'to' be whole multiples of {grain}")
    return state, watch, a, b


def utc(instant: datetime) -> datetime:
    """A query's instant; one without a zone is UTC."""
    try:
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise InvalidInput("the instant lies beyond the years 1 to 9999 in UTC", "Send a nearer one") from None
