"""A model's declaration drafted from what its service recorded: types by the values, the score by how outputs look.

What nobody can read off a record is left open and marked ``FILL IN``: a draft whose marked lines were not filled is
refused with their line, or monitors names that say nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.model.sources import SELECTORS
from monitor.sources.exchange import Exchange
from monitor.sources.guesses import Guess, feature_type, guess_outputs, looks_protected
from monitor.sources.payload import Payload

MARK = "FILL IN"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was read: ``said`` is whose traffic it is, by the source's own keys; ``unread`` the reasons of records that
    gave no exchange; ``bodies``: two bodies alone, and nothing beside them."""

    kind: str
    exchanges: Sequence[Exchange]
    said: Mapping[str, str] = field(default_factory=dict)
    unread: Sequence[str] = ()
    model: str | None = None
    bodies: bool = False


def draft(recorded: Recorded) -> str:
    """The declaration as YAML with remarks. ``recorded`` has at least one exchange.

    >>> from datetime import UTC, datetime
    >>> one = Exchange("r", datetime(2026, 1, 31, tzinfo=UTC), Payload({"age": [40]}, 1), Payload({"p": [0.2]}, 1))
    >>> print(draft(Recorded("mlflow", [one], model="churn")))  # doctest: +ELLIPSIS
    # Drafted from 1 request of mlflow with 1 row. ...
    """
    recorded = _of_one_shape(recorded)
    inputs = _stacked([e.inputs for e in recorded.exchanges])
    guess = guess_outputs(_stacked([e.outputs for e in recorded.exchanges]))
    named = recorded.exchanges[0].inputs.named and not _is_matrix(recorded.exchanges[0].inputs)
    names = list(inputs) if named else [f"input_{k}" for k in range(len(inputs))]
    columns = dict(zip(names, inputs.values(), strict=True))
    lines = [*_head(recorded, guess), *_features(columns, named), *_labels(guess, columns), "sources:"]
    lines += [f"  {line}" for line in _source(recorded, guess, names, named)]
    return "\n".join(lines) + "\n"


def _of_one_shape(recorded: Recorded) -> Recorded:
    """The requests whose inputs and outputs are laid out as those of most are; the others are counted as unread."""

    def shape(one: Exchange) -> tuple[object, ...]:
        unnamed = [p for p in (one.inputs, one.outputs) if not p.named or _is_matrix(p)]
        return one.inputs.named, *(tuple(_laid_out(p)) for p in unnamed)

    (most, _), *others = Counter(map(shape, recorded.exchanges)).most_common()
    if not others:
        return recorded
    kept = [e for e in recorded.exchanges if shape(e) == most]
    odd = ["has other inputs or outputs than most"] * (len(recorded.exchanges) - len(kept))
    return replace(recorded, exchanges=kept, unread=[*recorded.unread, *odd])


def _stacked(payloads: Sequence[Payload]) -> dict[str, list[Any]]:
    """The columns of all payloads, one below the other. A matrix that has no names of its own is laid out."""
    laid = [_laid_out(p) for p in payloads]
    out: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for columns in laid for name in columns):
        out[name] = [value for columns in laid for value in columns.get(name, [])]
    return out


def _laid_out(payload: Payload) -> dict[str, list[Any]]:
    return payload.laid_out() if _is_matrix(payload) else dict(payload.columns)


def _is_matrix(payload: Payload) -> bool:
    """One tensor of several values a row: its columns have no names, only places."""
    values = next(iter(payload.columns.values()), [])
    return len(payload.columns) == 1 and any(isinstance(value, list) for value in values)


def _head(recorded: Recorded, guess: Guess) -> list[str]:
    n, rows = len(recorded.exchanges), sum(e.inputs.n_rows for e in recorded.exchanges)
    some = f"{n} request{'s' * (n > 1)} of {recorded.kind} with {rows} row{'s' * (rows > 1)}"
    lines = [f"# Drafted from {some}. Lines marked '{MARK}' need a person; then: vigil model apply FILE"]
    if recorded.unread:
        lines.append(f"# Records left out: {len(recorded.unread)}; the first: {recorded.unread[0]}")
    model = recorded.model or recorded.said.get("inferenceservice") or recorded.said.get("endpoint") or ""
    clean = re.sub(r"[^a-z0-9._-]+", "-", model.lower()).strip("-._")[:64]
    lines.append(f"model: {clean}" if clean else f"model:      # {MARK}: its name, such as census-employment")
    lines += [
        f"task: {guess.task}      # {guess.why}",
        f"owner:      # {MARK}: who answers for it",
        f"purpose:      # {MARK}: what it is used for",
    ]
    return lines


def _features(columns: Mapping[str, list[Any]], named: bool) -> list[str]:
    lines = ["features:" if named else f"features:      # {MARK}: name them as in 'columns' below"]
    for name, values in columns.items():
        kind, why = feature_type(values)
        lines.append(f"  {_quoted(name)}: {kind}" + (f"      # {why}" if why else ""))
    return lines


def _labels(guess: Guess, columns: Mapping[str, list[Any]]) -> list[str]:
    lines = []
    if guess.task == "multiclass_classification":
        found = f"[{', '.join(map(_quoted, guess.classes))}]"
        lines.append(f"classes: {found}      # {MARK}: all labels, in the order of the probabilities")
    if guess.task == "binary_classification":
        positive = f"positive_label: {_quoted(guess.positive)}"
        lines.append(f"{positive}      # {MARK}: the label that the score is the probability of")
        lines.append("decision_threshold: 0.5")
    if protected := [name for name in columns if looks_protected(name)]:
        listed = ", ".join(f"{_quoted(name)}: {{}}" for name in protected)
        lines.append(f"# {MARK}, by their names these may be protected; with them, name the label a person would want:")
        lines += [f"# protected_attributes: {{{listed}}}", '# favourable: "1"']
    lines.append(f"label_delay: 30d      # {MARK}: how long it takes until the truth is known")
    return lines


def _source(recorded: Recorded, guess: Guess, names: Sequence[str], named: bool) -> list[str]:
    lines = [f"- kind: {recorded.kind}"]
    said = [f"{key}: {_quoted(recorded.said[key])}" for key in SELECTORS[recorded.kind] if recorded.said.get(key)]
    lines += said or [f"# {', '.join(SELECTORS[recorded.kind])}: name what tells its traffic from that of others"]
    first = recorded.exchanges[0]
    if first.annotations:
        version = _quoted(f"annotation:{next(iter(first.annotations))}")
        lines.append(f"version: {version}      # {MARK}: which of its annotations tells it")
    elif first.version or first.outputs.version:
        lines.append("version: field      # as the records tell it")
    else:
        lines.append(f"version: v1      # {MARK}: the records do not tell it")
    if not named:
        lines.append(f"columns: [{', '.join(names)}]      # {MARK}: the names of the inputs, in order")
    lines += [f"{key}: {_output(which)}      # {why}" for key, which, why in guess.outputs]
    if first.time is None and not recorded.bodies:
        lines.append(f"timestamp:      # {MARK}: the records have no time; the input that holds it")
    if recorded.kind in ("sagemaker", "kserve", "seldon"):
        lines.append(f"sampling_rate: 1      # {MARK}: the share of requests that is captured")
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def _output(which: int | str) -> str:
    return str(which) if isinstance(which, int) else _quoted(which)


def _quoted(text: str) -> str:
    """A text as YAML reads it back, whatever is in it.

    >>> _quoted("age"), _quoted("1"), _quoted("true"), _quoted("a: b")
    ('age', '"1"', '"true"', '"a: b"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in ("true", "false", "null"):
        return text
    plain = (c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08X}" for c in text)
    return f'"{"".join(plain)}"'
