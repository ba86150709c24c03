"""The whole way in a running service: an alarm comes in, a webhook is told, a person acknowledges, a step drops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from databases import Deployment
from receivers import OK, Receiver
from sqlalchemy import select

from incidents.commands import Open
from incidents.events import Actor, ActorKind
from incidents.machine import decide
from incidents.notices import Origin, notices
from incidents.verdict import Cause, Evidence, Fingerprint, Kind, Severity
from monitor.app import App
from monitor.database import reading
from monitor.log.notifications import notifications
from monitor.model import parse_declaration

DECLARATION = b"""
model: churn
task: binary_classification
features: {age: numeric}
favourable: 1
notify:
  - {channel: webhook, name: ops, url_env: OPS_URL}
  - {channel: webhook, name: boss, url_env: OPS_URL, after: 15m}
"""
ANA = Actor("ana", ActorKind.PERSON)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    found = Receiver([(500, {}), OK])
    monkeypatch.setenv("OPS_URL", found.url)
    yield found
    found.stop()


@pytest.mark.both_databases
def test_from_an_alarm_to_an_acknowledgement(deployment: Deployment, receiver: Receiver) -> None:
    ahead = timedelta()
    app = App(deployment.settings(), lambda: datetime.now(UTC) + ahead)
    app.writer.start()
    app.declare(parse_declaration(DECLARATION, "yaml"), "ana")
    app.start_worker()
    at = datetime.now(UTC)
    opening = {"command": "open", "fingerprint": "v1:churn/service/key=db", "severity": "critical", "title": "down",
               "started_at": at.isoformat(), "evidence": None, "clock": "wall"}  # fmt: skip
    app.worker.command("churn", "", opening, Actor("alarms", ActorKind.MACHINE))
    receiver.wait(lambda: len(receiver.seen) == 1)
    ahead = timedelta(seconds=30)       # its first retry is due
    receiver.wait(lambda: len(receiver.arrived) == 1)
    first, second = receiver.seen[:2]
    assert (first.key, first.body) == (second.key, second.body)
    app.worker.command("churn", first.json["incident"], {"command": "acknowledge", "note": "mine"}, ANA)
    receiver.wait(lambda: len(receiver.arrived) == 2 or len(receiver.seen) == 3)
    ahead = timedelta(minutes=20)
    receiver.wait(lambda: "waiting" not in _states(app).values())
    assert _states(app) == {
        ("ops", "opened"): "delivered", ("ops", "acknowledged"): "delivered",
        ("boss", "opened"): "dropped", ("boss", "acknowledged"): "dropped",
    }  # fmt: skip
    app.stop()


def _states(app: App) -> dict[tuple[str, str], str]:
    c = notifications.c
    with reading(app.log.engine) as db:
        return {(row.channel, row.kind): row.state for row in db.execute(select(c.channel, c.kind, c.state))}


def test_a_notice_of_a_disparity_names_no_group() -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    causes = Cause("sex=female", "selection_rate", 0.2), Cause("sex=male", "selection_rate", 0.5)
    shown = Evidence(at - timedelta(days=1), at, "demographic parity 0.3, above 0.1", causes)
    opening = Open(Fingerprint("churn", Kind.FAIRNESS, "sex"), Severity.WARNING, "Disparity by sex", at, shown)
    decision = decide(None, opening, Actor("vigil", ActorKind.RULE), at)
    (notice,) = notices(None, decision.events, Origin("tick", 1), 0)
    assert "male" not in str(notice.to_json())
    assert "sex" in str(notice.to_json())
