"""A stream of a declaration: which values a streaming detector watches, which detector, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from detectors.catalogue import CATALOGUE
from detectors.scope import Scope
from detectors.streams import DETECTORS, DOMAIN, SETTINGS, Settings, check_settings
from monitor.model.checks import Section, choice, name, text
from monitor.model.words import nearest, shown

Kind = Literal["score", "error", "feature", "metric"]

KEYS = ("stream", "detector", "settings")
MAX_STREAM = 600                                     # characters of a stream's name, the width of its column
POINT_SETTINGS: Settings = {"block": 1, "warm_up": 30}      # a metric has a point a window, not thousands of values


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream. ``settings`` are those that were written; the detector's defaults stand for the rest.

    >>> StreamSpec("metric:psi@feature:age").parts
    ('metric', 'psi', 'feature:age')
    >>> StreamSpec("metric:psi").full_settings["block"], StreamSpec("score").full_settings["block"]
    (1, 100)
    """

    stream: str
    detector: str = "adwin"
    settings: Settings = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Kind, str, str]:
        """Its kind, the feature or metric that it names, and the text of a metric's scope."""
        kind, _, rest = self.stream.partition(":")
        if kind != "metric":
            return kind, rest, ""  # type: ignore[return-value]  # one of the four, as it was read
        metric, _, scope = rest.partition("@")
        return "metric", metric, scope or Scope().text

    @property
    def full_settings(self) -> dict[str, Any]:
        """Every setting of the detector."""
        defaults = POINT_SETTINGS if self.stream.startswith("metric:") else {}
        fitting = {k: v for k, v in defaults.items() if k in SETTINGS[self.detector]}
        return check_settings(self.detector, {**fitting, **self.settings})

    def to_dict(self) -> dict[str, Any]:
        """The stream as a declaration writes it."""
        return {"stream": self.stream, "detector": self.detector, "settings": dict(self.settings)}


DEFAULT_STREAMS = (StreamSpec("score"), StreamSpec("error"))


def read_streams(top: Section, task: str, features: Mapping[str, str]) -> tuple[StreamSpec, ...]:
    """The declared streams, or the default ones. ``features`` empty: they are inferred, and any may be named."""
    if not top.has("streams"):
        return DEFAULT_STREAMS
    found: dict[str, StreamSpec] = {}
    for section in top.items("streams", KEYS):
        spec = _read(section, task, features)
        if spec is not None and spec.stream in found:
            section.fault("stream", f"'{spec.stream}' stands twice; a stream has one detector")
        elif spec is not None:
            found[spec.stream] = spec
    return tuple(found.values())


def _read(section: Section, task: str, features: Mapping[str, str]) -> StreamSpec | None:
    stream = section.need("stream", lambda found: _stream(found, features), "", "write score, error or feature:NAME")
    detector = section.get("detector", choice(DETECTORS), "")
    if not stream or (section.has("detector") and not detector):
        return None
    detector = detector or "adwin"
    spec = StreamSpec(stream, detector, dict(section.inner("settings").values))
    wanted, given = DOMAIN[detector], _domain(stream, task)
    if wanted == "bit" and given != "bit":
        section.fault("detector", f"{detector} takes 0 and 1 alone: the errors of a classification; write adwin, say")
    elif wanted == "unit" and given == "real":
        section.fault("detector", f"{detector} takes numbers from 0 to 1, and {stream} may be any; write adwin, say")
    try:
        spec.full_settings  # noqa: B018  (it checks them)
    except ValueError as error:
        section.fault("settings", str(error))
        return None
    return spec


def _domain(stream: str, task: str) -> str:
    """What the values of a stream may be, as ``detectors.streams.DOMAIN`` says it of the detectors."""
    if task == "regression":
        return "real"
    return {"error": "bit", "score": "unit"}.get(stream, "real")


def _stream(found: Any, features: Mapping[str, str]) -> str:
    if len(text(found)) > MAX_STREAM:
        raise ValueError(f"is longer than {MAX_STREAM} characters; shorten the name or the scope")
    kind, colon, rest = found.partition(":")
    if kind in ("score", "error") and not colon:
        return str(found)
    if kind == "feature" and rest:
        if features and features.get(name(rest)) != "numeric":
            raise ValueError(f"'{rest}' is no numeric feature of this model; a detector takes numbers")
        return str(found)
    if kind == "metric" and rest:
        metric, at, scope = rest.partition("@")
        if metric not in CATALOGUE:
            raise ValueError(f"'{metric}' is not measured by this version; {nearest(metric, tuple(CATALOGUE))}")
        return f"metric:{metric}{at}{Scope.parse(scope).text}" if at else str(found)
    raise ValueError(f"found {shown(found)}; write score, error, feature:NAME, metric:NAME or metric:NAME@SCOPE")
