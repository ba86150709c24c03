"""Streaming detection: River's ADWIN over the values of one stream, in log order, with a state that outlives a kill.

One owner steps a stream. ``step(step(None, a), b)`` and ``step(None, a + b)`` give the same signals and the same state.
Source: Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SIAM SDM 2007.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from detectors.summaries.summary import Floats

_HEAD = struct.Struct("<3sHHI")          # magic, River's major and minor version, CRC-32 of what follows
_MAGIC = b"VA1"
_RIVER = version("river")
_ALLOWED = {
    ("river.drift.adwin", "ADWIN"),
    ("river._river_rust.drift", "AdaptiveWindowing"),
}


class UnreadableState(ValueError):
    """The bytes are no state that this version can go on from; begin anew and replay the stream."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A change at ``values[index]``. ADWIN keeps the last ``width`` values, of mean ``after``; what it dropped had
    the mean ``before``."""

    index: int
    width: int
    before: float
    after: float

    @property
    def direction(self) -> Literal["up", "down"]:
        return "up" if self.after > self.before else "down"


def step(state: bytes | None, values: Floats) -> tuple[bytes, list[Signal]]:
    """Take in values, shape (n,), and give the new state and the changes found; ``None`` begins a stream.

    Values that are not finite are passed over. After a change the window begins anew, as in River. Raises
    ``UnreadableState`` for bytes that are not from ``step`` or from another minor version of River.

    >>> import numpy as np
    >>> state, signals = step(None, np.repeat([0.2, 0.8], 500))
    >>> [(500 <= s.index < 600, s.direction) for s in signals], step(state, np.full(100, 0.8))[1]
    ([(True, 'up')], [])
    """
    adwin = _load(state) if state is not None else _adwin()()
    signals = []
    for i, x in enumerate(values.tolist()):
        if not math.isfinite(x):
            continue
        width, total = (0, 0.0) if adwin.drift_detected else (adwin.width, adwin.total)
        adwin.update(x)
        if adwin.drift_detected:
            dropped = width + 1 - adwin.width
            before = (total + x - adwin.total) / dropped
            signals.append(Signal(i, adwin.width, before, adwin.estimation))
    return _save(adwin), signals


@cache
def _adwin() -> Any:
    """River's class, imported at its first use: River brings in whatever of pandas and scikit-learn is installed, which
    takes seconds that the start of a service need not wait for."""
    from river.drift import ADWIN

    return ADWIN


def _version() -> tuple[int, int]:
    major, minor = _RIVER.split(".")[:2]
    return int(major), int(minor)


def _save(adwin: Any) -> bytes:
    body = pickle.dumps(adwin, protocol=4)
    return _HEAD.pack(_MAGIC, *_version(), zlib.crc32(body)) + body


def _load(state: bytes) -> Any:
    if len(state) < _HEAD.size or state[:3] != _MAGIC:
        raise UnreadableState(f"these bytes are no detector state known here: they begin with {state[:3]!r}")
    _, major, minor, checksum = _HEAD.unpack_from(state)
    body = state[_HEAD.size :]
    if (major, minor) != _version():
        raise UnreadableState(f"the state is from River {major}.{minor}, and this is River {_RIVER}")
    if zlib.crc32(body) != checksum:
        raise UnreadableState("the state is damaged: its checksum does not hold")
    adwin = _AdwinOnly(io.BytesIO(body)).load()
    if not isinstance(adwin, _adwin()):
        raise UnreadableState(f"the state holds a {type(adwin).__name__} and no ADWIN")
    return adwin


class _AdwinOnly(pickle.Unpickler):
    """Reads ADWIN and nothing else, so that a state from a stranger runs no code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UnreadableState(f"the state names {module}.{name}, which is no part of ADWIN")
        return super().find_class(module, name)
