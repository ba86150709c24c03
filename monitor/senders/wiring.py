"""The notifier of a running Vigil: its routes from the declarations, its channels from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from sqlalchemy import Engine

from incidents.routing import Route
from monitor.clock import Now
from monitor.log.sql import SqlLog
from monitor.people import People
from monitor.senders.channels.base import Channel, open_channel
from monitor.senders.extras import Extras
from monitor.senders.heartbeat import Heartbeat
from monitor.senders.notifier import Notifier
from monitor.senders.queue import Queue
from monitor.senders.relay import Relay
from monitor.senders.routes import Routes, routes_of_file
from monitor.senders.watch import stalled_now
from monitor.settings import Settings


def notifier_of(
    log: SqlLog, state: Engine, settings: Settings, now: Now, people: People, holds: Callable[[], bool]
) -> Notifier:
    """Everything that tells, put together; nothing is started. ``holds``: whether this process is the one that
    works."""
    routes = Routes(log, routes_of_file(settings.notify_file))

    def open_(route: Route) -> Channel:
        return open_channel(route, os.environ, settings)

    relay = Relay(log.engine, state, routes, now)
    queue = Queue(log.engine, state, now, uuid4().hex, settings.notify)
    heartbeat = None
    if settings.heartbeat_url:
        still = partial(stalled_now, log.engine, state, now)
        heartbeat = Heartbeat(settings.heartbeat_url, settings.heartbeat_seconds, still)
    return Notifier(relay, queue, routes, open_, Extras(settings.public_url, people), holds, heartbeat)
