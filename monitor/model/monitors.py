"""A monitor: which metric of which scope, what counts as a breach, and how many windows open and close an incident."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from detectors.catalogue import CATALOGUE
from detectors.scope import Scope
from monitor.model import words
from monitor.model.checks import Section, choice, multiple_of, number, text, whole
from monitor.model.words import format_duration, parse_duration, shown

Severity = Literal["info", "warning", "critical"]
RelativeTo = Literal["absolute", "reference"]

KEYS = (
    "id", "metric", "scope", "window", "every", "breach", "relative_to", "clear", "alpha", "min_samples",
    "min_coverage", "open_after", "resolve_after", "severity",
)


MOST_ID = 128       # characters


@dataclass(frozen=True, slots=True)
class Limit:
    """The range a value must stay in; an end left ``None`` is open. ``above`` is a high end, ``outside`` both.

    >>> Limit(high=0.2).holds(0.2), Limit(low=-0.1, high=0.1).holds(-0.2)
    (True, False)
    """

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value lies within the limit; on the limit is within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def to_dict(self) -> dict[str, Any]:
        """As a declaration writes it under ``breach``."""
        if self.low is not None and self.high is not None:
            return {"outside": [self.low, self.high]}
        return {"above": self.high} if self.high is not None else {"below": self.low}


@dataclass(frozen=True, slots=True)
class MonitorSpec:
    """One monitor, every default filled in. Windows tumble and are aligned to UTC.

    ``clear`` is the limit that a window must hold to count towards resolving; it is never wider than ``breach``.
    ``relative_to: reference`` makes both limits a difference from the reference's own value. ``open_after`` is (N, M):
    N breaches in the last M windows.
    """

    id: str
    metric: str
    scope: Scope
    window: timedelta
    breach: Limit
    clear: Limit
    relative_to: RelativeTo = "absolute"
    alpha: float = 0.05
    min_samples: int = 100
    min_coverage: float = 0.8
    open_after: tuple[int, int] = (2, 3)
    resolve_after: int = 2
    severity: Severity = "warning"

    def to_dict(self) -> dict[str, Any]:
        """The monitor as a declaration writes it."""
        ends = [end for end in (self.clear.low, self.clear.high) if end is not None]
        return {
            "id": self.id, "metric": self.metric, "scope": self.scope.text, "window": format_duration(self.window),
            "breach": self.breach.to_dict(), "relative_to": self.relative_to,
            "clear": ends[0] if len(ends) == 1 else ends, "alpha": self.alpha, "min_samples": self.min_samples,
            "min_coverage": self.min_coverage, "open_after": "{} of {}".format(*self.open_after),
            "resolve_after": self.resolve_after, "severity": self.severity,
        }  # fmt: skip


def read_monitor(section: Section, task: str, grain: timedelta, windows: dict[str, timedelta]) -> MonitorSpec:
    """A monitor from its section. ``windows`` gives the default length by family: drift, performance, fairness."""
    metric = section.need("metric", _metric(task), "psi", "name what is watched, such as psi or roc_auc")
    scope = section.get("scope", _scope, Scope())
    window = section.get("window", multiple_of(grain), windows[family(metric, scope)])
    if section.has("every") and section.get("every", parse_duration, window) != window:
        section.fault("every", "differs from the window: overlapping windows are not supported yet; leave it out")
    breach = section.need("breach", lambda found: _breach(section, found), Limit(high=0.0), "write {above: 0.2}, say")
    return MonitorSpec(
        id=section.get("id", _id, id_of(metric, scope)),
        metric=metric,
        scope=scope,
        window=window,
        breach=breach,
        clear=section.get("clear", lambda found: _clear(found, breach), breach),
        relative_to=section.get("relative_to", choice(("absolute", "reference")), "absolute"),  # type: ignore[arg-type]
        alpha=section.get("alpha", number(1e-12, 0.5), 0.05),
        min_samples=section.get("min_samples", whole(1), 100),
        min_coverage=section.get("min_coverage", number(0, 1), 0.8),
        open_after=section.get("open_after", _open_after, (2, 3)),
        resolve_after=section.get("resolve_after", whole(1, 100), 2),
        severity=section.get("severity", choice(words.SEVERITIES), "warning"),  # type: ignore[arg-type]
    )


def family(metric: str, scope: Scope) -> Literal["drift", "performance", "fairness"]:
    """Which of the declared windows a metric is judged in; anything by group is fairness."""
    of = CATALOGUE[metric].family
    if of == "fairness" or scope.attribute is not None:
        return "fairness"
    return "performance" if of == "performance" else "drift"


def id_of(metric: str, scope: Scope) -> str:
    """The id of a monitor that was given none. One that would be too long ends in a digest of all of it.

    >>> id_of("psi", Scope(feature="age"))
    'psi/feature:age'
    >>> long = [id_of("psi", Scope(attribute="a", group="x" * 1024 + end)) for end in "bc"]
    >>> len(long[0]), long[0] == long[1]
    (128, False)
    """
    found = f"{metric}/{scope.text}"
    if len(found) <= MOST_ID:
        return found
    digest = hashlib.blake2b(found.encode(), digest_size=16).hexdigest()
    return f"{found[: MOST_ID - len(digest) - 1]}~{digest}"


def _metric(task: str) -> Any:
    known = choice(tuple(CATALOGUE))

    def read(found: Any) -> str:
        metric = known(found)
        tasks = CATALOGUE[metric].tasks
        if task not in tasks:
            fitting = [m.name for m in CATALOGUE.values() if task in m.tasks and m.family == CATALOGUE[metric].family]
            mend = f"; {' or '.join(fitting[:2])}, for two, fit" if len(fitting) > 1 else "; leave it out"
            raise ValueError(f"is measured for a {' or '.join(tasks)}, and the task is {task}{mend}")
        return metric

    return read


def _scope(found: Any) -> Scope:
    return Scope.parse(text(found))


def _id(found: Any) -> str:
    if len(text(found)) > MOST_ID:
        raise ValueError(f"is longer than {MOST_ID} characters; shorten it")
    return str(found)


def _breach(section: Section, found: Any) -> Limit:
    inner = Section.of(section.faults, (*section.path, "breach"), found, ("above", "below", "outside"))
    if len(inner.values) != 1 or not any(map(inner.has, inner.values)):
        raise ValueError("needs exactly one of above, below and outside")
    if inner.has("outside"):
        return inner.get("outside", _pair, Limit(high=0.0))
    if inner.has("above"):
        return Limit(high=inner.get("above", number(), 0.0))
    return Limit(low=inner.get("below", number(), 0.0))


def _pair(found: Any) -> Limit:
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise ValueError(f"found {shown(found)}; write two numbers, the lower first: [-0.1, 0.1]")
    low, high = (number()(end) for end in found)
    if low > high:
        raise ValueError(f"the lower limit {low:g} is above the upper {high:g}; swap them")
    return Limit(low, high)


def _clear(found: Any, breach: Limit) -> Limit:
    """One number for a breach with one end, two for ``outside``; it may not be wider than the breach."""
    if breach.low is not None and breach.high is not None:
        clear = _pair(found)
    else:
        end = number()(found)
        clear = Limit(high=end) if breach.high is not None else Limit(low=end)
    if any(not breach.holds(end) for end in (clear.low, clear.high) if end is not None):
        raise ValueError("lies beyond the breach; what clears an incident must be within the limit that opened it")
    return clear


def _open_after(found: Any) -> tuple[int, int]:
    """``2 of 3``, or a number N for N of N."""
    match = re.fullmatch(r"([1-9][0-9]?) of ([1-9][0-9]?)", found if isinstance(found, str) else f"{found} of {found}")
    if match is None or isinstance(found, bool) or int(match[1]) > int(match[2]):
        raise ValueError(f"found {shown(found)}; write '2 of 3': two breaches among the last three windows")
    return int(match[1]), int(match[2])
