"""A plain recount of what senders were told is taken, without any fold."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import Any, NamedTuple

from wire_bodies import Row

from monitor.times import to_micros

HOUR = 3_600_000_000


class Sent(NamedTuple):
    """Rows that were acknowledged. The log has them ``copies`` times; and once more, for all that the sender knows, for
    each answer that was lost: up to ``unsure`` times."""

    kind: str
    rows: list[Row]
    copies: int
    unsure: int


def recount(said: list[Sent]) -> dict[str, Any]:
    """What holds of each identity, without any fold: the first content, and the outcome with the latest timestamp.
    ``again``: of what says nothing new, how much there is at least and at most."""
    held: dict[tuple[str, str], Row] = {}
    truth: dict[str, Row] = {}
    least, most = Counter[str](), Counter[str]()
    for sent in said:
        for copy in range(sent.copies + sent.unsure):       # a copy changes nothing of what holds
            for row in sent.rows:
                name = _predicted(held, row) if sent.kind == "predictions" else _told(truth, row)
                least[name] += copy < sent.copies
                most[name] += 1
    predictions, joined = Counter[str](), Counter[str]()
    for row in held.values():
        bucket = to_micros(row["timestamp"].replace(tzinfo=UTC)) // HOUR * HOUR
        predictions[f"{bucket} {row['model_version']} {row['role']}"] += 1
        if row["prediction_id"] in truth:
            decision = int(row["prediction_score"] >= 0.5)
            joined[f"{bucket} {row['model_version']} {decision} {truth[row['prediction_id']]['actual_label']}"] += 1
    counts = {
        "predictions": len(held),
        "outcomes": len(truth),
        "joined": sum(joined.values()),
        "orphans": len(set(truth) - {id_ for id_, _ in held}),
        "corrections": least["corrections"],
    }
    again = {name: (least[name], most[name]) for name in ("duplicates", "conflicts", "superseded")}
    return {"counts": counts, "predictions": dict(predictions), "joined": dict(joined), "again": again}


def _predicted(held: dict[tuple[str, str], Row], row: Row) -> str:
    identity = (row["prediction_id"], row["model_version"])
    if identity not in held:
        held[identity] = row
        return "predictions"
    return "duplicates" if row == held[identity] else "conflicts"


def _told(truth: dict[str, Row], row: Row) -> str:
    old = truth.get(row["prediction_id"])
    if old is None:
        truth[row["prediction_id"]] = row
        return "outcomes"
    if row["timestamp"] > old["timestamp"]:
        truth[row["prediction_id"]] = row
    if row["actual_label"] == old["actual_label"]:
        return "duplicates"
    if row["timestamp"] == old["timestamp"]:
        return "conflicts"
    return "corrections" if row["timestamp"] > old["timestamp"] else "superseded"
