"""A detector's state as bytes: plain numbers under a head with versions and a checksum, and nothing that runs."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import pairwise

import numpy as np

from detectors.streams.settings import Value
from detectors.summaries.summary import Floats

_MAGIC = b"VD1"
_HEAD = struct.Struct("<3sHHI")         # magic, River's major and minor version, CRC-32 of the body
_SIZES = struct.Struct("<IIII")         # of the words, the past, the fields and the rest


class UnreadableState(ValueError):
    """The bytes are no state that this version can go on from; begin anew and replay the stream."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a state holds: the detector and its settings, what lies before the detector (``past``), the detector's own
    numbers (``fields``) and what River itself writes as bytes (``rest``)."""

    detector: str
    settings: Mapping[str, Value]
    past: Floats
    fields: Floats
    rest: bytes


@cache
def river_version() -> tuple[int, int]:
    """River's major and minor version: what a state's numbers mean is fixed for these."""
    major, minor = version("river").split(".")[:2]
    return int(major), int(minor)


def pack(stored: Stored) -> bytes:
    words = json.dumps([stored.detector, dict(stored.settings)], separators=(",", ":")).encode()
    sizes = _SIZES.pack(len(words), stored.past.size, stored.fields.size, len(stored.rest))
    numbers = np.concatenate([stored.past, stored.fields]).astype("<f8").tobytes()
    body = sizes + words + numbers + stored.rest
    return _HEAD.pack(_MAGIC, *river_version(), zlib.crc32(body)) + body


def unpack(state: bytes) -> Stored:
    """Read what ``pack`` wrote; ``UnreadableState`` says what is wrong with anything else."""
    if len(state) < _HEAD.size or state[:3] != _MAGIC:
        raise UnreadableState(f"these bytes are no detector state known here: they begin with {state[:3]!r}")
    _, major, minor, checksum = _HEAD.unpack_from(state)
    if (major, minor) != river_version():
        ours = ".".join(map(str, river_version()))
        raise UnreadableState(f"the state is from River {major}.{minor}, and this is River {ours}")
    body = state[_HEAD.size :]
    if zlib.crc32(body) != checksum:
        raise UnreadableState("the state is damaged: its checksum does not hold")
    try:
        n_words, n_past, n_fields, n_rest = _SIZES.unpack_from(body)
        ends = np.cumsum([_SIZES.size, n_words, 8 * n_past, 8 * n_fields, n_rest]).tolist()
        detector, settings = json.loads(body[ends[0] : ends[1]])
        past, fields = (np.frombuffer(body[a:b], "<f8") for a, b in pairwise(ends[1:4]))
    except (ValueError, TypeError, struct.error) as error:
        raise UnreadableState(f"the state cannot be read: {error}") from None
    if len(body) != ends[4] or not isinstance(settings, dict):
        raise UnreadableState("the state cannot be read: its parts do not fit together")
    return Stored(detector, settings, past.astype(np.float64), fields.astype(np.float64), body[ends[3] :])
