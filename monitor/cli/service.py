"""``vigil serve``, ``worker`` and ``migrate``: what runs on the databases themselves."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import structlog

from monitor.addresses import without_password
from monitor.cli.command import on_machine
from monitor.cli.failure import REFUSED, Failure
from monitor.cli.out import Out
from monitor.cli.root import vigil
from monitor.logs import configure
from monitor.memory import be_lean, settle
from monitor.settings import Settings

if TYPE_CHECKING:
    from monitor.app import App

GRACE = 10              # seconds that requests under way may still take once the service is told to stop
LOOK_EVERY = 1.0        # how often a worker of its own looks for new data, in seconds

logger = structlog.get_logger("vigil")


@on_machine(vigil, "serve", example="VIGIL_PORT=8080 vigil serve")
def serve(out: Out, settings: Settings) -> None:
    """Run the service: the API, the console, and the worker beside it.

    It stops in order at SIGTERM or Ctrl-C, with exit code 0.
    """
    import uvicorn  # not at the top: a worker has no need of it

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            settle()

    configure(settings.log_level, settings.log_format)
    be_lean()
    # The factory by its name: the command line is below the API and imports nothing of it.
    server = Server(
        uvicorn.Config(
            "api.server:create",
            factory=True,
            http="api.connections:Guarded",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,        # the application does so itself, once it knows who really connected
            timeout_graceful_shutdown=GRACE,
        )
    )
    listener = bind(settings.host, settings.port)
    signal.signal(signal.SIGTERM, lambda *_: None)     # what uvicorn hands back to once it has stopped
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        raise Failure("the service could not be started", "The lines above say why; 'vigil doctor' may say more")


@on_machine(vigil, "worker", example="VIGIL_WORKER=none vigil serve & vigil worker")
@click.option("--beside", is_flag=True, hidden=True, help="Heed the service that holds the other end of stdin.")
def worker(out: Out, settings: Settings, beside: bool) -> None:
    """Fold and judge in a process of its own, for services with VIGIL_WORKER=none.

    One worker at a time works on a database: a second one stands by, and takes over when the first ends. It stops in
    order at SIGTERM or Ctrl-C, with exit code 0.
    """
    from monitor.app import App  # not at the top: what needs no worker need not wait for all of it
    from monitor.worker.beside import heed

    configure(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Beside a service it ends when that does, which first answers what is under way, though both are told at once.
        signal.signal(number, signal.SIG_IGN if beside else lambda *_: stop.set())
    app = App(settings)
    app.start_worker()
    settle()
    logger.info("worker started", database=settings.shown()["database_url"])
    if beside:
        heed(sys.stdin.fileno(), app.thread.wake, stop)
        stop.wait()
    else:
        _look(app, stop)
    app.stop()


def _look(app: App, stop: threading.Event) -> None:
    """Wake the worker when the log has grown, for no service tells it."""
    seen: dict[str, int] = {}
    while not stop.wait(LOOK_EVERY):
        head = app.log.head()
        if head != seen:
            seen = head
            app.thread.wake()


@on_machine(vigil, "migrate", example="vigil migrate")
def migrate(out: Out, settings: Settings) -> None:
    """Make the databases, or bring them to this version. 'serve' does it too."""
    from monitor import migrate as migrations

    migrations.migrate(settings)
    where = {"log": without_password(settings.log_url), "state": without_password(settings.state_url)}
    out.value({"migrated": where})
    out.line(f"log and state are of this version: {where['log']}, {where['state']}")


def bind(host: str, port: int) -> socket.socket:
    """The socket to listen on. Taken here and not in uvicorn, so that a taken port is said plainly."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        why = (error.strerror or str(error)).lower()
        mend = "Stop what listens there, or choose another port: VIGIL_PORT=8001"
        raise Failure(f"cannot listen on {host}:{port}: {why}", mend, REFUSED) from error
    return listener
