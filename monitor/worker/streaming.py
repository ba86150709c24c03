"""The streaming detectors of a model: values and points in the order of the log, signals and states stored."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from detectors import streams as detector
from detectors.point import MetricPoint
from monitor.fold.join import SERVING, Folded
from monitor.fold.rows import Floats, Ints, column, micros, numbers
from monitor.model import ModelSpec
from monitor.model.streams import StreamSpec
from monitor.store import streams
from monitor.times import to_micros


def step_values(db: Connection, model: int, spec: ModelSpec, result: Folded, table: pa.RecordBatch) -> None:
    """Scores, errors and features of the rows of ``table`` that a fold counted; a signal is at its row's instant."""
    for stream in spec.streams:
        kind, name, _ = stream.parts
        if kind == "score":
            _step(db, model, stream, result.scores, result.instants)
        elif kind == "error":
            _step(db, model, stream, result.errors, result.instants)
        elif kind == "feature" and result.entries is not None:
            _step(db, model, stream, *_feature(name, result, table))


def step_points(db: Connection, model: int, spec: ModelSpec, points: Iterable[MetricPoint]) -> None:
    """A window's points, once a window; a signal is at its window's end. Points that are unknown are passed over."""
    watched = {stream.parts[1:]: stream for stream in spec.streams if stream.parts[0] == "metric"}
    if not watched:
        return
    for point in points:
        stream = watched.get((point.metric, point.scope.text))
        if stream is not None and point.measurement.value is not None:
            ended = np.array([to_micros(point.window.end)])
            _step(db, model, stream, np.array([point.measurement.value]), ended)


def _feature(name: str, result: Folded, table: pa.RecordBatch) -> tuple[Floats, Ints]:
    """A feature's values in the serving role's new rows, and their instants; none where it is no number."""
    values = column(table, f"features.{name}")
    assert result.entries is not None, "only counted rows have values"
    rows = result.kept[result.entries.roles.are(SERVING)]
    if values is None or pa.types.is_dictionary(values.type):
        rows = rows[:0]
    return numbers(values, table.num_rows)[rows], micros(column(table, "timestamp"), table.num_rows)[rows]


def _step(db: Connection, model: int, stream: StreamSpec, values: Floats, instants: Ints) -> None:
    if not values.size:
        return
    settings = stream.full_settings
    try:
        state, found = detector.step(streams.load(db, model, stream.stream), values, stream.detector, settings)
    except detector.UnreadableState:    # of another River, or another declaration: begin anew rather than stop the fold
        state, found = detector.step(None, values, stream.detector, settings)
    streams.save(db, model, stream.stream, state)
    streams.add_signals(db, model, stream.stream, [(int(instants[s.index]), _detail(stream, s)) for s in found])


def _detail(stream: StreamSpec, signal: detector.Signal) -> dict[str, object]:
    return {
        "detector": stream.detector,
        "before": signal.before,
        "after": signal.after,
        "width": signal.width,
        "direction": signal.direction,
    }
