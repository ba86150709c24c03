"""``vigil incident``: list and show incidents, and say what was done about them."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from incidents.commands import Disposition
from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.out import Out, minute
from monitor.cli.root import incident

STATES = ("live", "open", "acknowledged", "resolved", "closed")
_note = click.option("--note", default="", help="Goes into the timeline.")


@on_service(incident, "list", example="vigil incident list --state live")
@click.option("--state", type=click.Choice(STATES), help="'live': open or acknowledged.")
@click.option("--model", help="Only of this model.")
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]))
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
def list_incidents(
    out: Out, client: Client, state: str | None, model: str | None, severity: str | None, limit: int
) -> None:
    """List incidents, the live ones first, then the latest opened."""
    found = client.get("/v1/incidents", state=state, model=model, severity=severity, limit=limit)["incidents"]
    out.value({"incidents": found})
    out.table(("id", "state", "severity", "what", "opened", "resolved"), [_row(i) for i in found])
    if not found:
        out.line("no incidents")


@on_service(incident, "show", example="vigil incident show INCIDENT_ID")
@click.argument("incident_id")
def show(out: Out, client: Client, incident_id: str) -> None:
    """Show an incident: its times, the windows that breached, the ranked causes, and the timeline."""
    found = client.get(f"/v1/incidents/{incident_id}")
    events = client.get(f"/v1/incidents/{incident_id}/events")["events"]
    out.value({**found, "events": events})
    out.line(f"{found['title']} ({found['state']}, {found['severity']})")
    times = ("started_at", "opened_at", "acknowledged_at", "recovered_at", "resolved_at", "closed_at")
    out.table(("", "UTC"), [(t.removesuffix("_at"), minute(found[t])) for t in times if found[t]])
    for name in ("assignee", "disposition", "root_cause"):
        if found[name]:
            out.line(f"{name.replace('_', ' ')}: {found[name]}")
    windows = [(f"{minute(e['window_start'])} to {minute(e['window_end'])}", e["summary"]) for e in found["evidence"]]
    out.table(("window", "what it showed"), windows)
    out.table(("cause", "metric", "value"), [(c["name"], c["metric"], c["value"]) for c in found["causes"][:10]])
    out.table(("when", "what", "who"), _timeline(events))


@on_service(incident, "ack", example="vigil incident ack INCIDENT_ID --note 'looking into it'")
@click.argument("incident_id")
@_note
def ack(out: Out, client: Client, incident_id: str, note: str) -> None:
    """Acknowledge: you take charge of it. Needs a person's key."""
    _do(out, client, incident_id, "acknowledge", {"note": note})


@on_service(incident, "resolve", example="vigil incident resolve INCIDENT_ID --note 'retrained'")
@click.argument("incident_id")
@_note
def resolve(out: Out, client: Client, incident_id: str, note: str) -> None:
    """Resolve: it is mended. Needs a person's key."""
    _do(out, client, incident_id, "resolve", {"note": note})


@on_service(incident, "dispose", example="vigil incident dispose INCIDENT_ID true --root-cause 'new intake form'")
@click.argument("incident_id")
@click.argument("disposition", type=click.Choice([d.value for d in Disposition]))
@click.option("--root-cause", metavar="TEXT", help="Why it came; what was given before stays where absent.")
@_note
def dispose(
    out: Out, client: Client, incident_id: str, disposition: str, root_cause: str | None, note: str
) -> None:
    """Say what it was, and why it came. Needs a person's key."""
    body: dict[str, Any] = {"disposition": disposition, "note": note}
    _do(out, client, incident_id, "dispose", body | ({"root_cause": root_cause} if root_cause else {}))


@on_service(incident, "close", example="vigil incident close INCIDENT_ID --note 'reviewed'")
@click.argument("incident_id")
@_note
def close(out: Out, client: Client, incident_id: str, note: str) -> None:
    """Close it after review; it needs a disposition and a root cause by then. Needs a person's key."""
    _do(out, client, incident_id, "close", {"note": note})


@on_service(incident, "comment", example="vigil incident comment INCIDENT_ID 'the upstream table was late'")
@click.argument("incident_id")
@click.argument("text")
def comment(out: Out, client: Client, incident_id: str, text: str) -> None:
    """Add a note to its timeline."""
    _do(out, client, incident_id, "comment", {"text": text})


@on_service(incident, "reopen", example="vigil incident reopen INCIDENT_ID --note 'it is back'")
@click.argument("incident_id")
@_note
def reopen(out: Out, client: Client, incident_id: str, note: str) -> None:
    """Reopen: it was resolved too early. Needs a person's key."""
    _do(out, client, incident_id, "reopen", {"note": note})


@on_service(incident, "assign", example="vigil incident assign INCIDENT_ID ana")
@click.argument("incident_id")
@click.argument("person")
def assign(out: Out, client: Client, incident_id: str, person: str) -> None:
    """Say whose it is."""
    _do(out, client, incident_id, "assign", {"to": person})


@on_service(incident, "merge", example="vigil incident merge INCIDENT_ID OTHER_ID")
@click.argument("incident_id")
@click.argument("into")
@_note
def merge(out: Out, client: Client, incident_id: str, into: str, note: str) -> None:
    """Say that it has the same cause as another live incident, and goes on in that. Needs a person's key."""
    _do(out, client, incident_id, "merge", {"into": into, "note": note})


@on_service(incident, "approve", example="vigil incident approve INCIDENT_ID 1")
@click.argument("incident_id")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--decline", is_flag=True, help="Say that it is not to be carried out.")
@_note
def approve(out: Out, client: Client, incident_id: str, number: int, decline: bool, note: str) -> None:
    """Let what another person proposed be carried out, or not. Needs a person's key that may approve."""
    _do(out, client, incident_id, "decline" if decline else "approve", {"number": number, "note": note})


@on_service(
    incident, "action",
    example="vigil incident action INCIDENT_ID 'alert on new codes' --owner ana --due 2026-08-01 --check 2026-09-01",
)  # fmt: skip
@click.argument("incident_id")
@click.argument("what")
@click.option("--owner", required=True, help="Who does it.")
@click.option("--due", required=True, metavar="DATE", help="Until when.")
@click.option("--check", required=True, metavar="DATE", help="When somebody looks whether it worked.")
def action(out: Out, client: Client, incident_id: str, what: str, owner: str, due: str, check: str) -> None:
    """Plan a corrective action. Needs a person's key."""
    _do(out, client, incident_id, "actions", {"what": what, "owner": owner, "due_at": due, "check_at": check})


def _do(out: Out, client: Client, incident_id: str, verb: str, body: dict[str, Any]) -> None:
    """A late or repeated command changes nothing, and the service says why: no error."""
    answer = client.post(f"/v1/incidents/{incident_id}/{verb}", body)
    out.value(answer)
    state = "being made again" if answer["incident"] is None else answer["incident"]["state"]
    reason = answer["reason"].replace("_", " ")
    said = f"nothing changed ({reason})"
    if answer["changed"] or reason == "recorded":
        said = "done" if reason == "done" else reason
    out.line(f"{incident_id}: {said}; it is {state}")


def _timeline(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """A line an event; a run of events of one kind by one actor is one line, for some last for years."""
    lines = []
    for (kind, who), run in groupby(events, lambda e: (e["kind"].replace("_", " "), e["actor"]["id"])):
        found = list(run)
        first, last = minute(found[0]["at"]), minute(found[-1]["at"])
        more = f", {len(found)} times" if len(found) > 1 else ""
        lines.append((f"{first} to {last}" if more else f"{first}", kind + more, who))
    return lines


def _row(i: dict[str, Any]) -> tuple[Any, ...]:
    return (i["id"], i["state"], i["severity"], i["title"], minute(i["opened_at"]), minute(i["resolved_at"]))
