"""Routes: whom a model's incidents are told to. They stand in its declaration under ``notify``, or, for models without
any, in the file that the setting ``notify_file`` names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents.routing import ChannelKind, Route
from incidents.verdict import Kind, Severity
from monitor.model.checks import Faults, Section, choice, each, name, text
from monitor.model.reading import read
from monitor.model.words import SEVERITIES, parse_duration, shown

KEYS = (
    "channel", "name", "url_env", "key_env", "secret_env", "to", "min_severity", "kinds", "after", "escalation",
)  # fmt: skip
MAX_ROUTES = 20
MAX_TO = 20
MAX_NAME = 64
OWNER = "owner"
_CHANNELS = tuple(kind.value for kind in ChannelKind)
_KINDS = tuple(kind.value for kind in Kind)
# Without these a channel has nowhere to send to. PagerDuty's address is known; the key says whose it is.
_NEEDS = {
    ChannelKind.WEBHOOK: "url_env",
    ChannelKind.SLACK: "url_env",
    ChannelKind.ALERTMANAGER: "url_env",
    ChannelKind.PAGERDUTY: "key_env",
    ChannelKind.EMAIL: "to",
}
_OF = {      # which keys say something to which channels
    "url_env": frozenset(ChannelKind) - {ChannelKind.EMAIL},
    "key_env": frozenset({ChannelKind.WEBHOOK, ChannelKind.PAGERDUTY, ChannelKind.ALERTMANAGER}),
    "secret_env": frozenset({ChannelKind.WEBHOOK}),
    "to": frozenset({ChannelKind.EMAIL}),
}


def check_routes(top: Section, key: str = "notify") -> tuple[dict[str, Any], ...]:
    """The routes of a list in a declaration, checked and as they were written."""
    return tuple(dict(section.values) for section, _ in _routes(top, key))


def routes_of(notify: Iterable[Mapping[str, Any]]) -> tuple[Route, ...]:
    """Routes from maps that ``check_routes`` found good.

    >>> routes_of([{"channel": "slack", "url_env": "SLACK_URL"}])[0].receiver
    'slack:SLACK_URL'
    """
    return _read(list(notify), {})


def parse_routes(source: str | bytes) -> tuple[Route, ...]:
    """Routes from the text of a file, a YAML list; ``InvalidDeclaration`` names each fault with its line.

    >>> parse_routes("- {channel: email, to: [ana@example.org], after: 15m}")[0].after
    datetime.timedelta(seconds=900)
    """
    return _read(*read(source, "yaml"))


def addressed(to: Sequence[str], owner: str | None, email_of: Callable[[str], str | None]) -> tuple[str, ...]:
    """The addresses of a route's ``to``: one with an ``@`` is one, ``owner`` stands for whoever has the incident or the
    model, and any other word is an account's name. Who has no address is left out, and nobody stands twice.

    >>> addressed(["owner", "a@x.org", "ben"], "ana", {"ana": "a@x.org", "ben": None}.get)
    ('a@x.org',)
    """
    named = [owner if one == OWNER else one for one in to]
    found = [one if "@" in one else email_of(one) for one in named if one]
    return tuple(dict.fromkeys(address for address in found if address))


def _read(values: Any, lines: Mapping[Any, int]) -> tuple[Route, ...]:
    faults = Faults({("notify", *path): line for path, line in lines.items()})
    found = tuple(route for _, route in _routes(Section(faults, (), {"notify": values}), "notify"))
    faults.raise_any()
    return found


def _routes(top: Section, key: str) -> list[tuple[Section, Route]]:
    found: dict[str, tuple[Section, Route]] = {}
    for number, section in enumerate(top.items(key, KEYS)):
        if number == MAX_ROUTES:
            top.fault(key, f"are more than {MAX_ROUTES} routes; leave some out")
            break
        route = _route(section)
        if route.name in found:
            section.fault("name", f"'{route.name}' stands twice; give this route a name of its own")
        found[route.name] = section, route
    return list(found.values())


def _route(section: Section) -> Route:
    said = section.need("channel", choice(_CHANNELS), "webhook", f"write one of {', '.join(_CHANNELS)}")
    kind, none = ChannelKind(said), frozenset[Kind]()
    for key, channels in _OF.items():
        if section.has(key) and kind not in channels:
            section.fault(key, f"says nothing to {kind}; leave it out")
    if not section.has(_NEEDS[kind]):
        mend = "list addresses, accounts or owner" if kind is ChannelKind.EMAIL else "name the environment variable"
        section.fault(_NEEDS[kind], f"is missing; {mend}")
    default = "theirs" if kind is ChannelKind.PAGERDUTY else "ours"
    return Route(
        name=section.get("name", _name, kind.value),
        kind=kind,
        min_severity=Severity(section.get("min_severity", choice(SEVERITIES), "info")),
        kinds=section.get("kinds", _kinds, none) or None,
        after=section.get("after", parse_duration, timedelta()),
        theirs=section.get("escalation", choice(("ours", "theirs")), default) == "theirs",
        to=section.get("to", _to, ()),
        url_env=section.get("url_env", _variable, ""),
        key_env=section.get("key_env", _variable, ""),
        secret_env=section.get("secret_env", _variable, ""),
    )


def _kinds(found: Any) -> frozenset[Kind]:
    kinds = each(choice(_KINDS))(found)
    if not kinds:
        raise ValueError("is empty; name some kinds, or leave it out")
    return frozenset(map(Kind, kinds))


def _name(found: Any) -> str:
    if len(name(found)) > MAX_NAME:
        raise ValueError(f"is longer than {MAX_NAME} characters; shorten it")
    return str(found)


def _to(found: Any) -> tuple[str, ...]:
    people = each(_person)(found)
    if not 1 <= len(people) <= MAX_TO:
        raise ValueError(f"names {len(people)}; name 1 to {MAX_TO}")
    return people


def _person(found: Any) -> str:
    if len(text(found)) > 254 or not re.fullmatch(r"[^\s@<>,;\"]+(@[^\s@<>,;\"]+)?", found):
        raise ValueError(f"found {shown(found)}; write an address, an account's name, or owner")
    return str(found)


def _variable(found: Any) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", found):
        raise ValueError("is no name of an environment variable; the address or secret itself never stands here")
    if found.startswith("VIGIL_"):
        raise ValueError(f"found {shown(found)}; VIGIL_ begins the names of settings, so call it something else")
    return found
