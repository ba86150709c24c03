"""Windows are measured and judged as data come and time passes, and incidents follow, in the fold's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from detectors.point import MetricPoint
from detectors.scope import Window
from incidents.commands import Clock, Command, Open
from incidents.events import Actor, ActorKind, EventKind
from incidents.grouping import same_cause
from incidents.incident import Incident
from incidents.machine import Decision, decide
from incidents.notices import Origin
from incidents.rules import RuleState
from incidents.verdict import Change as Before
from incidents.verdict import Kind
from monitor.fold.sampling import Received, coverage
from monitor.judge.before import ColumnRate, Facts, before, look_back
from monitor.judge.defaults import VOLUME_HISTORY, volume_monitor
from monitor.judge.measure import WindowData, measure
from monitor.judge.respond import respond
from monitor.judge.verdicts import judge
from monitor.judge.watch import Watch
from monitor.judge.why import Why, why
from monitor.judge.windows import AMEND_EVERY, LATENESS, Track, step_of, track_of
from monitor.model import MonitorSpec
from monitor.store import incidents, points, summaries
from monitor.store.facts import facts
from monitor.store.models import ModelState
from monitor.store.points import WindowState
from monitor.times import from_micros, span_micros, to_micros
from monitor.verdict import Verdict
from monitor.worker.folding import Touched
from monitor.worker.streaming import step_points

RULE = Actor("vigil", ActorKind.RULE)


class Change(NamedTuple):
    """A window as it stands, and what it is to become."""

    track: Track
    window: WindowState
    after: WindowState


def note_touched(db: Connection, model: ModelState, watch: Watch, touched: Touched) -> None:
    """Mark the measured windows that rows came for, and those of long ago that were passed over for want of rows and
    have some now. It is the same whether rows are folded one by one or together."""
    buckets = sorted(touched.predictions | touched.outcomes)
    if not buckets:
        return
    known = points.windows_of(db, model.id, buckets)
    for w in known:
        late = _holds(w, touched.predictions)
        corrected = w.settled and not w.family.startswith("drift/") and _holds(w, touched.outcomes)
        if w.revision and not w.dirty and (late or corrected):
            points.save_window(db, model.id, replace(w, dirty=True))
    ends, there = points.last_window_ends(db, model.id), {(w.family, w.start) for w in known}
    for track in watch.tracks:
        upto = ends.get(track.name, 0)
        for start, end in sorted({track.window_of(bucket) for bucket in touched.predictions}):
            if end <= upto and (track.name, start) not in there:
                points.save_window(db, model.id, WindowState(track.name, start, end))


def changes(db: Connection, model: ModelState, watch: Watch, touched: Touched | None = None) -> list[Change]:
    """The windows that the model's clock, or rows that came, have closed, settled or changed enough to be measured
    anew; in order. ``touched``: what came since this was last asked, where that is known: the rows of no other window
    are counted."""
    by_name = {track.name: track for track in watch.tracks}
    known = [w for w in points.open_windows(db, model.id) if w.family in by_name and w.start >= model.measured_from]
    ends, there = points.last_window_ends(db, model.id), {(w.family, w.start) for w in known}
    fresh = [
        WindowState(track.name, start, end)
        for track in watch.tracks
        for start, end in _closing(db, model, track, ends.get(track.name, 0))
        if (track.name, start) not in there and start >= model.measured_from
    ]
    delay = span_micros(watch.spec.label_delay)
    ahead = [w for w in (*known, *fresh) if touched is None or _may_change(w, touched, model.clock, delay)]
    if not ahead:
        return []
    rows = summaries.bucket_rows(db, model.id, min(w.start for w in ahead), max(w.end for w in ahead))
    found = []
    for window in sorted(ahead, key=lambda w: (w.end, w.start, w.family)):
        track = by_name[window.family]
        joined, all_ = (_within(rows[kind], window) for kind in _KINDS)
        after = _next_state(window, track, coverage(joined, all_), model.clock, delay)
        if after != window:
            found.append(Change(track, window, after))
    return found


def carry_out(db: Connection, model: ModelState, watch: Watch, found: Sequence[Change], origin: Origin) -> None:
    """Measure and judge the windows that changed, and let incidents follow. ``origin``: the entry of the log that made
    it so."""
    judge_of = _Judge(db, model, watch, origin)
    for change in found:
        points.save_window(db, model.id, change.after)
        points_found = judge_of.measure(change.track, change.after)
        if change.after.settled and not change.window.settled:        # once a window, whatever its later revisions
            step_points(db, model.id, watch.spec, points_found)
    judge_of.save()
    if found:
        model.evaluated_at = model.clock


_KINDS: tuple[summaries.Kind, summaries.Kind] = ("outcomes", "predictions")


def _within(rows: Sequence[summaries.BucketRows], window: WindowState) -> Received:
    return summaries.received(r for r in rows if window.start <= r.bucket < window.end)


def _may_change(window: WindowState, touched: Touched, clock: int, delay: int) -> bool:
    """Whether a look at a window's rows is worth its cost: only rows that came change what share of them is known."""
    if not window.revision or _holds(window, touched.predictions | touched.outcomes):
        return True
    amended = window.dirty and clock >= window.at + AMEND_EVERY
    return amended or (not window.settled and clock >= window.end + delay)


def _next_state(window: WindowState, track: Track, coverage: float | None, clock: int, delay: int) -> WindowState:
    """The window as it stands now: a new revision where one is due.

    A revision is due at first, at a coverage step, when the window is settled, and for late or corrected rows, but for
    these no more than once in ``AMEND_EVERY``. Drift knows no outcomes, and is settled when its window closes.
    """
    knows_outcomes = track.family != "drift"
    coverage = coverage if knows_outcomes else None
    settled = not knows_outcomes or clock >= window.end + delay
    grown = step_of(coverage) > window.step or settled != window.settled
    if window.revision and not grown and not (window.dirty and clock >= window.at + AMEND_EVERY):
        return window
    return replace(
        window,
        revision=window.revision + 1,
        coverage=coverage,
        step=step_of(coverage),
        settled=settled,
        dirty=False,
        at=clock,
    )


def _closing(db: Connection, model: ModelState, track: Track, after: int) -> list[tuple[int, int]]:
    """The windows of a track that end after ``after`` and are closed now."""
    horizon = model.last_prediction if model.event_clock else model.clock
    if after + track.length + LATENESS > horizon:
        return []
    return list(track.watched(after, horizon, summaries.serving_buckets(db, model.id, after)))


def _holds(window: WindowState, buckets: set[int]) -> bool:
    return any(window.start <= b < window.end for b in buckets)


class _Judge:
    """Measures and judges the windows of one evaluation; the rules' states are read once and written once."""

    def __init__(self, db: Connection, model: ModelState, watch: Watch, origin: Origin) -> None:
        self.db, self.model, self.watch, self.origin = db, model, watch, origin
        self.stored: dict[str, RuleState] | None = None
        self.states: dict[str, RuleState] = {}
        self.changed: dict[tuple[Kind, datetime, Window], tuple[Before, ...]] = {}

    def measure(self, track: Track, state: WindowState) -> list[MetricPoint]:
        """A new revision of a window: its points, its verdicts, and what they mean for incidents."""
        db, model, space = self.db, self.model, self.watch.reference.space
        predictions = summaries.window(db, model.id, "predictions", space, state.start, state.end)
        outcomes = summaries.window(db, model.id, "outcomes", space, state.start, state.end)
        data = WindowData(
            Window(from_micros(state.start), from_micros(state.end)),
            predictions.counts, predictions.sums, outcomes.counts, outcomes.sums, predictions.rows, outcomes.rows,
            state.settled, state.revision, self._latest(track, state),
        )  # fmt: skip
        found = measure(self.watch, track.family, data)
        monitors = self._monitors(track, state)
        verdicts = judge(found, monitors, self.watch.baseline, settled=state.settled)
        points.add(db, model.id, track.name, found, verdicts)
        if state.end > model.judged_from:
            self._respond(monitors, data.window, verdicts, why(self.watch, track.family, data, found, verdicts))
        return found

    def _latest(self, track: Track, state: WindowState) -> datetime | None:
        """The end of the last bucket with rows, for the track that tells how fresh the data are."""
        if track.family != "drift" or "freshness" not in self.watch.wanted:
            return None
        last = summaries.last_bucket(self.db, self.model.id, state.end)
        return None if last is None else from_micros(last) + self.watch.spec.grain

    def save(self) -> None:
        if self.stored is not None:
            changed = {k: s for k, s in self.states.items() if self.stored.get(k) != s}
            incidents.save_rules(self.db, self.model.id, changed)

    def _monitors(self, track: Track, state: WindowState) -> tuple[MonitorSpec, ...]:
        """The monitors of a track, the volume's among them, whose limit follows from the windows before."""
        length = timedelta(microseconds=track.length)
        mine = [m for m in self.watch.monitors if track_of(m) == track]
        if track.family == "drift":
            before = points.history(self.db, self.model.id, track.name, "row_count", state.start, VOLUME_HISTORY[1])
            volume = volume_monitor(self.watch.spec, before)
            if volume is not None and volume.window == length:
                mine.append(volume)
        return tuple(mine)

    def _respond(
        self,
        monitors: tuple[MonitorSpec, ...],
        window: Window,
        verdicts: list[Verdict],
        reasons: Why,
    ) -> None:
        db, model = self.db, self.model
        if self.stored is None:
            self.stored = incidents.load_rules(db, model.id)
            self.states = dict(self.stored)
        everyone = {m.id: m for m in (*self.watch.monitors, *monitors)}
        clock = Clock.EVENT if model.event_clock else Clock.WALL
        response = respond(
            model.name, tuple(everyone.values()), self.states, window, verdicts, reasons,
            incidents.live(db, model.id), clock, self.watch.baseline,
        )  # fmt: skip
        self.states = response.states
        for fingerprint, command in response.commands:
            if isinstance(command, Open):
                command = replace(command, changes=self._before(command, window))
            incident, decision = self._decide(incidents.latest(db, fingerprint), command)
            incidents.record(db, model.id, incident, decision.events, self.origin)

    def _decide(self, incident: Incident | None, command: Command) -> tuple[Incident | None, Decision]:
        """What a command does, and to which incident: one that would begin joins the live one of the same cause."""
        now = from_micros(self.model.clock)
        decision = decide(incident, command, RULE, now)
        if not isinstance(command, Open) or not any(e.kind is EventKind.OPENED for e in decision.events):
            return incident, decision
        live = {i.id: i for i in incidents.live_incidents(self.db, self.model.id)}
        joined = same_cause(command, list(live.values()))
        if joined is None:
            return incident, decision
        into = live[joined.incident]
        grouped = decide(into, replace(command, because=joined.reason), RULE, now)
        return (into, grouped) if grouped.events else (incident, decision)

    def _before(self, opening: Open, window: Window) -> tuple[Before, ...]:
        """What changed before a fault began; read once for all that open in a window of one kind and beginning."""
        key = (opening.fingerprint.kind, opening.started_at, window)
        if key not in self.changed:
            since = look_back(opening.started_at, window.end - window.start)
            track = next(t for t in self.watch.tracks if t.family == "drift")
            known = facts(self.db, self.model, track.name, to_micros(since), to_micros(opening.started_at))
            columns = [ColumnRate(*column) for column in known.columns]
            found = Facts(known.versions, known.references, known.rows, columns, known.rates)
            self.changed[key] = before(found, opening.fingerprint.kind, since)
        return self.changed[key]
