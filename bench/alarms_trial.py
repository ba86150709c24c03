"""A model under trial: windows go the way of the service's own, measured, judged, and their incidents opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

import numpy as np

from detectors.reference import Reference
from detectors.scope import Scope, Window
from detectors.summaries.summary import Ints
from incidents.commands import Clock, Open, Resolve
from incidents.rules import RuleState
from incidents.verdict import Fingerprint, VerdictKind
from monitor.fold.sampling import Received
from monitor.judge.measure import WindowData, measure
from monitor.judge.respond import respond
from monitor.judge.verdicts import judge
from monitor.judge.watch import Watch
from monitor.judge.why import Why
from monitor.judge.windows import Family
from monitor.model import ModelSpec
from monitor.model.monitors import family as family_of
from monitor.verdict import Verdict

MODEL = ModelSpec("trial", "binary_classification")
_FIRST, _DAY = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1)


@dataclass(frozen=True)
class Tally:
    """What came of some windows. A feature-window is a window of one column, in breach if any monitor of it is."""

    windows: int = 0
    feature_windows: int = 0
    breached: int = 0
    incidents: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def share(self) -> float:
        """Of the feature-windows, how many are in breach."""
        return self.breached / self.feature_windows if self.feature_windows else 0.0

    @property
    def per_thousand(self) -> float:
        """Incidents in 1,000 windows of the whole model."""
        return 1_000 * self.incidents / self.windows if self.windows else 0.0


class Trial:
    """A reference with the default monitors, the rules' states, and the incidents that live."""

    def __init__(self, reference: Reference, spec: ModelSpec = MODEL, family: Family = "drift") -> None:
        self.watch = Watch(spec, reference)
        self.family = family
        self.monitors = [m for m in self.watch.monitors if family_of(m.metric, m.scope) == family]
        self.states: dict[str, RuleState] = {}
        self.live: set[Fingerprint] = set()
        self.windows = 0
        self.tally = Tally()

    def window(self, predictions: Ints, rows: int, outcomes: Ints | None = None) -> list[Verdict]:
        """Judge the next window from its dense counts."""
        start = _FIRST + self.windows * _DAY
        self.windows += 1
        space = self.watch.reference.space
        if outcomes is None:
            outcomes = np.zeros(space.outcome_size, np.int64)
        span, sums = Window(start, start + _DAY), np.zeros(space.outcome_sums.size)
        before = np.zeros(space.prediction_sums.size)
        received = Received.of([(1.0, rows)])
        data = WindowData(span, predictions, before, outcomes, sums, received, received, True, 1)
        points = measure(self.watch, self.family, data)
        verdicts = judge(points, self.monitors, self.watch.baseline)
        answer = respond(
            self.watch.spec.model, self.monitors, self.states, span, verdicts, Why(points),
            {f: {f} for f in self.live}, Clock.WALL, self.watch.baseline,
        )  # fmt: skip
        self.states = answer.states
        opened = [f for f, command in answer.commands if isinstance(command, Open)]
        self.live |= set(opened)
        self.live -= {f for f, command in answer.commands if isinstance(command, Resolve)}
        judged = {v.point.scope.text for v in verdicts if v.kind is not VerdictKind.UNKNOWN} - {Scope().text}
        self.tally += Tally(1, len(judged), len(breached(verdicts)), len(opened))
        return verdicts

    def run(self, windows: Iterable[tuple[Ints, int]]) -> Tally:
        """Judge windows given as dense prediction counts and rows."""
        for predictions, rows in windows:
            self.window(predictions, rows)
        return self.tally


def breached(verdicts: Sequence[Verdict]) -> set[str]:
    """The scopes of which some monitor says breach."""
    return {v.point.scope.text for v in verdicts if v.kind is VerdictKind.BREACH}
