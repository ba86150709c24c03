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
from detectors.estimation import ErrorModel
from detectors.multivariate.baseline import Baseline
from detectors.noise import Noise
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints, Summary, dense_sum

_MAGIC = b"VR2"
_NOISE = ("lengths", "phi", "kappa", "blocks")


@dataclass(frozen=True, eq=False)
class Reference:
    """Dense prediction and outcome counts of a space with their sums, and the ``n`` rows behind them.

    ``block_sums``: the prediction sums of each block, shape (blocks, sums); ``influence``: the mean output of the rows
    in each drift bin, less the mean of all, shape (bins,): what a feature's moving does to the output. ``start`` and
    ``end`` bound its event time, where that is known; ``error_model`` is what a regression's errors follow.
    """

    name: str
    space: Space
    predictions: Ints
    outcomes: Ints
    sums: Floats
    block_sums: Floats
    influence: Floats
    bins: Bins
    noise: Noise
    ordered: Noise
    start: datetime | None
    end: datetime | None
    n: int
    error_model: ErrorModel | None = None

    @classmethod
    def build(
        cls,
        name: str,
        space: Space,
        blocks: Sequence[Summary],
        outcomes: Summary | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        mean_output: Floats | None = None,
    ) -> Reference:
        """From prediction summaries of contiguous blocks, in time order and of about the same length; the outcomes and
        the mean output of the rows in each cell of the columns, where they are known.

        A block is best no longer than the shortest window to be compared, or what comes and goes within a block, as the
        hours of a day, is not seen. 64 blocks show the noise of windows of 1/64 to 1/8 of the reference; fewer than 4
        show none, and rows then count as independent.

        >>> from detectors.summaries.space import example_space
        >>> space = example_space()
        >>> at = space.column_offsets[1] + np.array([1, 1, 2])
        >>> reference = Reference.build("may", space, [Summary.of(at)] * 4)
        >>> again = Reference.from_bytes(reference.to_bytes())
        >>> again.name, again.bins.of(1, again.counts).tolist(), again.noise.blocks.tolist()
        ('may', [8, 4, 0], [4])
        """
        predictions, _ = dense_sum(blocks, space.prediction_size, space.prediction_sums.size)
        known = [] if outcomes is None else [outcomes]
        dense_outcomes, sums = dense_sum(known, space.outcome_size, space.outcome_sums.size)
        block_sums = np.array([b.sums for b in blocks]).reshape(len(blocks), space.prediction_sums.size)
        bins = Bins.fit(space, predictions)
        by_block = [bins.count(block.dense(space.prediction_size))[1] for block in blocks]
        counted = np.array(by_block, np.int64).reshape(len(blocks), bins.size)
        noise, ordered = Noise.learn(bins, counted), Noise.learn_ordered(bins, counted)
        influence = np.zeros(bins.size) if mean_output is None else _influence(bins, predictions, mean_output)
        n = space.rows(predictions)
        return cls(
            name, space, predictions, dense_outcomes, sums, block_sums, influence, bins, noise, ordered, start, end, n
        )

    @property
    def prediction_sums(self) -> Floats:
        return np.asarray(self.block_sums.sum(axis=0))

    @cached_property
    def counts(self) -> Ints:
        """Rows by bin, the missing left out; shape (bins,)."""
        return self.bins.count(self.predictions)[1]

    @cached_property
    def baselines(self) -> tuple[Baseline, ...]:
        """What each projection of the space looked like, with the noise of its blocks."""
        at = self.space.prediction_sums
        return tuple(
            Baseline.learn(p, self.block_sums[:, (start := at.start("projection", i)) : start + p.size])
            for i, p in enumerate(self.space.projections)
        )

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
        noise, ordered = (Noise(*(arrays[of + name] for name in _NOISE)) for of in ("", "ordered_"))
        start, end = (None if header[k] is None else datetime.fromisoformat(header[k]) for k in ("start", "end"))
        return cls(
            header["name"], space, arrays["predictions"], arrays["outcomes"], arrays["sums"], arrays["block_sums"],
            arrays["influence"], bins, noise, ordered, start, end, header["n"], ErrorModel.load(arrays),
        )  # fmt: skip

    def _arrays(self) -> dict[str, Ints | Floats]:
        return {
            "predictions": self.predictions,
            "outcomes": self.outcomes,
            "sums": self.sums,
            "block_sums": self.block_sums,
            "influence": self.influence,
            "starts": self.bins.starts,
            "first": self.bins.first,
            **{name: getattr(self.noise, name) for name in _NOISE},
            **{f"ordered_{name}": getattr(self.ordered, name) for name in _NOISE},
            **({} if self.error_model is None else self.error_model.arrays()),
        }


def _influence(bins: Bins, predictions: Ints, mean_output: Floats) -> Floats:
    cells = predictions[: mean_output.size]
    total = bins.count(cells * mean_output)[1]
    counts = bins.count(cells)[1]
    overall = bins.total(total) / np.maximum(bins.total(counts), 1)
    return np.asarray(np.where(counts > 0, total / np.maximum(counts, 1) - overall[bins.column], 0.0))
