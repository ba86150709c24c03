"""What an event's type and attributes mean, for the loggers of KServe and of Seldon (Core and MLServer).

Names as KServe's ``pkg/logger/worker.go``, Seldon Core's ``executor/logger/worker.go`` and MLServer's
``mlserver/cloudevents.py`` write them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from monitor.events.cloudevents import MAX_ID, Event, Refused
from monitor.model.sources import SourceKind

Side = Literal["request", "response"]

TYPES: dict[str, tuple[SourceKind, Side]] = {
    "org.kubeflow.serving.inference.request": ("kserve", "request"),
    "org.kubeflow.serving.inference.response": ("kserve", "response"),
    "io.seldon.serving.inference.request": ("seldon", "request"),
    "io.seldon.serving.inference.response": ("seldon", "response"),
}
SAID: dict[SourceKind, dict[str, str]] = {
    "kserve": {"inferenceservice": "inferenceservicename", "namespace": "namespace", "component": "component",
               "endpoint": "endpoint"},
    "seldon": {"inferenceservice": "inferenceservicename", "namespace": "namespace", "endpoint": "endpoint",
               "model": "modelid"},
}  # fmt: skip
"""By what a declaration calls it: the attribute that says whose traffic an event is."""

MAX_NODE = 128


@dataclass(frozen=True, slots=True)
class Logged:
    """``id`` pairs a request with its response; ``node`` is the part of the service that logged it (a KServe component,
    a model of a Seldon graph), for two of them may log under one id. ``said`` is what a source selects by."""

    kind: SourceKind
    side: Side
    id: str
    node: str
    said: Mapping[str, str]


def read(event: Event) -> Logged:
    """What an event is; ``Refused`` for a type that is neither the request nor the response of an inference.

    >>> said = {"requestid": "r", "modelid": "m"}
    >>> read(Event(0, "7", "io.seldon.serving.inference.request", "/s", None, "", b"", said))
    Logged(kind='seldon', side='request', id='r', node='m', said={'model': 'm'})
    """
    if event.type not in TYPES:
        raise Refused("type", f"{event.type[:80]!a} is no request or response of an inference; send {', '.join(TYPES)}")
    kind, side = TYPES[event.type]
    said = {key: event.attributes[name] for key, name in SAID[kind].items() if event.attributes.get(name)}
    # Seldon Core gives each event an id of its own, and says the request's apart.
    id_ = (event.attributes.get("requestid") if kind == "seldon" else None) or event.id
    if len(id_) > MAX_ID:
        raise Refused("requestid", f"is longer than {MAX_ID} characters; shorten it")
    node = said.get("model" if kind == "seldon" else "component", "")
    if len(node) > MAX_NODE:
        raise Refused("modelid" if kind == "seldon" else "component", f"is longer than {MAX_NODE} characters")
    return Logged(kind, side, id_, node, said)


def annotations_of(attributes: Mapping[str, str]) -> dict[str, str]:
    """The annotations that KServe's logger was told to send, by name.

    >>> annotations_of({"annotations": '{"model-version": "3"}'})
    {'model-version': '3'}
    """
    found = _object(attributes.get("annotations", ""))
    return {name: value for name, value in found.items() if isinstance(value, str)}


def fields_of(attributes: Mapping[str, str]) -> dict[str, str]:
    """What else an event says of itself: its attributes, and the request's headers that KServe was told to send.

    >>> fields_of({"namespace": "prod", "metadata": '{"X-Request-Id": ["r-1"]}'})
    {'namespace': 'prod', 'X-Request-Id': 'r-1'}
    """
    own = {name: value for name, value in attributes.items() if name not in ("annotations", "metadata")}
    sent = _object(attributes.get("metadata", ""))
    heads = {name: v[0] for name, v in sent.items() if isinstance(v, list) and v and isinstance(v[0], str)}
    return own | heads


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
