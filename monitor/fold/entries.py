"""What is kept of each prediction for the join: enough that an outcome opens no segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.fold.rows import Floats, Ints, Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Stored predictions, one by one: lists and arrays of length n; ``predicted`` has shape (n, scores), ``groups``
    (n, axes); ``lists`` are those of a ranking, packed, and empty for any other model."""

    ids: list[str]
    versions: list[str]
    roles: list[str]
    digests: Ints
    buckets: Ints
    decisions: Ints
    predicted: Floats
    groups: Ints
    lists: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, rows: Predictions, grain: int) -> Entries:
        """``grain`` is the width of a bucket in microseconds."""
        return cls(
            rows.ids,
            rows.versions,
            rows.roles,
            rows.digests,
            rows.timestamps // grain * grain,
            rows.decisions if rows.decisions is not None else np.zeros(len(rows.ids), np.int64),
            rows.predicted,
            np.stack(rows.groups, axis=1) if rows.groups else np.zeros((len(rows.ids), 0), np.int64),
            rows.lists,
        )

    def take(self, rows: Sequence[int] | Ints) -> Entries:
        at = np.asarray(rows, np.int64)
        return Entries(
            [self.ids[i] for i in at],
            [self.versions[i] for i in at],
            [self.roles[i] for i in at],
            self.digests[at],
            self.buckets[at],
            self.decisions[at],
            self.predicted[at],
            self.groups[at],
            [self.lists[i] for i in at] if self.lists else [],
        )

    def pack(self) -> list[bytes]:
        """The payload of each entry: little-endian bytes of one width, and behind them its list."""
        table = np.zeros(len(self), _layout(self.predicted.shape[1], self.groups.shape[1]))
        table["decision"], table["predicted"], table["groups"] = self.decisions, self.predicted, self.groups
        raw, width = table.tobytes(), table.dtype.itemsize
        fixed = [raw[i : i + width] for i in range(0, len(raw), width)]
        return [a + b for a, b in zip(fixed, self.lists, strict=True)] if self.lists else fixed

    @classmethod
    def unpack(
        cls,
        ids: list[str],
        versions: list[str],
        roles: list[str],
        digests: Ints,
        buckets: Ints,
        payloads: Sequence[bytes],
        scores: int,
        axes: int,
    ) -> Entries:
        """Read what ``pack`` wrote; ``scores`` and ``axes`` are the numbers of the space's."""
        layout = _layout(scores, axes)
        lists = [p[layout.itemsize :] for p in payloads] if any(len(p) > layout.itemsize for p in payloads) else []
        table = np.frombuffer(b"".join(p[: layout.itemsize] for p in payloads) if lists else b"".join(payloads), layout)
        return cls(
            ids,
            versions,
            roles,
            digests,
            buckets,
            table["decision"].astype(np.int64),
            table["predicted"].astype(np.float64).reshape(len(ids), scores),
            table["groups"].astype(np.int64).reshape(len(ids), axes),
            lists,
        )


def _layout(scores: int, axes: int) -> np.dtype[np.void]:
    return np.dtype([("predicted", "<f8", (scores,)), ("decision", "<i2"), ("groups", "<i2", (axes,))])
