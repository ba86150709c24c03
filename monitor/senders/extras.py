"""What goes with a notice beside its words: the page's address, a picture, and each reader's own link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from incidents.notices import CALLING, Notice
from incidents.routing import ChannelKind, Route
from monitor.people import People
from monitor.people.roles import scopes
from monitor.senders.channels.base import Extra
from monitor.senders.picture import draw

Chart = Callable[[Notice], dict[str, Any] | None]


def no_chart(_notice: Notice) -> None:
    return None


class Extras:
    """``public_url``: where people find the console; where it is not known there is no link. ``chart``: the
    specification of what an incident's page draws, which shows no group of a protected attribute; ``None`` for none."""

    def __init__(self, public_url: str, people: People, chart: Chart = no_chart) -> None:
        self.public_url, self.people, self.chart = public_url.rstrip("/"), people, chart

    def __call__(self, notice: Notice, route: Route) -> Extra:
        """Links and a picture go into emails alone: other channels have many readers, and show none."""
        url = f"{self.public_url}/incidents/{quote(notice.incident)}" if self.public_url else ""
        if route.kind is not ChannelKind.EMAIL or notice.kind not in CALLING:
            return Extra(url)
        links = {address: link for address in route.to if url and (link := self._link(address, notice))}
        spec = self.chart(notice)
        return Extra(url, None if spec is None else draw(spec), links)

    def _link(self, address: str, notice: Notice) -> str:
        """The link by which the account of an address acknowledges; empty where it has none, or may not."""
        account = self.people.by_email(address)
        if account is None or not {"operate", "admin"} & scopes(account):
            return ""
        if account.models is not None and notice.model not in account.models:
            return ""
        return f"{self.public_url}/a/{self.people.make_acknowledge_link(account, notice.incident)}"
