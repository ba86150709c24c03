"""What values look like: the type of a feature, and which output is the score, the label or the value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.model import canonical_label
from monitor.model.declaration import MAX_DIMENSIONS

_SCORE = re.compile(r"score|prob|confidence|likelihood", re.IGNORECASE)
_LABEL = re.compile(r"label|class|decision|pred", re.IGNORECASE)
_PROTECTED = re.compile(
    r"sex|gender|race|ethnic|religio|nationalit|disab|birth|marital|pregnan|(^|[^a-z])age($|[^a-z])", re.IGNORECASE
)
FEW = 20        # distinct values up to which a whole number may be a code, and a label be one
CLOSE = 0.02


@dataclass(frozen=True, slots=True)
class Guess:
    """``outputs``: key of the source, which output, and why. ``positive`` and ``classes`` of a classification."""

    task: str
    why: str
    outputs: tuple[tuple[str, int | str, str], ...]
    positive: str = "1"
    classes: tuple[str, ...] = ()


def feature_type(values: Sequence[Any]) -> tuple[str, str]:
    """The type of a feature, and what a person should look at.

    >>> feature_type([1.5, None]), feature_type(["a"]), feature_type([[1, 2], [3, 4]])
    (('numeric', ''), ('categorical', ''), ('embedding[2]', ''))
    """
    there = [value for value in values if value is not None]
    if not there:
        return "numeric", "FILL IN: no value was seen; numeric or categorical"
    if all(map(_is_number, there)):
        distinct = len(set(there))
        codes = all(isinstance(v, int) for v in there) and len(there) >= 5 and distinct <= min(FEW, len(there) // 2)
        return "numeric", f"{distinct} whole numbers; write categorical if they are codes" if codes else ""
    if all(isinstance(value, list) and value and all(map(_is_number, value)) for value in there):
        sizes = {len(value) for value in there}
        if len(sizes) == 1 and (size := sizes.pop()) <= MAX_DIMENSIONS:
            return f"embedding[{size}]", ""
    return "categorical", "" if all(isinstance(v, str | bool) for v in there) else "values of several types"


def looks_protected(name: str) -> bool:
    """
    >>> looks_protected("SEX"), looks_protected("applicant_age"), looks_protected("mileage")
    (True, True, False)
    """
    return _PROTECTED.search(name) is not None


def guess_outputs(columns: Mapping[str, list[Any]]) -> Guess:
    """The task that the outputs look like, and which of them is what. A name counts for more than the values.

    >>> guess_outputs({"0": [0.2, 0.7]}).outputs
    (('score', 0, 'a number from 0 to 1: the probability of the positive label?'),)
    """
    flat = _flat(columns)
    places = {name: k for k, name in enumerate(flat)} if len(flat) == len(columns) else {}
    shares = [name for name, values in flat.items() if _is_share(values)]
    if vector := _probabilities(flat, shares):
        return _of_probabilities(flat, places, vector)
    scores = [n for n in shares if _SCORE.search(n)] or [n for n in shares if not _is_whole(flat[n])]
    labels = [name for name, values in flat.items() if name not in scores and _is_label(name, values)]
    if scores:
        why = "a number from 0 to 1: the probability of the positive label?"
        outputs = [("score", _address(scores[0], places), why)]
        if labels:
            outputs.append(("label", _address(labels[0], places), "few distinct values: the label?"))
        return Guess("binary_classification", f"'{scores[0]}' looks like a probability", tuple(outputs),
                     _positive(flat, labels))  # fmt: skip
    if labels:
        return _of_labels(flat, places, labels[0])
    name = next((n for n, values in flat.items() if all(map(_is_number, _there(values)))), next(iter(flat), "0"))
    value = (("value", _address(name, places), "a number of any size: what is predicted?"),)
    return Guess("regression", "no output looks like a probability or a label", value)


def _of_probabilities(flat: Mapping[str, list[Any]], places: Mapping[str, int], vector: list[str]) -> Guess:
    labels = [name for name, values in flat.items() if name not in vector and _is_label(name, values)]
    beside = [("label", _address(labels[0], places), "few distinct values: the label?")] if labels else []
    if len(vector) == 2:
        which = _address(vector[1], places)
        score = ("score", which, "two numbers that sum to 1: the second is the positive label's probability?")
        why = "two outputs sum to 1"
        return Guess("binary_classification", why, (score, *beside), _positive(flat, labels))
    last = [name.rpartition(".")[2] for name in vector]
    classes = tuple(f"class_{k}" if name.isdigit() else name for k, name in enumerate(last))
    start = vector[0].rpartition(".")[0] or places.get(vector[0], 0)
    score = ("score", start, "they sum to 1: the probabilities of the classes, from here on?")
    return Guess("multiclass_classification", f"{len(vector)} outputs sum to 1", (score, *beside), classes=classes)


def _of_labels(flat: Mapping[str, list[Any]], places: Mapping[str, int], name: str) -> Guess:
    seen = sorted({canonical_label(value) for value in _there(flat[name])})
    output = (("label", _address(name, places), "few distinct values: the label?"),)
    if len(seen) > 2:
        return Guess("multiclass_classification", f"'{name}' has {len(seen)} labels", output, classes=tuple(seen))
    return Guess("binary_classification", f"'{name}' looks like a label", output, seen[-1] if seen else "1")


def _flat(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """One value for each name: lists and objects apart, as ``Payload.pick`` finds them."""
    out: dict[str, list[Any]] = {}
    for name, values in columns.items():
        first = next(iter(_there(values)), None)
        if isinstance(first, dict):
            for key in first:
                out[f"{name}.{key}"] = [value.get(key) if isinstance(value, dict) else None for value in values]
        elif isinstance(first, list):
            for k in range(len(first)):
                out[f"{name}.{k}"] = [v[k] if isinstance(v, list) and k < len(v) else None for v in values]
        else:
            out[name] = values
    return out


def _address(name: str, places: Mapping[str, int]) -> int | str:
    """A place where the output has no name but its place, and nothing else takes one; else its name."""
    return places[name] if name.isdigit() and name in places else name


def _probabilities(flat: Mapping[str, list[Any]], shares: list[str]) -> list[str]:
    """Two or more neighbouring shares that sum to 1 in every row: those of one list or object, or of the whole row."""
    groups: dict[str, list[str]] = {}
    for name in shares:
        groups.setdefault("" if name.isdigit() else name.rpartition(".")[0] or name, []).append(name)
    for names in (*groups.values(), shares):
        if len(names) > 1 and all(abs(sum(row) - 1) < CLOSE for row in zip(*(flat[n] for n in names), strict=True)):
            return names
    return []


def _positive(flat: Mapping[str, list[Any]], labels: Sequence[str]) -> str:
    seen = sorted({canonical_label(value) for name in labels[:1] for value in _there(flat[name])})
    return seen[-1] if 0 < len(seen) <= 2 else "1"


def _is_share(values: Sequence[Any]) -> bool:
    return bool(values) and all(_is_number(v) and 0 <= v <= 1 for v in values)


def _is_whole(values: Sequence[Any]) -> bool:
    return all(float(value).is_integer() for value in values)


def _is_label(name: str, values: Sequence[Any]) -> bool:
    there = _there(values)
    if not there or not all(isinstance(v, str | bool) or (_is_number(v) and float(v).is_integer()) for v in there):
        return False
    distinct = len(set(map(canonical_label, there)))
    return distinct <= FEW and (_LABEL.search(name) is not None or not all(map(_is_number, there)) or distinct <= 2)


def _there(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
