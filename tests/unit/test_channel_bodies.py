"""What each channel writes of a notice: total over kinds, within the receiver's limits, without what must not leave."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import AT, DRIFT, notice

from incidents.notices import CALLING, Notice, NoticeKind
from incidents.routing import ChannelKind, Route
from incidents.verdict import Cause, Fingerprint, Kind, Severity
from monitor.errors import InvalidSettings
from monitor.senders.channels.base import Channel, Extra, open_channel
from monitor.settings import Settings

SETTINGS = Settings(smtp_url="smtp://mail.example", mail_from="Vigil <vigil@example.org>")
ENV = {"URL": "https://receiver.example/x", "KEY": "the-key-0123", "SECRET": "the-secret-0123"}
ROUTES = {
    ChannelKind.WEBHOOK: Route("hook", ChannelKind.WEBHOOK, url_env="URL", key_env="KEY", secret_env="SECRET"),
    ChannelKind.SLACK: Route("slack", ChannelKind.SLACK, url_env="URL"),
    ChannelKind.PAGERDUTY: Route("pagerduty", ChannelKind.PAGERDUTY, key_env="KEY"),
    ChannelKind.ALERTMANAGER: Route("am", ChannelKind.ALERTMANAGER, url_env="URL", key_env="KEY"),
    ChannelKind.EMAIL: Route("mail", ChannelKind.EMAIL, to=("ana@example.org", "ben@example.org")),
}
EXTRA = Extra("https://vigil.example/incidents/inc_1", None, {"ana@example.org": "https://vigil.example/a/token"})


def opened(kind: ChannelKind) -> Channel:
    return open_channel(ROUTES[kind], ENV, SETTINGS)


def said(kind: ChannelKind, of: Notice = DRIFT, extra: Extra = EXTRA) -> Any:
    body = opened(kind).body(of, extra)
    return json.loads(body) if body else None


@pytest.mark.parametrize("channel", ChannelKind)
@pytest.mark.parametrize("kind", NoticeKind)
def test_every_channel_has_a_body_for_every_kind_and_it_is_the_same_each_time(
    channel: ChannelKind, kind: NoticeKind
) -> None:
    of = notice(kind)
    body = opened(channel).body(of, EXTRA)
    assert body == opened(channel).body(of, EXTRA)
    assert body or (channel is ChannelKind.PAGERDUTY and kind not in CALLING)
    if body:
        assert of.title in body.decode() or channel is ChannelKind.PAGERDUTY
    for secret in ("the-key-0123", "the-secret-0123", "receiver.example"):
        assert secret not in body.decode(), "bodies are kept, and hold no secret"


@pytest.mark.parametrize("channel", ChannelKind)
def test_of_a_bias_finding_no_group_and_no_rate_leaves_the_service(channel: ChannelKind) -> None:
    of = notice(
        fingerprint=Fingerprint("census", Kind.FAIRNESS, attribute="RAC1P"),
        title="Disparity by RAC1P: demographic parity ratio 0.61, below 0.8",
        summary="demographic parity ratio 0.61, below 0.8",
        causes=(Cause("RAC1P=Samoan", "selection_rate", 0.1234), Cause("RAC1P=Hopi", "selection_rate", 0.4321)),
    )
    for kind in NoticeKind:
        body = opened(channel).body(notice(kind, **{f: getattr(of, f) for f in ("fingerprint", "title", "summary",
                                                                              "causes")}), EXTRA).decode()  # fmt: skip
        assert not [word for word in ("Samoan", "Hopi", "0.1234", "0.123", "0.4321", "0.432") if word in body]
    assert "RAC1P" in opened(channel).body(of, EXTRA).decode(), "the attribute is named"


def test_a_drift_has_its_causes_and_what_changed_before_in_every_channel() -> None:
    for channel in ChannelKind:
        text = opened(channel).body(DRIFT, EXTRA).decode()
        assert "moved 0.31" in text, channel
        assert channel is ChannelKind.ALERTMANAGER or "version v2 serves" in text, channel
        assert EXTRA.url in text, channel


def test_only_the_reader_whose_link_it_is_gets_one() -> None:
    ana, ben = said(ChannelKind.EMAIL)["letters"]
    assert "https://vigil.example/a/token" in ana["text"]
    assert "https://vigil.example/a/token" in ana["html"]
    assert "/a/" not in ben["text"] + ben["html"]
    for channel in set(ChannelKind) - {ChannelKind.EMAIL}:
        assert "/a/token" not in opened(channel).body(DRIFT, EXTRA).decode(), f"{channel} has many readers"


TEXTS = st.text(max_size=4_000)


@given(title=TEXTS, summary=TEXTS, cause=TEXTS, note=TEXTS)
def test_whatever_a_notice_says_is_one_within_the_receivers_limits(
    title: str, summary: str, cause: str, note: str
) -> None:
    of = notice(title=title, summary=summary, note=note, causes=(Cause(cause, "js_distance", None, note),))
    slack = said(ChannelKind.SLACK, of)
    assert len(slack["blocks"][0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3_000 for block in slack["blocks"])
    assert "<!" not in json.dumps(slack), "no mention of a whole channel"
    assert len(said(ChannelKind.PAGERDUTY, of)["payload"]["summary"]) <= 1_024
    mail = said(ChannelKind.EMAIL, of)
    assert mail["subject"].isprintable()
    assert "<script" not in mail["letters"][0]["html"].lower()


def test_pagerduty_has_one_incident_for_one_of_ours() -> None:
    for kind, action in (
        (NoticeKind.OPENED, "trigger"), (NoticeKind.SEVERITY_RAISED, "trigger"), (NoticeKind.REOPENED, "trigger"),
        (NoticeKind.ACKNOWLEDGED, "acknowledge"), (NoticeKind.RESOLVED, "resolve"), (NoticeKind.MERGED, "resolve"),
    ):  # fmt: skip
        event = said(ChannelKind.PAGERDUTY, notice(kind))
        assert (event["event_action"], event["dedup_key"]) == (action, DRIFT.incident)
    for severity in Severity:
        assert said(ChannelKind.PAGERDUTY, notice(severity=severity))["payload"]["severity"] == severity.value


def test_an_alert_of_a_raised_severity_ends_that_of_the_lower_ones() -> None:
    raised = notice(NoticeKind.SEVERITY_RAISED, severity=Severity.CRITICAL, at=AT + timedelta(hours=1))
    alerts = said(ChannelKind.ALERTMANAGER, raised)
    assert [(a["labels"]["severity"], a.get("endsAt")) for a in alerts] == [
        ("critical", None), ("info", "2026-07-01T13:00:00Z"), ("warning", "2026-07-01T13:00:00Z"),
    ]  # fmt: skip
    resolved = said(ChannelKind.ALERTMANAGER, notice(NoticeKind.RESOLVED, severity=Severity.CRITICAL))
    assert {a["labels"]["severity"] for a in resolved if a["endsAt"] == "2026-07-01T12:00:00Z"} == set(Severity)
    assert all(a["labels"]["vigil_incident"] == DRIFT.incident for a in [*alerts, *resolved])


@pytest.mark.parametrize(
    ("route", "env", "settings", "names"),
    [
        (ROUTES[ChannelKind.SLACK], {}, SETTINGS, "URL"),
        (ROUTES[ChannelKind.SLACK], {"URL": " "}, SETTINGS, "URL"),
        (ROUTES[ChannelKind.SLACK], {"URL": "hooks.example/x-secret"}, SETTINGS, "URL"),
        (ROUTES[ChannelKind.SLACK], {"URL": "ftp://hooks.example/x-secret"}, SETTINGS, "URL"),
        (ROUTES[ChannelKind.SLACK], {"URL": "http://[x-secret"}, SETTINGS, "URL"),
        (ROUTES[ChannelKind.WEBHOOK], {"URL": "https://a", "KEY": "k"}, SETTINGS, "SECRET"),
        (ROUTES[ChannelKind.PAGERDUTY], {}, SETTINGS, "KEY"),
        (Route("pd", ChannelKind.PAGERDUTY), {}, SETTINGS, "key_env"),
        (ROUTES[ChannelKind.EMAIL], {}, Settings(), "smtp_url"),
        (ROUTES[ChannelKind.EMAIL], {}, Settings(smtp_url="smtp://h"), "mail_from"),
        (ROUTES[ChannelKind.EMAIL], {}, Settings(smtp_url="x-secret@h", mail_from="a@b"), "smtp_url"),
        (ROUTES[ChannelKind.EMAIL], {}, Settings(smtp_url="smtp://h:x", mail_from="a@b"), "smtp_url"),
        (Route("mail", ChannelKind.EMAIL, to=("ben",)), {}, SETTINGS, "nobody of the channel 'mail'"),
    ],
)
def test_a_channel_that_lacks_something_names_it_and_no_secret(
    route: Route, env: dict[str, str], settings: Settings, names: str
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        open_channel(route, env, settings)
    assert names in str(caught.value)
    assert "x-secret" not in str(caught.value)
    assert caught.value.mend


def test_no_channel_shows_its_secrets_in_its_name() -> None:
    for channel in ChannelKind:
        shown = repr(opened(channel))
        assert not [secret for secret in ("the-key-0123", "the-secret-0123", "receiver.example/x") if secret in shown]
