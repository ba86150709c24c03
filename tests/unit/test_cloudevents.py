"""Events as they come over HTTP: modes, versions, encodings, and what is refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from events import ASKED, KServe, Sent, mlserver

from monitor.errors import MalformedBody, TooLarge, UnsupportedFormat
from monitor.events.cloudevents import MAX_ATTRIBUTES, Event, decode
from monitor.events.families import annotations_of, fields_of, read

CORE = {"specversion": "1.0", "id": "e-1", "type": "t", "source": "/s"}


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """As ASGI gives them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def binary(sent: Sent) -> Event:
    (event,), refused = decode(raw(sent.headers), sent.body, 1)
    assert refused == []
    return event


def structured(media: str, value: Any, most: int = 10) -> tuple[list[Event], list[tuple[int, str, str]]]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    events, refused = decode([(b"content-type", media.encode())], body, most)
    return events, [(r.row, r.field, r.reason) for r in refused]


def one(value: Any) -> Event:
    (event,), refused = structured("application/cloudevents+json", value)
    assert refused == []
    return event


def why(changes: dict[str, Any]) -> tuple[str, str]:
    """The field and the reason that an event is refused for."""
    events, ((_, field, reason),) = structured("application/cloudevents+json", CORE | {"data": {}} | changes)
    assert events == []
    return field, reason


def test_kserve_s_event_is_read_header_for_header() -> None:
    event = binary(ASKED)
    assert (event.id, event.type) == ("r-1", "org.kubeflow.serving.inference.request")
    assert event.time == datetime(2026, 7, 1, 11, 58, 0, 123456, UTC), "nanoseconds are cut"
    assert event.content_type == "application/json"
    assert json.loads(event.data)["instances"]
    assert annotations_of(event.attributes) == {"model_version": "v1"}, "a header that is not encoded at all"
    assert fields_of(event.attributes)["X-Request-Id"] == "front-1"
    logged = read(event)
    assert (logged.kind, logged.side, logged.id, logged.node) == ("kserve", "request", "r-1", "predictor")
    assert logged.said == {
        "inferenceservice": "churn", "namespace": "prod", "component": "predictor", "endpoint": "default",
    }  # fmt: skip


def test_mlserver_s_event_of_0_3_has_no_time_and_names_its_model() -> None:
    event = binary(mlserver("response", "s-1", {"outputs": []}))
    assert event.time is None
    logged = read(event)
    assert (logged.kind, logged.side, logged.id, logged.node) == ("seldon", "response", "s-1", "churn-lgbm")


def test_seldon_core_pairs_by_the_request_s_id_and_not_by_the_event_s() -> None:
    sent = mlserver("request", "r", {"inputs": []})
    assert read(binary(Sent(sent.headers | {"Ce-Id": "another"}, sent.body))).id == "r"
    without = {k: v for k, v in sent.headers.items() if k != "Ce-Requestid"}
    assert read(binary(Sent(without, sent.body))).id == "r"


def test_an_empty_attribute_says_nothing_of_whose_an_event_is() -> None:
    assert "endpoint" not in read(binary(KServe(endpoint="").request("r", []))).said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        (b"%e2%82%ac", "€"),
        ("Euro €".encode(), "Euro €"),
        (b'"quoted \\"so\\" "', 'quoted "so" '),
        (b'{"note":"50% of all"}', '{"note":"50% of all"}'),
        (b"", ""),
    ],
)
def test_a_header_s_value_is_unquoted_and_decoded_once(value: bytes, text: str) -> None:
    (event,), _ = decode([*raw({f"ce-{k}": v for k, v in CORE.items()}), (b"ce-note", value)], b"x", 1)
    assert event.attributes["note"] == text


@pytest.mark.parametrize("value", [b"%C0%A0", b"\xff"])
def test_a_header_s_value_that_is_no_utf_8_is_refused(value: bytes) -> None:
    _, (refused,) = decode([*raw({f"ce-{k}": v for k, v in CORE.items()}), (b"ce-note", value)], b"x", 1)
    assert (refused.row, refused.field) == (0, "note")


def test_data_are_the_same_bytes_in_every_mode() -> None:
    body = b'{"instances":[[31.0,"a"]]}'
    headers = raw({f"ce-{k}": v for k, v in CORE.items()} | {"content-type": "application/json"})
    (event,), _ = decode(headers, body, 1)
    said = base64.b64encode(body).decode()
    assert event.data == body
    assert one(CORE | {"data": json.loads(body)}).data == body
    assert one(CORE | {"data_base64": said}).data == body
    assert one(CORE | {"specversion": "0.3", "datacontentencoding": "base64", "data": said}).data == body
    (event,), _ = decode([*headers, (b"ce-datacontentencoding", b"base64")], said.encode(), 1)
    assert event.data == body
    assert "datacontentencoding" not in event.attributes


def test_data_of_other_types_are_text_and_data_of_no_type_are_json() -> None:
    assert one(CORE | {"datacontenttype": "text/csv", "data": "31.0,a\n"}).data == b"31.0,a\n"
    assert one(CORE | {"datacontenttype": "application/x+json", "data": "a"}).data == b'"a"'
    event = one(CORE | {"data": [1]})
    assert (event.data, event.content_type) == (b"[1]", "application/json")
    assert one(CORE | {"data": None}).data == b""


def test_attributes_of_json_are_canonical_text() -> None:
    said = one(CORE | {"flag": True, "n": 5, "unset": None, "annotations": {"model_version": "3"}, "data": 1})
    assert said.attributes == {"flag": "true", "n": "5", "annotations": '{"model_version":"3"}'}
    assert annotations_of(said.attributes) == {"model_version": "3"}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"id": ""}, "id", "is missing"),
        ({"source": None}, "source", "is missing"),
        ({"specversion": "0.2"}, "specversion", "send 1.0 or 0.3"),
        ({"specversion": 1}, "specversion", "send 1.0 or 0.3"),
        ({"id": "i" * 121}, "id", "is longer than 120"),
        ({"id": "a\nb"}, "id", "holds a control character"),
        ({"note": "\ud800"}, "note", "holds a control character"),
        ({"time": "2026-07-01T12:00:00"}, "time", "is not RFC 3339"),
        ({"time": "1782900000"}, "time", "is not RFC 3339"),
        ({"time": "2026-07-01"}, "time", "is not RFC 3339"),
        ({"data_base64": "no!"}, "data_base64", "is not Base64"),
        ({"data_base64": 7}, "data_base64", "is not Base64"),
        ({"datacontenttype": "text/csv", "data": 7}, "data", "is no text"),
        ({"metadata": "x" * MAX_ATTRIBUTES}, "attributes", "are over 65536 characters"),
    ],
)
def test_what_is_wrong_with_an_event_is_named_with_its_mend(changes: dict[str, Any], field: str, reason: str) -> None:
    found = why(changes)
    assert found[0] == field
    assert reason in found[1]


def test_nan_costs_its_own_event_and_none_of_its_neighbours() -> None:
    good, bad = (json.dumps(CORE | {"data": [x]}) for x in (1, float("nan")))
    events, refused = structured("application/cloudevents-batch+json", f"[{bad},{good}]".encode())
    assert [e.place for e in events] == [1]
    assert refused == [(0, "data", "NaN is not JSON; send null for a missing value")]


def test_a_request_that_cannot_be_read_at_all_is_refused_whole() -> None:
    with pytest.raises(MalformedBody, match="at byte 1"):
        structured("application/cloudevents+json", b"{")
    with pytest.raises(MalformedBody, match="no list of events"):
        structured("application/cloudevents-batch+json", {})
    with pytest.raises(TooLarge, match="3 events"):
        structured("application/cloudevents-batch+json", [CORE] * 3, most=2)
    for media in ("application/cloudevents+avro", "application/cloudevents", "application/cloudevents-batch+xml"):
        with pytest.raises(UnsupportedFormat):
            structured(media, {})


def test_a_body_without_ce_headers_is_no_event() -> None:
    events, (refused,) = decode([(b"content-type", b"application/json")], b"{}", 1)
    assert events == []
    assert "no CloudEvent" in refused.reason


@pytest.mark.parametrize("text", ["", "[1]", "{", "7", '{"a": 1}', '{"X-A": []}', '{"X-A": [1]}', "[" * 100_000])
def test_annotations_and_metadata_that_are_no_maps_of_text_are_nothing(text: str) -> None:
    assert annotations_of({"annotations": text}) == {}
    assert fields_of({"metadata": text}) == {}
