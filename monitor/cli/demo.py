"""``vigil demo``: a service, a recorded stream through its public API, and what it found."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from monitor.access import SCOPES
from monitor.cli.admin import open_keys
from monitor.cli.client import Client
from monitor.cli.command import on_machine
from monitor.cli.failure import Failure
from monitor.cli.out import Out, minute
from monitor.cli.replay.child import Child
from monitor.cli.replay.findings import ALL, Found, ModelFindings, find
from monitor.cli.replay.posting import replay
from monitor.cli.replay.progress import watcher
from monitor.cli.replay.streams import Recording, open_recording
from monitor.cli.root import vigil
from monitor.cli.users import open_people
from monitor.log.audit import at_the_machine
from monitor.people.accounts import New
from monitor.settings import Settings

FOLDER = Path("var/demo")
OWNER = "demo"
MAY = frozenset(SCOPES) - {"sensitive"}      # all but the protected attributes' rows
PATIENCE = 120.0        # seconds that a service of somebody else's may be away in mid-replay


@on_machine(vigil, "demo", example="vigil demo --data flights --once")
@click.option("--once", is_flag=True, help="Stop after the replay instead of serving on.")
@click.option("--data", "where", default="census", show_default=True, metavar="census|flights|DIR",
              help="Which recorded stream.")
@click.option("--url", help="Replay into the service there, and start none.")
@click.option("--key", help="The key for --url: its scopes are ingest, read and admin.")
def demo(out: Out, settings: Settings, once: bool, where: str, url: str | None, key: str | None) -> None:
    """Start a service on var/demo, replay real data, show what it found, and serve on.

    The replay goes through the public API, like any model service. Run again, it goes on with what is there: what was
    sent before counts once. Exit code 1 where what comes out is not what must come out.
    """
    signal.signal(signal.SIGTERM, _interrupt)       # as Ctrl-C: the service must not outlive the demo
    recording = open_recording(where)
    try:
        with ExitStack() as stack:
            child, password = None, None
            if url is None:
                own = Settings(data_dir=FOLDER, host=settings.host, port=settings.port)
                key = _key(own)
                password = None if once else _first_person(own)
                out.remark(f"starting the service; its log is {FOLDER / 'service.log'}")
                child = stack.enter_context(Child(FOLDER, own))
                child.wait_ready()
            client = Client(child.url if child else str(url), key or settings.key, 2.0 if child else PATIENCE,
                            lambda why: out.remark(f"{why}; trying again"))  # fmt: skip
            stack.callback(client.close)
            faults = _run(out, client, recording, child, key)
            if child and not once:
                known = f"the one shown at first; VIGIL_DATA_DIR={FOLDER} vigil users password {OWNER} makes another"
                out.line(f"console: {child.url}/sign-in#key={key}\nkey:     {key}")
                out.line(f"or sign in as {OWNER}, password: {password or known}")
                _serve_on(out, child)
    except KeyboardInterrupt:
        out.remark("stopped")
        return
    if faults:
        raise Failure("what came out is not what must come out", "The lines above say which figures", faults=faults)


def _run(out: Out, client: Client, recording: Recording, child: Child | None, key: str | None) -> list[dict[str, Any]]:
    out.remark(f"replaying {recording.name}: {recording.rows:,} rows of predictions and outcomes")
    began = time.monotonic()
    try:
        with watcher(out.console, recording.rows, out.remark) as watch:
            replay(client, recording, watch)
        seconds = time.monotonic() - began
        found = find(client, recording)
    except Failure:
        if child:
            child.check()       # where it has died, that is what there is to say
        raise
    peak = child.peak_bytes() if child else None
    out.value({
        "recording": recording.name, "seconds": round(seconds, 2), "peak_bytes": peak, "url": client.url,
        "key": key if child else None, "models": [asdict(m) for m in found],
    })  # fmt: skip
    for model in found:
        _show(out, model)
    memory = f"; service and worker took {peak / 2**20:,.0f} MiB at most" if peak else ""
    out.line(f"{recording.rows:,} rows replayed, folded and judged in {seconds:.1f} s{memory}")
    return [{"reason": f"{m.model}: {fault}"} for m in found for fault in m.faults]


def _show(out: Out, m: ModelFindings) -> None:
    counts = ", ".join(f"{n:,} {_WORDS[c]}" for c, n in m.counts.items() if n or c == "orphans")
    out.line(f"\n{m.model}, {m.first} to {m.last}: {counts}")
    rows = [_row(f) for f in m.figures if f.of is None or f.window == ALL or not _has_all(m)]
    out.table(("metric", "of", "window", "value", "95 % interval", "n"), rows)
    out.line(f"incidents: {len(m.incidents)}")
    if m.incidents:
        columns = ("state", "severity", "what", "from", "to", "causes")
        out.table(columns, [_incident(i) for i in m.incidents])


_WORDS = {
    "predictions": "predictions", "joined": "joined outcomes", "orphans": "orphans", "duplicates": "duplicates",
    "conflicts": "conflicts",
}  # fmt: skip


def _has_all(m: ModelFindings) -> bool:
    return any(f.window == ALL for f in m.figures)


def _row(f: Found) -> tuple[Any, ...]:
    interval = "" if f.interval is None else f"{f.interval[0]:.4f} to {f.interval[1]:.4f}"
    value = f.reason if f.value is None else f"{f.value:.4f}"
    return (f.metric, f.of or "the model", f.window, value, interval, f.n)


def _incident(i: dict[str, Any]) -> tuple[Any, ...]:
    """From the first breached window to the end of the signal; an incident that is live has none."""
    windows, recovered = i["evidence"], i["recovered_at"]
    causes = max(windows, key=lambda e: e["excess"] or 0.0)["causes"] if windows else []
    first = minute(windows[0]["window_start"] if windows else i["started_at"])
    named = ", ".join(c["name"] for c in causes[:4])
    return (i["state"], i["severity"], i["title"], str(first)[:10], str(minute(recovered) or "goes on")[:10], named)


def _key(settings: Settings) -> str:
    """A key for the person at the keyboard. Those of earlier runs end: nobody has them any more."""
    keys = open_keys(settings)
    for old in keys.list():
        if old["owner"] == OWNER and not old["revoked_at"]:
            keys.revoke(old["prefix"])
    return keys.create(OWNER, "person", MAY)


def _first_person(settings: Settings) -> str | None:
    """The first administrator's password, where there is nobody yet. It is shown once, and only its hash is kept."""
    people = open_people(settings)
    if not people.is_empty():
        return None
    return people.create(New(OWNER, "admin"), at_the_machine())[1]


def _serve_on(out: Out, child: Child) -> None:
    out.remark("serving on; Ctrl-C stops it")
    while True:
        time.sleep(0.5)
        child.check()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
