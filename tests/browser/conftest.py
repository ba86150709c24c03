"""A real Vigil with a cut of the census and small models of other tasks on a real socket, and a real Chromium in front
of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import census
import httpx
import inprocess
import pytest
import small
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from api.server import create
from monitor.app import App
from monitor.settings import Settings

ROWS = slice(131_000, 145_000)      # December 2017 and January 2018, the people in group quarters among them
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LAPTOP = {"width": 1280, "height": 800}


@dataclass
class Console:
    """Where the console is, and keys for it."""

    url: str
    person: str
    reader: str
    machine: str
    second: str


@dataclass
class Visit:
    """A page with what went wrong in it: errors of its scripts, refusals by its policy, requests that failed."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        if self.page.locator(".chart").count():
            self.page.wait_for_selector("html[data-drawn]", timeout=30_000)
        return self.page


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    _fill(folder)
    vigil = App(Settings(data_dir=folder, tick_seconds=3600, worker="embedded"))
    keys = [
        vigil.keys.create(owner, kind, frozenset(scopes))
        for owner, kind, scopes in (
            ("ana", "person", {"read", "operate"}),
            ("ben", "person", {"read"}),
            ("robot", "machine", {"read", "operate"}),
            ("cyd", "person", {"read", "operate", "approve"}),
        )
    ]
    server = uvicorn.Server(uvicorn.Config(create(vigil), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server did not start in time"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Console(f"http://127.0.0.1:{port}", *keys)
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")     # not longer: while Playwright runs, nothing else can run an event loop here
def browser(console: Console) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser, console: Console) -> Iterator[Callable[..., Visit]]:
    """Opens a page of the console, signed in with a key; what went wrong in any of them fails the test at its end."""
    opened: list[tuple[BrowserContext, Visit]] = []

    def open_page(key: str | None = console.person, **options: object) -> Visit:
        context = browser.new_context(**{"viewport": LAPTOP} | options)  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        found = Visit(context.new_page(), console.url)
        opened.append((context, found))
        page = found.page
        page.on("console", lambda m: found.faults.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: found.faults.append(str(e)))
        page.on("response", lambda r: found.faults.append(f"{r.status} {r.url}") if r.status >= 500 else None)
        if key is not None:
            with closing(signed_in(console, key)) as client:
                token = client.cookies["vigil_session"]
            kept = {"name": "vigil_session", "value": token, "url": console.url, "httpOnly": True, "sameSite": "Strict"}
            context.add_cookies([kept])  # type: ignore[list-item]
        return found

    yield open_page
    for context, _ in opened:
        context.close()
    assert [fault for _, v in opened for fault in v.faults] == []


def signed_in(console: Console, key: str) -> httpx.Client:
    """A client with the cookie of a session that a key began, as a browser would have it."""
    client = httpx.Client(headers={"Origin": console.url}, trust_env=False)
    answer = client.post(f"{console.url}/sign-in", data={"key": key})
    assert answer.status_code == 303, answer.text
    return client


@pytest.fixture
def session(console: Console) -> Iterator[Callable[[str], httpx.Client]]:
    """Signs a client in with a key."""
    made: list[httpx.Client] = []

    def begin(key: str) -> httpx.Client:
        made.append(signed_in(console, key))
        return made[-1]

    yield begin
    for client in made:
        client.close()


def _fill(folder: Path) -> None:
    vigil = inprocess.open_vigil(folder)
    inprocess.declare(vigil, census.declaration())
    inprocess.take(vigil, census.MODEL, [census.reference(), *census.arrivals(ROWS, size=5_000)])
    inprocess.fold(vigil, census.MODEL)
    for model, declaration in small.DECLARATIONS.items():
        inprocess.declare(vigil, declaration.encode())
        inprocess.take(vigil, model, small.posts(model), media="application/json")  # type: ignore[arg-type]
        inprocess.fold(vigil, model)
    vigil.stop()
