"""Which features of the census drift, in the order in which NannyML's published alert counts have them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import permutations

import census

from detectors.drift import measure_drift
from detectors.summaries.fold import fold_predictions
from detectors.summaries.summary import Ints
from monitor.batch import Batch
from monitor.codecs import decode, normalise
from monitor.fold.rows import read_predictions
from monitor.model import Schema, parse_declaration
from monitor.worker.reference import build_reference
from monitor.worker.spaces import build_space, feature_types

SPEC = parse_declaration(census.declaration(), "yaml")
CHUNK = 5_000           # rows, as in the published run
CLEARLY = 10            # of 42 chunks and the reference's


def batch_of(kind: str, body: bytes) -> Batch:
    columns = decode(census.ARROW, body, kind, {})  # type: ignore[arg-type]
    return normalise(columns, Schema(SPEC, SPEC.features), kind, "b", datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]


def test_features_drift_in_the_published_order_where_the_counts_differ_clearly() -> None:
    published: dict[str, int] = json.loads((census.DATA / "expected.json").read_text())["nannyml_alert_counts_all"]
    rows = batch_of(*census.reference())
    space = build_space(SPEC, feature_types(SPEC, rows.table), rows)
    reference = build_reference(SPEC, space, rows, "reference")

    def summary(batch: Batch) -> Ints:
        r = read_predictions(space, SPEC, batch.table, batch.protected)
        folded = fold_predictions(space, r.columns, r.groups, r.decisions, r.subjects, r.matrices)
        return folded.dense(space.prediction_size)

    drifted: Counter[str] = Counter()
    chunks = [batch_of(kind, body) for kind, body in census.arrivals(size=CHUNK) if kind == "predictions"]
    for chunk in chunks:
        for _, scope, m in measure_drift(reference, summary(chunk), {"jensen_shannon"}):
            if scope.feature is not None and m.p_value is not None:
                drifted[scope.feature] += m.p_value < 0.001
    assert len(chunks) == 42
    assert set(drifted) == set(published)
    clear = [(a, b) for a, b in permutations(published, 2) if published[a] - published[b] >= CLEARLY]
    assert len(clear) > 60
    assert [(a, b) for a, b in clear if drifted[a] <= drifted[b]] == []
    assert max(drifted, key=drifted.__getitem__) == "ANC"
