"""A KPI with everything a reader needs to trust it: what it stands on, what was left out, and why it is null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from incidents.figures import Durations, Figure
from incidents.incident import Incident
from monitor.kpis.definitions import DEFINITIONS


@dataclass(frozen=True, slots=True)
class Part:
    """A figure beside the main one. ``of``: the model, severity or kind that it speaks of, where it is one of several.

    Units: ``ratio`` (0 to 1), ``seconds``, ``count``, ``per_model_quarter``, ``per_model_week``, ``per_million``.
    """

    id: str
    title: str
    unit: str
    figure: Figure
    of: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "title": self.title, "of": self.of, "unit": self.unit, **figure_as_dict(self.figure)}


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI of one period. ``target``: only where one is declared; ``note``: a sentence for the reader."""

    id: str
    figure: Figure
    parts: tuple[Part, ...] = ()
    target: float | None = None
    note: str | None = None

    @property
    def title(self) -> str:
        return DEFINITIONS[self.id].title

    @property
    def unit(self) -> str:
        return DEFINITIONS[self.id].unit

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        title, unit, text = DEFINITIONS[self.id]
        head = {"id": self.id, "title": title, "unit": unit, "target": self.target}
        tail = {"definition": text, "note": self.note, "parts": [p.as_dict() for p in self.parts]}
        return {**head, **figure_as_dict(self.figure), **tail}


def figure_as_dict(f: Figure) -> dict[str, Any]:
    return {
        "value": f.value,
        "n": f.n,
        "numerator": f.numerator,
        "denominator": f.denominator,
        "excluded": dict(sorted(f.excluded.items())),
        "reason_if_null": f.reason_if_null,
        "records": list(f.records),
    }


def ratio(
    numerator: float,
    denominator: float,
    records: Sequence[str],
    if_none: str,
    excluded: Mapping[str, int] | None = None,
    n: int | None = None,
) -> Figure:
    """A quotient of sums, never a mean of quotients; null for the reason ``if_none`` where the denominator is 0.

    >>> ratio(1, 4, ["a"], "none").value, ratio(0, 0, [], "none_due").reason_if_null
    (0.25, 'none_due')
    """
    value = numerator / denominator if denominator else None
    reason = None if denominator else "all_excluded" if excluded and not records else if_none
    size = len(records) if n is None else n
    return Figure(value, size, numerator, denominator, excluded or {}, reason, tuple(records))


def count(found: Sequence[Incident] | Sequence[str], excluded: Mapping[str, int] | None = None) -> Figure:
    """How many there are: 0 is a fact here, not a lack of data."""
    ids = tuple(i if isinstance(i, str) else i.id for i in found)
    return Figure(len(ids), len(ids), excluded=excluded or {}, records=ids)


def missing(reason: str, n: int = 0, records: Sequence[str] = (), excluded: Mapping[str, int] | None = None) -> Figure:
    return Figure(None, n, excluded=excluded or {}, reason_if_null=reason, records=tuple(records))


def noting(figure: Figure, excluded: Mapping[str, int]) -> Figure:
    """The figure with what was left out before it was made."""
    if not excluded:
        return figure
    total = {r: figure.excluded.get(r, 0) + excluded.get(r, 0) for r in (*figure.excluded, *excluded)}
    reason = "all_excluded" if figure.reason_if_null == "no_incidents" else figure.reason_if_null
    return replace(figure, excluded=total, reason_if_null=reason)


def spread(d: Durations, excluded: Mapping[str, int], title: str, prefix: str = "") -> tuple[Part, ...]:
    """Mean, median, 90th percentile and longest of durations, as parts named after what they measure."""
    words = {"mean": "mean", "p50": "median", "p90": "90th percentile", "max": "longest"}
    figures = {"mean": d.mean, "p50": d.median, "p90": d.p90, "max": d.max}
    return tuple(
        Part(f"{prefix}{k}", f"{title}, {words[k]}", "seconds", noting(f, excluded)) for k, f in figures.items()
    )
