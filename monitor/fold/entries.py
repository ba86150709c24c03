"""What is kept of each prediction for the join: enough that an outcome opens no segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from detectors.summaries.mixing import Words
from monitor.fold.coded import Coded
from monitor.fold.ids import Ids
from monitor.fold.rows import Floats, Ints, Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Stored predictions, one by one: arrays of length n; ``predicted`` has shape (n, scores), ``groups`` (n, axes);
    ``lists`` are those of a ranking, packed, and empty for any other model."""

    ids: Ids
    versions: Coded
    roles: Coded
    rates: Floats
    digests: Ints
    buckets: Ints
    decisions: Ints
    predicted: Floats
    groups: Ints
    lists: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return self.digests.size

    @classmethod
    def of(cls, rows: Predictions, grain: int, rate: float = 1.0) -> Entries:
        """``grain`` is the width of a bucket in microseconds."""
        n = len(rows.digests)
        return cls(
            rows.ids,
            rows.versions,
            rows.roles,
            np.full(n, rate),
            rows.digests,
            rows.timestamps // grain * grain,
            rows.decisions if rows.decisions is not None else np.zeros(n, np.int64),
            rows.predicted,
            np.stack(rows.groups, axis=1) if rows.groups else np.zeros((n, 0), np.int64),
            rows.lists,
        )

    @classmethod
    def none(cls) -> Entries:
        no = np.empty(0, np.int64)
        nobody = Coded(no, ())
        return cls(Ids.of([]), nobody, nobody, np.empty(0), no, no, no, np.empty((0, 0)), np.empty((0, 0), np.int64))

    def take(self, rows: Ints) -> Entries:
        return Entries(
            self.ids.take(rows),
            self.versions.take(rows),
            self.roles.take(rows),
            self.rates[rows],
            self.digests[rows],
            self.buckets[rows],
            self.decisions[rows],
            self.predicted[rows],
            self.groups[rows],
            [self.lists[i] for i in rows.tolist()] if self.lists else [],
        )

    def columns(self) -> pa.RecordBatch:
        """All but the ids, as they are kept: groups and decisions in two bytes, as no axis has more."""
        found: dict[str, pa.Array] = {
            "version": self.versions.as_arrow(),
            "role": self.roles.as_arrow(),
            "rate": pa.array(self.rates),
            "digest": pa.array(self.digests),
            "bucket": pa.array(self.buckets),
            "decision": pa.array(self.decisions.astype(np.int16)),
        }
        found |= {f"predicted{i}": pa.array(column) for i, column in enumerate(self.predicted.T)}
        found |= {f"group{i}": pa.array(column.astype(np.int16)) for i, column in enumerate(self.groups.T)}
        if self.lists:
            found["list"] = pa.array(self.lists, pa.binary())
        return pa.RecordBatch.from_pydict(found)

    @classmethod
    def read(cls, rows: pa.RecordBatch, hashes: Words) -> Entries:
        """What ``columns`` gave, under its ids in the column ``id``, whose hashes are known."""
        names = rows.schema.names

        def matrix(prefix: str) -> Any:
            columns = [np.asarray(rows.column(name)) for name in names if name.startswith(prefix)]
            return np.stack(columns, axis=1) if columns else np.empty((rows.num_rows, 0))

        return cls(
            Ids(rows.column("id"), hashes),
            Coded.of(rows.column("version")),
            Coded.of(rows.column("role")),
            np.asarray(rows.column("rate")),
            np.asarray(rows.column("digest")),
            np.asarray(rows.column("bucket")),
            np.asarray(rows.column("decision")).astype(np.int64),
            matrix("predicted"),
            matrix("group").astype(np.int64),
            rows.column("list").to_pylist() if "list" in names else [],
        )
