"""How far a run of ``vigil ingest`` has come, in a small file, so that a run that was killed goes on there.

It saves sending; it is never what keeps a row from counting twice: the key of each piece and the identity of each row
do that. So whatever makes it doubtful (another file, another option, a service that does not know the batch) starts
anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """What of a file was answered with 202: so many pieces, and the batch that the last of them became."""

    size: int
    changed: int
    pieces: int
    batch: str | None


class Cursor:
    """Places by file. ``run`` is what a run was asked to do; another run has a cursor of its own."""

    def __init__(self, path: Path, known: Callable[[str], bool]) -> None:
        self.path, self._known = path, known
        self._places = _read(path)

    @classmethod
    def of(cls, folder: Path, run: Mapping[str, Any], known: Callable[[str], bool]) -> Cursor:
        """The cursor of this very run: the same service, model, files and options."""
        name = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:24]
        return cls(folder / f"ingest-{name}.json", known)

    def done(self, file: Path) -> int:
        """How many pieces of a file need not be sent again. ``known`` says whether the service has a batch."""
        place, (size, changed) = self._places.get(_key(file)), _stamp(file)
        if place is None or (place.size, place.changed) != (size, changed):
            return 0
        return place.pieces if place.batch is not None and self._known(place.batch) else 0

    def sent(self, file: Path, pieces: int, batch: str | None) -> None:
        """Note that so many pieces of a file are durable; written to the side and put in place in one step."""
        self._places[_key(file)] = Place(*_stamp(file), pieces, batch)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps({name: asdict(place) for name, place in self._places.items()}), "utf-8")
        beside.replace(self.path)

    def finished(self) -> None:
        """The run is at its end: the next one sends everything, and what was sent counts once."""
        self.path.unlink(missing_ok=True)


def folder() -> Path:
    """Where cursors are kept: the user's own state, as the XDG base directory specification has it."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "vigil"


def _read(path: Path) -> dict[str, Place]:
    try:
        found = json.loads(path.read_text("utf-8"))
        return {name: Place(**place) for name, place in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _key(file: Path) -> str:
    return str(file.resolve())


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns
