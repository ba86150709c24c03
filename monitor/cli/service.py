"""``vigil serve``, ``worker`` and ``migrate``: what runs on the databases themselves."""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
from contextlib import nullcontext, suppress

import click
import structlog
import uvicorn

from monitor.addresses import without_password
from monitor.cli.beside import ended, worker_beside
from monitor.cli.command import on_machine
from monitor.cli.failure import REFUSED, Failure
from monitor.cli.out import Out
from monitor.cli.root import vigil
from monitor.logs import configure
from monitor.settings import Settings

GRACE = 10              # seconds that requests under way may still take once the service is told to stop
LOOK_OFTEN = 0.1        # and how often one does that the service has started, on the same machine
LOOK_EVERY = 1.0        # how often a worker of its own looks for new data, in seconds

logger = structlog.get_logger("vigil")


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle()


def settle() -> None:
    """Let the garbage collector pass over what is there once a process has started, for it stays to the end: hundreds
    of thousands of objects, to look through which stops every thread for a tenth of a second and more."""
    import pyarrow  # not at the top: it is slow to load, and the command line has no need of it

    pyarrow.array([0.0])        # loads what it may need, as pandas where that is installed
    gc.collect()
    gc.freeze()


@on_machine(vigil, "serve", example="VIGIL_PORT=8080 vigil serve")
def serve(out: Out, settings: Settings) -> None:
    """Run the service: the API, the console, and the worker beside it.

    It stops in order at SIGTERM or Ctrl-C, with exit code 0.
    """
    configure(settings.log_level, settings.log_format)
    # The factory by its name: the command line is below the API and imports nothing of it.
    server = _Server(
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
    with suppress(KeyboardInterrupt), worker_beside() if settings.worker == "process" else nullcontext():
        server.run(sockets=[listener])
    if not server.started:
        raise Failure("the service could not be started", "The lines above say why; 'vigil doctor' may say more")


@on_machine(vigil, "worker", example="VIGIL_WORKER=none vigil serve & vigil worker")
@click.option("--beside", is_flag=True, hidden=True, help="End with the service that holds the other end of stdin.")
def worker(out: Out, settings: Settings, beside: bool) -> None:
    """Fold and judge in a process of its own, beside a service with VIGIL_WORKER=none.

    One worker for a database. It stops in order at SIGTERM or Ctrl-C, with exit code 0.
    """
    from monitor.app import App  # not at the top: what needs no worker need not wait for all of it

    configure(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if beside:
        ended(sys.stdin.buffer, stop)
    app = App(settings)
    app.thread.start()
    settle()
    logger.info("worker started", database=settings.shown()["database_url"])
    seen: dict[str, int] = {}
    while not stop.wait(LOOK_OFTEN if beside else LOOK_EVERY):
        head = app.log.head()
        if head != seen:
            seen = head
            app.thread.wake()
    app.stop()


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
