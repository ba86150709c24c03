"""The reference: what a model's production is compared with, its bins and its noise, as one value."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from detectors.bins import Bins
from detectors.noise import Noise
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints, Summary, dense_sum

_MAGIC = b"VR1"


@dataclass(frozen=True, eq=False)
class Reference:
    """Dense prediction and outcome counts of a space with outcome sums, and the ``n`` rows behind them.

    ``start`` and ``end`` bound its event time, where that is known.
    """

    name: str
    space: Space
    predictions: Ints
    outcomes: Ints
    sums: Floats
    bins: Bins
    noise: Noise
    start: datetime | None
    end: datetime | None
    n: int

    @classmethod
    def build(
        cls,
        name: str,
        space: Space,
        blocks: Sequence[Summary],
        outcomes: Summary,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Reference:
        """From prediction summaries of contiguous blocks, in time order and of about the same length.

        A block is best no longer than the shortest window to be compared, or what comes and goes within a block, as the
        hours of a day, is not seen. 64 blocks show the noise of windows of 1/64 to 1/8 of the reference; fewer than 4
        show none, and rows then count as independent.

        >>> from detectors.summaries.space import example_space
        >>> space = example_space()
        >>> at = space.column_offsets[1] + np.array([1, 1, 2])
        >>> reference = Reference.build("may", space, [Summary.of(at)] * 4, Summary.zero(2))
        >>> again = Reference.from_bytes(reference.to_bytes())
        >>> again.name, again.bins.of(1, again.counts).tolist(), again.noise.blocks.tolist()
        ('may', [8, 4, 0], [4])
        """
        predictions, _ = dense_sum(blocks, space.prediction_size)
        dense_outcomes, sums = dense_sum([outcomes], space.outcome_size, len(space.sums))
        bins = Bins.fit(space, predictions)
        by_block = [bins.count(block.dense(space.prediction_size))[1] for block in blocks]
        noise = Noise.learn(bins, np.array(by_block, np.int64).reshape(len(blocks), bins.size))
        n = int(space.decisions(predictions).sum())
        return cls(name, space, predictions, dense_outcomes, sums, bins, noise, start, end, n)

    @cached_property
    def counts(self) -> Ints:
        """Rows by bin, the missing left out; shape (bins,)."""
        return self.bins.count(self.predictions)[1]

    @cached_property
    def cell_shares(self) -> Floats:
        """Each column's shares by cell, the missing left out: every column sums to 1, or to 0 where all are missing."""
        return shares_by_cell(self.space, self.predictions)

    def to_bytes(self) -> bytes:
        """Versioned bytes: a JSON header, then the arrays, compressed together."""
        arrays = self._arrays()
        header = {
            "name": self.name,
            "space": self.space.to_json(),
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "n": self.n,
            "arrays": [[key, "<i8" if a.dtype.kind == "i" else "<f8", a.shape] for key, a in arrays.items()],
        }
        head = json.dumps(header, separators=(",", ":")).encode()
        body = b"".join(a.astype("<i8" if a.dtype.kind == "i" else "<f8").tobytes() for a in arrays.values())
        return struct.pack("<3sI", _MAGIC, len(head)) + zlib.compress(head + body, 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Read what ``to_bytes`` wrote; ``ValueError`` for anything else."""
        if data[:3] != _MAGIC:
            raise ValueError(f"these bytes are no reference of a version known here: they begin with {data[:3]!r}")
        (size,) = struct.unpack_from("<I", data, 3)
        try:
            raw = zlib.decompress(data[7:])
        except zlib.error as error:
            raise ValueError(f"these bytes of a reference are damaged: {error}") from error
        header = json.loads(raw[:size])
        arrays, at = {}, size
        for key, kind, shape in header["arrays"]:
            flat = np.frombuffer(raw, kind, int(np.prod(shape)), at)
            arrays[key] = flat.astype(np.int64 if kind == "<i8" else np.float64).reshape(shape)
            at += flat.nbytes
        space = Space.from_json(header["space"])
        bins = Bins(space, arrays["starts"], arrays["first"])
        noise = Noise(arrays["lengths"], arrays["phi"], arrays["kappa"], arrays["blocks"])
        start, end = (None if header[k] is None else datetime.fromisoformat(header[k]) for k in ("start", "end"))
        dense = arrays["predictions"], arrays["outcomes"], arrays["sums"]
        return cls(header["name"], space, *dense, bins, noise, start, end, header["n"])

    def _arrays(self) -> dict[str, Ints | Floats]:
        return {
            "predictions": self.predictions,
            "outcomes": self.outcomes,
            "sums": self.sums,
            "starts": self.bins.starts,
            "first": self.bins.first,
            "lengths": self.noise.lengths,
            "phi": self.noise.phi,
            "kappa": self.noise.kappa,
            "blocks": self.noise.blocks,
        }


def shares_by_cell(space: Space, predictions: Ints) -> Floats:
    """Each column's cells as shares of its rows that are not missing; shape (cells of all columns,)."""
    first, sizes = space.column_offsets[:-1], np.diff(space.column_offsets)
    cells = predictions[: space.column_offsets[-1]].astype(np.float64)
    cells[first] = 0.0
    total = np.add.reduceat(cells, first)
    return np.asarray(cells / np.repeat(np.maximum(total, 1.0), sizes))
