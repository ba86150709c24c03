"""Reading a section of a declaration: each key once, by its kind, with all faults gathered and raised together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from monitor.errors import InvalidDeclaration
from monitor.model.reading import Lines, Path
from monitor.model.words import canonical_label, nearest, parse_duration, shown

T = TypeVar("T")
MAX_NAME = 256


@dataclass(slots=True)
class Faults:
    """What is wrong with a declaration, in the order of its lines."""

    lines: Lines
    found: list[dict[str, object]] = field(default_factory=list)

    def add(self, path: Path, reason: str) -> None:
        at = next((self.lines[path[:k]] for k in range(len(path), -1, -1) if path[:k] in self.lines), None)
        self.found.append({"key": _dotted(path), "line": at, "reason": reason})

    def raise_any(self) -> None:
        if self.found:
            raise InvalidDeclaration(sorted(self.found, key=lambda fault: fault["line"] or 0))  # type: ignore[arg-type, return-value]


@dataclass(frozen=True, slots=True)
class Section:
    """A map of a declaration. A *kind* is a function from what was found to what is meant; it raises ``ValueError``."""

    faults: Faults
    path: Path
    values: Mapping[str, Any]

    @classmethod
    def of(cls, faults: Faults, path: Path, found: Any, known: tuple[str, ...] | None = None) -> Section:
        """What was found at ``path``, as a section that may hold the ``known`` keys (``None``: any)."""
        if not isinstance(found, Mapping):
            faults.add(path, f"found {shown(found)}; write a map of {', '.join(known) if known else 'names to values'}")
            found = {}
        for key in found:
            if not isinstance(key, str):
                faults.add((*path, str(key)), f"found {shown(key)} as a key; keys are text")
            elif known is not None and key not in known:
                faults.add((*path, key), f"is no key here; {nearest(key, known)}")
        return cls(faults, path, {k: v for k, v in found.items() if isinstance(k, str)})

    def has(self, key: str) -> bool:
        """Whether the key is given; a null stands for leaving it out."""
        return self.values.get(key) is not None

    def get(self, key: str, kind: Callable[[Any], T], default: T) -> T:
        """The value of a key, or the default where it is absent. A wrong one is a fault, and reads as the default."""
        if not self.has(key):
            return default
        try:
            return kind(self.values[key])
        except ValueError as error:
            self.fault(key, str(error))
            return default

    def need(self, key: str, kind: Callable[[Any], T], default: T, mend: str) -> T:
        """A key that must be there."""
        if not self.has(key):
            self.fault(key, f"is missing; {mend}")
        return self.get(key, kind, default)

    def inner(self, key: str, known: tuple[str, ...] | None = None) -> Section:
        """A map within this one; empty where it is absent."""
        return Section.of(self.faults, (*self.path, key), self.values[key] if self.has(key) else {}, known)

    def items(self, key: str, known: tuple[str, ...] | None) -> Iterator[Section]:
        """Each map of a list of them."""
        found = self.values[key] if self.has(key) else []
        if not isinstance(found, list | tuple):
            self.fault(key, f"found {shown(found)}; write a list")
            return
        for i, item in enumerate(found):
            yield Section.of(self.faults, (*self.path, key, i), item, known)

    def fault(self, key: str, reason: str) -> None:
        self.faults.add((*self.path, key), reason)


def text(found: Any) -> str:
    if not isinstance(found, str) or not found.strip():
        mend = f", in quotes: '{found}'" if _is_number(found) else ""
        raise ValueError(f"found {shown(found)}; write a text{mend}")
    if len(found) > 1024 or not clean(found):
        raise ValueError("is longer than 1024 characters or holds a control character; shorten or clean it")
    return found


def name(found: Any) -> str:
    """The name of a column, attribute or tag."""
    if len(text(found)) > MAX_NAME:
        raise ValueError(f"is longer than {MAX_NAME} characters; shorten it")
    return str(found)


def label(found: Any) -> str:
    """A label or decision: text, a whole number, a boolean, as canonical text."""
    if not isinstance(found, str | int | float | bool):
        raise ValueError(f"found {shown(found)}; write a label: a text, a number or true or false")
    return text(canonical_label(found))


def boolean(found: Any) -> bool:
    if not isinstance(found, bool):
        raise ValueError(f"found {shown(found)}; write true or false")
    return found


def number(low: float = -math.inf, high: float = math.inf) -> Callable[[Any], float]:
    """A finite number from ``low`` to ``high``."""

    def read(found: Any) -> float:
        if not _is_number(found) or not math.isfinite(found) or not low <= found <= high:
            raise ValueError(f"found {shown(found)}; write a number{_between(low, high)}")
        return float(found)

    return read


def whole(low: int, high: int = 10**12) -> Callable[[Any], int]:
    def read(found: Any) -> int:
        if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
            raise ValueError(f"found {shown(found)}; write a whole number{_between(low, high)}")
        return found

    return read


def choice(words: tuple[str, ...]) -> Callable[[Any], str]:
    def read(found: Any) -> str:
        if not isinstance(found, str):
            raise ValueError(f"found {shown(found)}; write one of {', '.join(words)}")
        if found not in words:
            raise ValueError(f"found {shown(found)}; {nearest(found, words)}")
        return found

    return read


def each(kind: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """A list, each item of one kind and none of them twice."""

    def read(found: Any) -> tuple[T, ...]:
        if not isinstance(found, list | tuple):
            raise ValueError(f"found {shown(found)}; write a list: [{found if isinstance(found, str) else '...'}]")
        items = tuple(kind(item) for item in found)
        if len(set(items)) < len(items):
            raise ValueError("names one thing twice; keep one of them")
        return items

    return read


def multiple_of(grain: timedelta) -> Callable[[Any], timedelta]:
    """A duration that is a whole number of grains."""

    def read(found: Any) -> timedelta:
        duration = parse_duration(found)
        if duration % grain:
            raise ValueError(f"found {shown(found)}, which is no multiple of the grain; write one, or change the grain")
        return duration

    return read


def clean(found: str) -> bool:
    """Whether a text can be stored anywhere: no control characters, no half of a surrogate pair."""
    return not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in found)


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _between(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    return f" of at least {low:g}" if math.isinf(high) or high >= 10**12 else f" from {low:g} to {high:g}"


def _dotted(path: Path) -> str:
    """``("monitors", 0, "breach")`` as ``monitors[0].breach``."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out or "the declaration"
