"""Erasures over HTTP and by the command line, and retention beside a running service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import vigil as command
from monitor.worker.erasing import carry_out

URL = "/v1/models/churn/erasures"


@pytest.fixture
def people(service: Any) -> Any:
    """A model to which two people's predictions were sent."""
    assert service.reference().status_code == 202
    rows = [service.prediction(i, subject_key=f"person-{i % 2}") for i in range(10)]
    service.sent = service.post("predictions", rows)
    service.fold()
    return service


def test_a_person_asks_and_the_record_tells_it(people: Any) -> None:
    asked = people.client.post(URL, json={"subject_key": "person-1", "reason": "ticket 4711"})
    assert asked.status_code == 202, asked.text
    assert asked.json()["done_at"] is None
    carry_out(people.app.keeper, ["churn"])
    (told,) = people.client.get(URL).json()["erasures"]
    assert told == asked.json() | {"done_at": told["done_at"], "rows": {"predictions": 5}}
    assert (told["by"], told["of"], told["reason"]) == ("ana", "subject", "ticket 4711")
    assert "person-1" not in json.dumps(told)
    batch = people.batch(people.sent)
    assert (batch["accepted"], batch["erased"], batch["aged_out"]) == (10, 5, False)
    assert people.counts()["predictions"] == 10, "what was counted stays counted"


def test_it_takes_one_name_a_reason_and_a_person(people: Any, problem: Callable[..., Any]) -> None:
    machine = people.key("admin")
    body = {"subject_key": "person-1", "reason": "why"}
    problem(people.client.post(URL, json=body, headers=machine), 403, "forbidden")
    for wrong in ({"reason": "why"}, body | {"prediction_id": "p1"}, {"subject_key": "x"}, body | {"reason": ""}):
        assert people.client.post(URL, json=wrong).status_code == 422
    assert people.client.post("/v1/models/other/erasures", json=body).status_code == 404
    assert people.client.get(URL).json() == {"erasures": []}


@pytest.mark.usefixtures("logged")
def test_the_command_line_erases_lists_and_erases_again(people: Any, tmp_path: Path) -> None:
    where = {"VIGIL_DATA_DIR": str(people.app.settings.data_dir), "USER": "root"}
    done = run(where, "erase", "request", "--model", "churn", "--subject", "person-0", "--reason", "r", "--json")
    assert json.loads(done.output)["rows"] == {"predictions": 5}
    file = tmp_path / "list.json"
    assert run(where, "erase", "list", "--out", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o077 == 0
    again = run(where, "erase", "reapply", "--list", str(file), "--json")
    assert list(json.loads(again.output)["rows"].values()) == [5]
    assert run(where, "erase", "request", "--model", "churn", "--reason", "r").exit_code == 2
    assert run(where, "erase", "request", "--model", "none", "--subject", "x", "--reason", "r").exit_code == 1
    (tmp_path / "broken.json").write_text("{}")
    assert run(where, "erase", "reapply", "--list", str(tmp_path / "broken.json")).exit_code == 2
    before = people.counts()
    assert run(where, "rebuild", "--model", "churn").exit_code == 0
    people.fold()
    assert people.counts() == before
    people.clock.move(days=500)
    shown = json.loads(run(where, "retention", "show", "--json").output)
    assert shown["days"]["raw"] == 400
    assert [m["model"] for m in shown["models"]] == ["churn"]


def test_housekeeping_does_both_by_itself(people: Any) -> None:
    people.client.post(URL, json={"prediction_id": "p3", "reason": "ticket"})
    people.clock.move(days=402)
    from monitor.worker.housekeeping import Housekeeping

    house = Housekeeping(people.app.retention)
    house()
    (told,) = people.client.get(URL).json()["erasures"]
    assert told["rows"] == {"predictions": 1}
    batch = people.batch(people.sent)
    assert (batch["accepted"], batch["erased"], batch["aged_out"]) == (10, 1, True)
    house.stop()
    house()     # nothing is begun any more


def run(env: dict[str, str], *args: str) -> Result:
    return CliRunner().invoke(command, list(args), env=env)


def test_a_prediction_out_of_events_goes_with_its_exchange(people: Any) -> None:
    from events import SOURCES, KServe, send

    assert people.declare(sources=SOURCES).status_code == 200
    before = people.counts()["predictions"]
    for id_ in ("r-1", "r-2", "r-3"):
        send(people, KServe().request(id_, [[31.0, "a", "f"], [57.5, "b", "m"]]))
        if id_ != "r-3":
            send(people, KServe().response(id_, [0.9, 0.1]))
        people.fold()       # the two halves come in segments of their own
    assert people.counts()["predictions"] == before + 4
    first = kept(people)
    for name in ("r-1/0", "r-3"):
        people.client.post(URL, json={"prediction_id": name, "reason": "ticket"})
    carry_out(people.app.keeper, ["churn"])
    told = people.client.get(URL).json()["erasures"]
    assert sorted(e["rows"]["events"] for e in told) == [1, 2]
    after = kept(people)
    assert {r["id"] for r in first} - {r["id"] for r in after} == {"r-1/0", "r-1/1"}
    segments = people.app.log.read("churn", 0, 99)
    assert not [s for s in segments if b"r-1" in s.payload or b"r-3" in s.payload]
    remake(people)
    assert kept(people) == after
    assert people.counts()["predictions"] == before + 4
    send(people, KServe().response("r-3", [0.9, 0.1]))
    people.fold()
    assert people.counts()["predictions"] == before + 4, "its request is gone"


def kept(service: Any) -> list[dict[str, Any]]:
    from state import contents

    rows = map(json.loads, contents(service.app.state, ("kept",))["kept"])
    return sorted(({k: v for k, v in r.items() if k != "place"} for r in rows if r["id"]), key=lambda r: r["id"])


def remake(service: Any) -> None:
    from monitor.worker.restoring import forget

    forget(service.app.state, 1)
    service.fold()
