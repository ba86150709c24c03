"""A real Alertmanager, both ways: what Vigil sends stands there and ends there, what comes from there opens here, and
nothing goes round in a circle."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
import yaml
from sqlalchemy import select
from told import notice

from api.server import create
from incidents.incident import State
from incidents.notices import NoticeKind
from incidents.routing import ChannelKind, Route
from incidents.verdict import Severity
from monitor.app import App
from monitor.model import ModelSpec
from monitor.senders.channels.alertmanager import NAME, Alertmanager
from monitor.senders.channels.base import Extra, open_channel
from monitor.settings import Settings
from monitor.store import incidents as store
from monitor.store import tables

pytestmark = pytest.mark.needs_alertmanager

SECONDS = 20.0
TINY = {"model": "churn", "task": "regression"}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def until(found: Callable[[], Any], otherwise: str) -> Any:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except httpx.TransportError:        # it does not listen yet
            pass
        time.sleep(0.05)
    pytest.fail(otherwise)


@pytest.fixture(scope="module")
def vigil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str, str]]:
    """A served Vigil with a model: the app, its address, and a key for alerts."""
    folder = tmp_path_factory.mktemp("vigil")
    app = App(Settings(data_dir=folder, worker="none"))
    key = app.keys.create("alertmanager", "machine", frozenset({"operate"}))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create(app), port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    until(lambda: httpx.get(f"{url}/livez").status_code == 200, "Vigil did not start")
    app.declare(ModelSpec.from_dict(TINY), "test")
    yield app, url, key
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def alertmanager(vigil: tuple[App, str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An Alertmanager that hands every alert to Vigil, as docs/channels.md says."""
    _, url, key = vigil
    folder = tmp_path_factory.mktemp("alertmanager")
    config = {
        "route": {"receiver": "vigil", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s",
                  "repeat_interval": "1h"},
        "receivers": [{"name": "vigil", "webhook_configs": [
            {"url": f"{url}/v1/alerts", "send_resolved": True,
             "http_config": {"authorization": {"credentials": key}, "follow_redirects": False}}
        ]}],
    }  # fmt: skip
    file, port = folder / "alertmanager.yml", free_port()
    file.write_text(yaml.safe_dump(config))
    command = [
        "prometheus-alertmanager", f"--config.file={file}", f"--storage.path={folder}", "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            until(lambda: client.get("/-/ready").status_code == 200, (folder / "log").read_text())
            yield client
        process.terminate()


def standing(client: httpx.Client, incident: str) -> list[dict[str, Any]]:
    """The alerts of an incident that Alertmanager holds to be firing."""
    found = client.get("/api/v2/alerts", params={"filter": f'vigil_incident="{incident}"'}).json()
    return [alert for alert in found if alert["status"]["state"] != "resolved"]


def channel(client: httpx.Client) -> Alertmanager:
    url = str(client.base_url)
    found = open_channel(Route("am", ChannelKind.ALERTMANAGER, url_env="AM"), {"AM": url}, Settings())
    assert isinstance(found, Alertmanager)
    return found


def test_what_vigil_sends_stands_there_until_vigil_ends_it(alertmanager: httpx.Client) -> None:
    there, at = channel(alertmanager), datetime.now(UTC) - timedelta(minutes=1)
    one = "inc_" + "1" * 16
    extra = Extra("https://vigil.example/incidents/x")

    def send(kind: NoticeKind, **more: Any) -> bytes:
        body = there.body(notice(kind, incident=one, opened_at=at, at=datetime.now(UTC), **more), extra)
        result = there.send("ntf_1", body, 10.0)
        assert result.ok, result
        return body

    opened = send(NoticeKind.OPENED)
    (alert,) = until(lambda: standing(alertmanager, one), "it does not stand there")
    assert alert["labels"] == {
        "alertname": NAME, "vigil_incident": one, "model": "churn", "kind": "drift", "severity": "warning",
    }  # fmt: skip
    assert alert["annotations"]["url"] == alert["generatorURL"] == extra.url
    first = datetime.fromisoformat(alert["endsAt"])
    time.sleep(1.1)
    assert there.repeat([opened], 10.0).ok
    until(lambda: datetime.fromisoformat(standing(alertmanager, one)[0]["endsAt"]) > first, "a repetition adds no time")

    send(NoticeKind.SEVERITY_RAISED, severity=Severity.CRITICAL)
    until(lambda: [a["labels"]["severity"] for a in standing(alertmanager, one)] == ["critical"], "both stand")
    send(NoticeKind.RESOLVED, severity=Severity.CRITICAL)
    until(lambda: not standing(alertmanager, one), "it still stands")


def test_an_alert_there_opens_an_incident_here_that_its_end_resolves_and_vigils_own_come_back_refused(
    alertmanager: httpx.Client, vigil: tuple[App, str, str]
) -> None:
    app, _, _ = vigil
    own, at = "inc_" + "2" * 16, datetime.now(UTC)
    there = channel(alertmanager)
    assert there.send("ntf_2", there.body(notice(incident=own, opened_at=at), Extra()), 10.0).ok
    foreign = {
        "labels": {"alertname": "HighLatency", "model": "churn", "severity": "critical"},
        "annotations": {"summary": "churn answers slowly"}, "startsAt": at.isoformat(),
    }  # fmt: skip

    def post(**more: str) -> None:
        alertmanager.post("/api/v2/alerts", json=[foreign | more]).raise_for_status()

    def incidents() -> list[Any]:
        rows = app.ask(_all)
        return [row for row in rows if row.fingerprint.model == "churn"]

    post()
    (opened,) = until(incidents, "no incident was opened")
    assert (opened.state, opened.severity, opened.title) == (State.OPEN, Severity.CRITICAL, "churn answers slowly")
    post(endsAt=datetime.now(UTC).isoformat())
    until(lambda: incidents()[0].state is State.RESOLVED, "it was not resolved")
    assert [i.fingerprint.key for i in incidents()] == [opened.fingerprint.key], "our own opened nothing"
    # By now the other group was handed over, too: Alertmanager counts what was refused as failed.
    failed = until(lambda: _failed(alertmanager), "Vigil's own alert was never handed back")
    assert failed >= 1


def _failed(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    name = 'alertmanager_notifications_failed_total{integration="webhook"'
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _all(db: Any) -> list[Any]:
    ids = db.execute(select(tables.incidents.c.id)).scalars().all()
    return [store.find(db, id) for id in ids]
