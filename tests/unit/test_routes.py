"""Routes of a declaration and of a file: what is taken, what is refused, and with which words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidents.routing import ChannelKind, Route
from incidents.verdict import Kind, Severity
from monitor.errors import InvalidDeclaration
from monitor.model import ModelSpec
from monitor.model.parse import parse_declaration
from monitor.model.routes import MAX_ROUTES, addressed, parse_routes, routes_of

HEAD = "model: churn\ntask: regression\n"


def test_each_channel_with_all_that_it_may_say() -> None:
    found = parse_routes(
        "- {channel: webhook, name: lake, url_env: LAKE_URL, secret_env: LAKE_SECRET, key_env: LAKE_KEY}\n"
        "- {channel: slack, url_env: SLACK_URL, min_severity: warning, kinds: [drift, quality]}\n"
        "- {channel: pagerduty, key_env: PD_KEY, after: 15m}\n"
        "- {channel: pagerduty, name: eu, key_env: PD_KEY, url_env: PD_URL, escalation: ours}\n"
        "- {channel: alertmanager, url_env: AM_URL}\n"
        "- {channel: email, to: [owner, ana@example.org, ben]}\n"
    )
    assert found == (
        Route("lake", ChannelKind.WEBHOOK, url_env="LAKE_URL", secret_env="LAKE_SECRET", key_env="LAKE_KEY"),
        Route("slack", ChannelKind.SLACK, Severity.WARNING, frozenset({Kind.DRIFT, Kind.QUALITY}), url_env="SLACK_URL"),
        Route("pagerduty", ChannelKind.PAGERDUTY, after=timedelta(minutes=15), theirs=True, key_env="PD_KEY"),
        Route("eu", ChannelKind.PAGERDUTY, key_env="PD_KEY", url_env="PD_URL"),
        Route("alertmanager", ChannelKind.ALERTMANAGER, url_env="AM_URL"),
        Route("email", ChannelKind.EMAIL, to=("owner", "ana@example.org", "ben")),
    )


def test_a_declaration_keeps_its_routes_as_they_were_written() -> None:
    spec = parse_declaration(HEAD + "notify: [{channel: slack, url_env: SLACK_URL}]", "yaml")
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert routes_of(spec.notify) == (Route("slack", ChannelKind.SLACK, url_env="SLACK_URL"),)
    assert routes_of(()) == ()


@pytest.mark.parametrize(
    ("written", "key", "reason"),
    [
        ("[{channel: teams, url_env: X}]", "notify[0].channel", "known are webhook, slack"),
        ("[{url_env: X}]", "notify[0].channel", "is missing"),
        ("[{channel: slack}]", "notify[0].url_env", "is missing"),
        ("[{channel: pagerduty}]", "notify[0].key_env", "is missing"),
        ("[{channel: email}]", "notify[0].to", "is missing"),
        ("[{channel: email, to: []}]", "notify[0].to", "names 0"),
        ("[{channel: email, to: ['a b']}]", "notify[0].to", "write an address"),
        ("[{channel: email, to: [\"a@x>\\r\\nBcc: b@x\"]}]", "notify[0].to", "control character"),
        ("[{channel: email, to: [owner], url_env: X}]", "notify[0].url_env", "says nothing to email"),
        ("[{channel: slack, url_env: X, secret_env: Y}]", "notify[0].secret_env", "says nothing to slack"),
        ("[{channel: slack, url_env: 'https://hooks.example/T/1'}]", "notify[0].url_env", "no name of an environment"),
        ("[{channel: slack, url_env: VIGIL_SLACK}]", "notify[0].url_env", "VIGIL_ begins the names of settings"),
        ("[{channel: slack, url_env: X, after: 15}]", "notify[0].after", "write a duration"),
        ("[{channel: slack, url_env: X, kinds: [drifts]}]", "notify[0].kinds", "the nearest known is 'drift'"),
        ("[{channel: slack, url_env: X, kinds: []}]", "notify[0].kinds", "is empty"),
        ("[{channel: slack, url_env: X, escalation: both}]", "notify[0].escalation", "known are ours, theirs"),
        ("[{channel: slack, url_env: X, urls: Y}]", "notify[0].urls", "is no key here"),
        ("[{channel: slack, url_env: X}, {channel: slack, url_env: Y}]", "notify[1].name", "stands twice"),
    ],
)
def test_what_is_wrong_is_named_with_the_mend(written: str, key: str, reason: str) -> None:
    for parse in (lambda: parse_declaration(f"{HEAD}notify: {written}", "yaml"), lambda: parse_routes(written)):
        with pytest.raises(InvalidDeclaration) as caught:
            parse()
        (fault,) = caught.value.faults
        assert fault["key"] == key
        assert reason in str(fault["reason"])
        assert "hooks.example" not in str(caught.value), "an address that was written by mistake may hold a secret"


def test_the_line_of_a_fault_in_a_file_is_named() -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        parse_routes("# who is told\n- channel: slack\n  url_env: SLACK_URL\n- channel: email\n  to: [1]\n")
    assert [(f["key"], f["line"]) for f in caught.value.faults] == [("notify[1].to", 5)]


def test_a_file_that_is_no_list_and_too_many_routes_are_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="write a list"):
        parse_routes("channel: slack")
    many = "".join(f"- {{channel: slack, name: s{i}, url_env: X}}\n" for i in range(MAX_ROUTES + 1))
    with pytest.raises(InvalidDeclaration, match=f"more than {MAX_ROUTES} routes"):
        parse_routes(many)
    assert len(parse_routes("".join(many.splitlines(keepends=True)[:MAX_ROUTES]))) == MAX_ROUTES


def test_whom_a_route_names_has_an_address_or_is_left_out() -> None:
    known = {"ana": "ana@example.org"}
    assert addressed(("owner",), "ana", known.get) == ("ana@example.org",)
    assert addressed(("owner",), "team@example.org", known.get) == ("team@example.org",)
    assert addressed(("owner", "ben"), None, known.get) == ()
