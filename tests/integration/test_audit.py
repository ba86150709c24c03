"""The audit trail: what people do is in it, in the transaction that does it, and the chain holds."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from monitor.cli.root import vigil as command
from monitor.database import reading, writing
from monitor.log.audit import audit, note, verify

pytestmark = pytest.mark.both_databases


def entries(service: Any, **query: Any) -> list[dict[str, Any]]:
    answer = service.client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def test_declarations_keys_and_erasures_are_in_it(service: Any) -> None:
    service.declare(segments=["state", "plan"])
    service.declare(segments=["state", "plan"])         # the same again is nothing new
    asked = {"subject_key": "p-1", "reason": "the person asked"}
    assert service.client.post("/v1/models/churn/erasures", json=asked).status_code in (200, 201, 202)
    found = entries(service)
    assert [e["what"] for e in found if not e["what"].startswith("key.")] == [
        "erasure.ask", "model.declare", "model.declare",
    ]  # fmt: skip
    assert "p-1" not in str(found), "whose rows are erased is kept nowhere"
    declared = next(e for e in found if e["what"] == "model.declare")
    assert (declared["subject"], declared["before"], declared["after"]) == ("churn", {"version": 1}, {"version": 2})
    assert declared["who"]["id"] == "ana"
    assert {e["subject"] for e in found if e["what"] == "key.create"}, "each key"


def test_it_is_read_in_pages_the_latest_first(service: Any) -> None:
    whole = entries(service)
    assert [e["seq"] for e in whole] == sorted((e["seq"] for e in whole), reverse=True)
    got, after = list[Any](), None
    while True:
        more = {} if after is None else {"after": after}
        answer = service.client.get("/v1/audit", params={"limit": 3} | more).json()
        got += answer["entries"]
        after = answer["next"]
        if after is None:
            break
    assert got == whole
    at = whole[0]["at"]
    assert entries(service, to=at) == []
    assert len(entries(service, **{"from": at})) == len(whole), "the clock stands still"


def test_many_writers_make_one_chain(service: Any) -> None:
    def write(number: int) -> None:
        for n in range(10):
            with writing(service.app.log.engine) as db:
                note(db, n, {"id": f"w{number}"}, "x.do", str(n), None, None, "test")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with reading(service.app.log.engine) as db:
        found = verify(db)
    assert (found.why, found.entries >= 40) == ("", True)


def test_what_fails_leaves_no_entry(service: Any) -> None:
    before = entries(service)
    with pytest.raises(ZeroDivisionError), writing(service.app.log.engine) as db:  # noqa: PT012
        note(db, 1, {"id": "ana"}, "x.do", "s", None, None, "test")
        raise ZeroDivisionError
    assert entries(service) == before


def test_the_command_line_and_the_page_see_a_broken_chain(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in service.app.settings.environment().items():
        monkeypatch.setenv(name, value)

    def run(*more: str) -> Any:
        return CliRunner().invoke(command, ["audit", "verify", *more], prog_name="vigil")

    good = run()
    assert good.exit_code == 0
    head = good.output.split()[-1]
    assert run("--seen", head).exit_code == 0
    assert "the chain holds" in service.client.get("/audit?check=true").text.lower()
    with writing(service.app.log.engine) as db:
        db.execute(update(audit).where(audit.c.seq == 1).values(subject="another"))
    bad = run()
    assert (bad.exit_code, "at entry 1" in bad.output) == (1, True)
    assert "does not hold" in service.client.get("/audit?check=true").text
