"""A scripted service, and clients of it that hurry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from scripted import KEY, Script, handler_of

from vigil_client import Client


@pytest.fixture
def service() -> Iterator[Script]:
    script = Script()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(script))
    server.daemon_threads = True
    server.block_on_close = False
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield script
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def make(service: Script) -> Iterator[Callable[..., Client]]:
    """Makes clients of the service, and closes them."""
    made: list[Client] = []

    def one(**options: Any) -> Client:
        client = Client(options.pop("url", service.url), KEY, **{"model": "churn", "flush_every": 0.02, **options})
        made.append(client)
        return client

    yield one
    for client in made:
        client.close(0.2)


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make()
