"""What is kept of each prediction for the join: enough that an outcome opens no segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.fold.rows import Floats, Ints, Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Stored predictions, one by one: lists and arrays of length n; ``groups`` has shape (n, axes)."""

    ids: list[str]
    versions: list[str]
    roles: list[str]
    digests: Ints
    buckets: Ints
    outputs: Ints
    decisions: Ints
    predicted: Floats
    groups: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, rows: Predictions, output: Ints, grain: int) -> Entries:
        """``output`` are the cells of the score or value, ``grain`` the width of a bucket in microseconds."""
        return cls(
            rows.ids,
            rows.versions,
            rows.roles,
            rows.digests,
            rows.timestamps // grain * grain,
            output,
            rows.decisions if rows.decisions is not None else np.zeros(len(rows.ids), np.int64),
            rows.predicted,
            np.stack(rows.groups, axis=1) if rows.groups else np.zeros((len(rows.ids), 0), np.int64),
        )

    def take(self, rows: Sequence[int] | Ints) -> Entries:
        at = np.asarray(rows, np.int64)
        return Entries(
            [self.ids[i] for i in at],
            [self.versions[i] for i in at],
            [self.roles[i] for i in at],
            self.digests[at],
            self.buckets[at],
            self.outputs[at],
            self.decisions[at],
            self.predicted[at],
            self.groups[at],
        )

    def pack(self) -> list[bytes]:
        """The payload of each entry as little-endian bytes of one width."""
        table = np.zeros(len(self), _layout(self.groups.shape[1]))
        table["output"], table["decision"], table["predicted"] = self.outputs, self.decisions, self.predicted
        table["groups"] = self.groups
        raw, width = table.tobytes(), table.dtype.itemsize
        return [raw[i : i + width] for i in range(0, len(raw), width)]

    @classmethod
    def unpack(
        cls,
        ids: list[str],
        versions: list[str],
        roles: list[str],
        digests: Ints,
        buckets: Ints,
        payloads: Sequence[bytes],
        axes: int,
    ) -> Entries:
        """Read what ``pack`` wrote; ``axes`` is the number of the space's axes."""
        table = np.frombuffer(b"".join(payloads), _layout(axes))
        return cls(
            ids,
            versions,
            roles,
            digests,
            buckets,
            table["output"].astype(np.int64),
            table["decision"].astype(np.int64),
            table["predicted"].astype(np.float64),
            table["groups"].astype(np.int64).reshape(len(ids), axes),
        )


def _layout(axes: int) -> np.dtype[np.void]:
    return np.dtype([("predicted", "<f8"), ("output", "<i4"), ("decision", "i1"), ("groups", "<i2", (axes,))])
