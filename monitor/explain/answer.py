"""The answer to "what is other in this window?": how well its rows are told from the reference's, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from detectors.domain_classifier import Contribution, Explanation, explain_window
from detectors.point import CONFIDENCE, Measurement
from detectors.scope import rfc3339
from monitor.explain.columns import Part, encodings, matrix
from monitor.explain.sample import reference_rows, window_rows
from monitor.judge.watch import Watch
from monitor.log.sql import SqlLog
from monitor.store import summaries
from monitor.store.models import ModelState
from monitor.times import from_micros

MOST_PARTS = 5      # columns of a feature that are named
NAMED = 3           # features in the sentence
CHANCE = 0.5        # the AUC of a classifier that tells nothing apart


def explain(db: Connection, log: SqlLog, state: ModelState, watch: Watch, start: int, end: int) -> dict[str, Any]:
    """Tell a sample of a window's rows from a sample of the reference's by their features; protected attributes are
    never used, nor a feature of the name of one."""
    reference = watch.reference
    dense = summaries.window(db, state.id, "predictions", reference.space, start, end, rolled_up=True)
    taken, left = encodings(reference, dense.counts, frozenset(watch.spec.protected_attributes))
    thinned_to = dense.rows.rates[0] if dense.rows.mixed else None
    columns = [(e.feature, part) for e in taken for part in e.parts]
    encode = partial(matrix, reference, taken)
    before = reference_rows(log, state.reference_seq, encode)
    after = window_rows(log, state.name, state.cursor, start, end, encode, thinned_to)
    found = explain_window(before.values, after.values, [str(i) for i in range(len(columns))])
    features = _features(found.contributions, columns)
    return {
        "model": state.name,
        "window": {"start": rfc3339(from_micros(start)), "end": rfc3339(from_micros(end))},
        "reference": reference.name,
        "auc": _told(found.auc),
        "text": _text(found, features, reference.name),
        "rows": {"reference": len(before.times), "window": len(after.times)},
        "features": features,
        "left_out": left,
    }


def _told(m: Measurement) -> dict[str, Any]:
    """A measurement as the interface writes one."""
    return {
        "value": m.value,
        "interval": None if m.interval is None else list(m.interval),
        "confidence": None if m.interval is None else CONFIDENCE,
        "n": m.n,
        "status": "known" if m.known else "unknown",
        "reason": None if m.reason is None else m.reason.value,
    }


def _features(parts: Sequence[Contribution], columns: Sequence[tuple[str, Part]]) -> list[dict[str, Any]]:
    """The features by their share of what tells the rows apart, each with its own columns. All shares add up to 1."""
    total = sum(p.share for p in parts) or 1.0
    found: dict[str, list[dict[str, Any]]] = {}
    for part in parts:          # the largest first
        feature, column = columns[int(part.column)]
        shown = {
            "of": "missing" if part.missing else column.of,
            "name": column.name,
            "coefficient": part.coefficient,
            "shift": part.shift,
            "share": part.share / total,
        }
        found.setdefault(feature, []).append(shown)
    out = [
        {"feature": feature, "share": sum(c["share"] for c in told), "columns": told[:MOST_PARTS]}
        for feature, told in found.items()
    ]
    return sorted(out, key=lambda f: -abs(f["share"]))


def _text(found: Explanation, features: Sequence[dict[str, Any]], reference: str) -> str:
    auc = found.auc
    if auc.value is None or auc.interval is None:
        assert auc.reason is not None
        return f"It cannot be told: {auc.reason.value.replace('_', ' ')}"
    low, high = auc.interval
    area = f"AUC {auc.value:.2f}, {low:.2f} to {high:.2f}"
    if low <= CHANCE:
        return f"The rows of the window cannot be told from those of {reference} ({area})"
    most = ", ".join(f"{f['feature']} ({f['share']:.0%})" for f in features[:NAMED])
    return f"The rows of the window are told from those of {reference} ({area}), most of all by {most}"
