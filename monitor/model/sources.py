"""A source of a declaration: how what a model service already sends becomes predictions and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.model.checks import Section, choice, each, label, name, number, text
from monitor.model.words import nearest, shown

SourceKind = Literal["kserve", "seldon", "sagemaker", "mlflow", "databricks", "bentoml"]
Output = int | str
"""Which output: its place among a row's outputs (from 0), or its name."""

KINDS: tuple[SourceKind, ...] = get_args(SourceKind)
SELECTORS: dict[str, tuple[str, ...]] = {
    "kserve": ("inferenceservice", "namespace", "component", "endpoint"),
    "seldon": ("inferenceservice", "namespace", "endpoint", "model"),
    "sagemaker": ("endpoint", "variant"),
    "mlflow": ("endpoint",),
    "databricks": ("endpoint", "served_entity"),
    "bentoml": ("monitor",),
}
"""What tells the traffic of one source from that of another, by kind."""

READS = (
    "version", "role", "columns", "score", "label", "value", "decision", "actual", "classes", "id", "timestamp",
    "time_zone", "subject_key", "protected", "tags", "sampling_rate", "identity",
)
MAX_SOURCES = 100
MAX_COLUMNS = 5_000


@dataclass(frozen=True, slots=True)
class Source:
    """How one service's requests and responses are read. docs/sources.md says what each key means.

    ``selectors``: what the traffic must say of itself (``{"inferenceservice": "census"}``). ``version``: ``annotation``
    or ``annotation:NAME``, ``field`` or ``field:NAME``, else the version itself. ``columns``: the names of the inputs,
    in order, where the payload has none. ``score``, ``label``, ``value``, ``decision``: which output is it.
    ``classes``: the labels whose probabilities the score's list holds, in order. ``id``: ``request``, or the name of
    the field or input that holds the row's own id. ``timestamp`` and ``subject_key``: the input that holds it.
    ``protected``, ``tags``: ``{attribute: input}``. ``sampling_rate``: of a service whose records do not tell it.
    ``actual`` and ``time_zone``: of BentoML, the column of role target, and the zone that its clock is set to.
    ``identity``: who may send it without a key, as its certificate or its mesh names it (a SPIFFE id, for one).
    """

    kind: SourceKind
    selectors: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    role: str | None = None
    columns: tuple[str, ...] = ()
    score: Output | None = None
    label: Output | None = None
    value: Output | None = None
    decision: Output | None = None
    actual: str | None = None
    classes: tuple[str, ...] = ()
    id: str = "request"
    timestamp: str | None = None
    time_zone: str | None = None
    subject_key: str | None = None
    protected: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    sampling_rate: float | None = None
    identity: str | None = None

    def takes(self, said: Mapping[str, str]) -> bool:
        """Whether traffic that says this of itself belongs to this source.

        >>> census = Source("kserve", {"inferenceservice": "census"})
        >>> census.takes({"inferenceservice": "census", "namespace": "prod"}), census.takes({"namespace": "prod"})
        (True, False)
        """
        return all(said.get(key) == wanted for key, wanted in self.selectors.items())

    def to_dict(self) -> dict[str, Any]:
        """The source as a declaration writes it."""
        out: dict[str, Any] = {"kind": self.kind, **self.selectors}
        for key in READS:
            found = getattr(self, key)
            if isinstance(found, tuple | Mapping):
                found = list(found) if isinstance(found, tuple) else dict(found)
            if found not in (None, [], {}) and (key, found) != ("id", "request"):
                out[key] = found
        return out


def read_sources(top: Section, task: str, protected: Mapping[str, Any], classes: tuple[str, ...]) -> tuple[Source, ...]:
    """The declared sources. ``protected`` and ``classes`` are what the model declares of them."""
    found: list[Source] = []
    known = tuple(dict.fromkeys(("kind", *(key for keys in SELECTORS.values() for key in keys), *READS)))
    for section in top.items("sources", known):
        source = _read(section, task, protected, classes)
        if source is not None:
            found.append(source)
    if len(found) > MAX_SOURCES:
        top.fault("sources", f"are {len(found)}; a model has at most {MAX_SOURCES}")
    return tuple(found)


def _read(section: Section, task: str, protected: Mapping[str, Any], classes: tuple[str, ...]) -> Source | None:
    kind = section.need("kind", choice(KINDS), "", f"name what sends: {', '.join(KINDS)}")
    if not kind:
        return None
    for key in (k for k in section.values if k not in ("kind", *READS) and any(k in v for v in SELECTORS.values())):
        if key not in SELECTORS[kind]:
            section.fault(key, f"is no key of {kind}; {nearest(key, (*SELECTORS[kind], *READS))}")
    source = Source(
        kind=kind,  # type: ignore[arg-type]  # one of the words, as it was read
        selectors={key: section.get(key, _word, "") for key in SELECTORS[kind] if section.has(key)},
        version=section.get("version", _word, None),
        role=section.get("role", choice(("champion", "challenger", "shadow")), None),
        columns=section.get("columns", _columns, ()),
        score=section.get("score", output, None),
        label=section.get("label", output, None),
        value=section.get("value", output, None),
        decision=section.get("decision", output, None),
        actual=section.get("actual", name, None),
        classes=section.get("classes", each(label), classes),
        id=section.get("id", name, "request"),
        timestamp=section.get("timestamp", name, None),
        time_zone=section.get("time_zone", _zone, None),
        subject_key=section.get("subject_key", name, None),
        protected=_named(section, "protected"),
        tags=_named(section, "tags"),
        sampling_rate=section.get("sampling_rate", _rate, None),
        identity=section.get("identity", text, None),
    )
    _fit(section, source, task, protected)
    return source


def _fit(section: Section, source: Source, task: str, protected: Mapping[str, Any]) -> None:
    """What the task needs must be named, and what it has no use for must not."""
    needed: tuple[str, ...]
    useless: tuple[str, ...]
    if task == "regression":
        needed, useless = ("value",), ("score", "label", "classes")
    elif task == "ranking":
        needed, useless = ("score",), ("label", "value")
    else:
        needed, useless = ("score", "label"), ("value",)
    given = [key for key in needed if section.has(key)]
    if not given:
        section.fault(needed[0], f"is missing; write which output is the {' or the '.join(needed)}: its place or name")
    for key in filter(section.has, ("actual", "time_zone")):
        if source.kind != "bentoml":
            section.fault(key, f"is for bentoml, and the kind is {source.kind}; leave it out")
    for key in filter(section.has, useless):
        section.fault(key, f"has no meaning for a {task}; leave it out, and name the {' or the '.join(needed)}")
    for attribute in source.protected:
        if attribute not in protected:
            mend = nearest(attribute, tuple(protected)) if protected else "declare it under protected_attributes"
            section.inner("protected").fault(attribute, f"is no protected attribute of this model; {mend}")


def output(found: Any) -> Output:
    """An output's place from 0, or its name."""
    if isinstance(found, str):
        return name(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= 100_000:
        raise ValueError(f"found {shown(found)}; write the output's place, from 0, or its name")
    return found


def _columns(found: Any) -> tuple[str, ...]:
    names = each(name)(found)
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"are {len(names)}; at most {MAX_COLUMNS} can be named")
    return names


def _word(found: Any) -> str:
    """A text; a whole number is its text, so that ``version: 3`` needs no quotes."""
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else text(found)


def _zone(found: Any) -> str:
    try:
        return str(ZoneInfo(text(found)))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"found {shown(found)}; write a zone such as UTC or Europe/Berlin") from None


def _rate(found: Any) -> float:
    rate = number(0, 1)(found)
    if rate == 0:
        raise ValueError("found the number 0; write the share that is captured, such as 0.1")
    return rate


def _named(section: Section, key: str) -> dict[str, str]:
    """``{attribute: input}``."""
    read: Callable[[Any], str] = name
    inner = section.inner(key)
    return {one: inner.need(one, read, "", "name the input that holds it") for one in inner.values}
