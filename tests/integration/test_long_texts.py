"""Texts as long as the ingest lets them be, in columns that are indexed: PostgreSQL indexes none over 2,704 bytes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from detectors.scope import Scope
from incidents.commands import Open
from incidents.events import Actor, ActorKind
from incidents.machine import decide
from incidents.notices import Origin
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.model import ModelSpec
from monitor.model.streams import MAX_STREAM
from monitor.store import incidents, lists, streams
from monitor.store.lists import Filter
from monitor.views.windows import series

pytestmark = pytest.mark.both_databases
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def long(seed: int, n: int = 1_024) -> str:
    """Text of three bytes a letter that no compression makes shorter."""
    return "".join(map(chr, random.Random(seed).choices(range(0x4E00, 0x9FFF), k=n)))


# A scope of a declaration has 1,024 characters in all.
FIRST, SECOND, STATE = long(1, 1_000), long(1, 1_000)[:-1] + "b", long(2)


def test_groups_and_segments_with_the_longest_names_are_folded_judged_and_found(service: Any) -> None:
    windows = {"drift": "1d", "performance": "1d", "fairness": "1d"}
    monitors = [
        {"metric": "selection_rate", "scope": Scope(attribute="sex", group=group).text, "breach": {"above": 0.1},
         "min_samples": 5, "open_after": 1}
        for group in (FIRST, SECOND)
    ]  # fmt: skip
    assert service.declare(windows=windows, monitors=monitors).status_code == 200

    def row(i: int, **more: Any) -> dict[str, Any]:
        return service.prediction(i, protected={"sex": (FIRST, SECOND)[i % 2]}, tags={"state": STATE}, **more)

    reference = [row(i, prediction_id=f"r{i}", actual_label=i // 5 % 2, timestamp="2026-06-01T00:00:00Z")
                 for i in range(200)]  # fmt: skip
    taken = service.post("reference", reference)
    assert taken.status_code == 202, taken.json()["errors"]
    assert service.post("predictions", [row(i) for i in range(400)]).status_code == 202
    service.fold()
    service.clock.move(days=2)
    service.app.worker.tick("churn")
    for group in (FIRST, SECOND):
        asked = {"metric": "selection_rate", "scope": Scope(attribute="sex", group=group).text}
        found = service.client.get("/v1/models/churn/points", params=asked).json()["points"]
        (point,) = [p for p in found if p["window"]["start"] == "2026-07-01T00:00:00Z"]
        assert (point["scope"]["group"], point["n"]) == (group, 200)
        assert [v["verdict"] for v in point["verdicts"]] == ["breach"]
        assert service.app.ask(lambda db: len(series(db, 1, "selection_rate", asked["scope"]))) == len(found)  # noqa: B023
    assert service.app.ask(lists.count, Filter()) == 1


def test_the_ids_of_monitors_that_were_given_none_are_bounded_and_differ() -> None:
    scopes = [Scope(attribute="sex", group=group).text for group in (FIRST, SECOND, "f")]
    monitors = [{"metric": "selection_rate", "scope": scope, "breach": {"above": 0.1}} for scope in scopes]
    spec = ModelSpec.from_dict({"model": "m", "task": "binary_classification", "favourable": 1,
                                "protected_attributes": {"sex": {}}, "monitors": monitors})  # fmt: skip
    ids = [m.id for m in spec.monitors or ()]
    assert len(set(ids)) == 3
    assert all(len(i) <= 128 for i in ids)
    assert ModelSpec.from_dict(spec.to_dict()).monitors == spec.monitors, "as it is stored and read again"
    assert ids[2] == "selection_rate/attribute:sex,group:f"


def test_one_incident_of_a_fingerprint_is_live_however_long_that_is(state_db: Connection) -> None:
    def opened(fingerprint: Fingerprint, at: datetime) -> None:
        command = Open(fingerprint, Severity.WARNING, "it drifts", at)
        decision = decide(None, command, Actor("vigil", ActorKind.RULE), at)
        incidents.record(state_db, 1, None, decision.events, Origin("tick", 1))

    some = [Fingerprint("m", Kind.PERFORMANCE, None, f"state={text}") for text in (FIRST, SECOND)]
    for number, fingerprint in enumerate(some):
        opened(fingerprint, NOW + timedelta(hours=number))
    assert incidents.live(state_db, 1) == {f: frozenset({f}) for f in some}
    for number, fingerprint in enumerate(some):
        found = incidents.latest(state_db, fingerprint)
        assert found is not None
        assert found.opened_at == NOW + timedelta(hours=number)
    with pytest.raises(IntegrityError):
        opened(some[0], NOW + timedelta(days=1))



def test_a_stream_with_the_longest_name_is_kept(state_db: Connection) -> None:
    name = long(3, MAX_STREAM).translate({ord(c): chr(0x20000 + i) for i, c in enumerate(set(long(3, MAX_STREAM)))})
    streams.save(state_db, 1, name, b"state")
    streams.save(state_db, 1, name, b"later")
    assert streams.load(state_db, 1, name) == b"later"
