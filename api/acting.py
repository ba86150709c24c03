"""Acting on incidents: who may, and what the machine's reasons come to as answers, for the API, the console and links.

The machine decides, and gives a reason. This is the one place that turns a reason into an answer: that only a person
may do something is ``Forbidden``, and everything else is an answer of its own, in words for whoever reads a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi.responses import JSONResponse

from incidents.care import Approve
from incidents.commands import Command
from incidents.decision import EFFECTIVE
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from incidents.machine import DecisionReason, decide
from monitor.access import Principal, Scope
from monitor.app import App
from monitor.store import incidents
from monitor.worker.commands import Reason, Recorded

DONE: dict[str, str] = {
    "acknowledge": "Acknowledged: it is yours now.",
    "resolve": "Resolved.",
    "reopen": "Reopened.",
    "comment": "Comment added.",
    "assign": "Assigned.",
    "dispose": "Disposition recorded.",
    "close": "Closed.",
    "merge": "Merged: it goes on in the other incident.",
    "retest": "The re-test is recorded, and says below whether it passed.",
    "accept-risk": "The risk is accepted.",
    "approve": "Approved, and carried out.",
    "decline": "Declined: nothing is carried out.",
    "serious": "Marked as serious: its clocks run.",
    "report": "The report is recorded.",
    "clear-serious": "It is no serious candidate any more.",
    "plan": "The corrective action is planned.",
    "complete": "The corrective action is done.",
    "check": "The check is recorded.",
    "recorded": "Recorded: it is carried out once the incident is made again from the log.",
}
"""What a person reads after something was done, by its name in the address."""

WHY: dict[DecisionReason, str] = {
    DecisionReason.DONE: "Done.",
    DecisionReason.DEDUPLICATED: "Added to the live incident of the same fingerprint.",
    DecisionReason.REOPENED_WITHIN_WINDOW: "The last incident of the same fingerprint is open again.",
    DecisionReason.RECURRENCE: "Opened anew, linked to the last of the same fingerprint.",
    DecisionReason.GROUPED: "Joined the live incident that has the same cause.",
    DecisionReason.AWAITS_SECOND_PERSON: "Proposed. Another person has to approve it before it holds.",
    DecisionReason.NO_SUCH_INCIDENT: "There is no such incident.",
    DecisionReason.OTHER_FINGERPRINT: "That is about something else than this incident.",
    DecisionReason.NEEDS_PERSON: "Only a person may do this.",
    DecisionReason.NEEDS_SECOND_PERSON: "It takes a second person: not the one who proposed it.",
    DecisionReason.NEEDS_DISPOSITION: "It needs a disposition before it is closed.",
    DecisionReason.NEEDS_ROOT_CAUSE: "It needs a root cause before it is closed.",
    DecisionReason.NEEDS_RETEST_OR_ACCEPTANCE:
        "A bias finding needs a re-test that passed, or an accepted risk, before it is closed.",
    DecisionReason.NEEDS_CORRECTIVE_ACTION: "It needs a corrective action, planned at least, before it is closed.",
    DecisionReason.PROPOSAL_OPEN: "A proposal of this kind waits for a second person: let it be decided first.",
    DecisionReason.NO_SUCH_PROPOSAL: "There is no proposal with this number.",
    DecisionReason.NO_SUCH_ACTION: "There is no corrective action with this number.",
    DecisionReason.NO_SUCH_DEADLINE: "It has no such deadline.",
    DecisionReason.NOT_RESOLVED: "It is still live: resolve it before it is closed.",
    DecisionReason.NOT_MERGEABLE:
        "These two cannot be one: the other has to be live and of the same model, and neither a bias finding.",
    DecisionReason.NOT_A_FINDING: "It is no bias finding, so there is no risk to accept.",
    DecisionReason.NOT_COMPLETED: "The action is not done yet: whether it worked can be said after that.",
    DecisionReason.NOT_SERIOUS: "It is not marked as serious.",
    DecisionReason.TOO_MANY_ACTIONS: "It has as many corrective actions as one incident can have.",
    DecisionReason.REOPEN_WINDOW_PASSED: "It is too late to reopen it: a new breach opens a new incident.",
    DecisionReason.BEFORE_REOPENING: "It was opened again since that was seen: look at it once more.",
    DecisionReason.RECOVERED_BEFORE_START: "It cannot have recovered before it started.",
    DecisionReason.RETEST_OF_ANOTHER: "It holds no limit by which this can be tested again.",
    DecisionReason.RETEST_TOO_EARLY: "The window begins before the last breached one ended: take a later one.",
    DecisionReason.SEVERITY_NOT_HIGHER: "It is as severe as that already.",
    DecisionReason.ALREADY_OPEN: "It is live already.",
    DecisionReason.ALREADY_RECORDED: "This very thing is recorded already.",
    DecisionReason.ALREADY_ACKNOWLEDGED: "Somebody has acknowledged it already.",
    DecisionReason.ALREADY_RECOVERED: "It has recovered already.",
    DecisionReason.ALREADY_RESOLVED: "It is resolved already.",
    DecisionReason.ALREADY_ASSIGNED: "It is assigned to that person already.",
    DecisionReason.ALREADY_DISPOSED: "It has this very disposition and root cause.",
    DecisionReason.ALREADY_CLOSED: "It is closed, and a closed incident stays as it is.",
    DecisionReason.ALREADY_MERGED: "It was merged, and goes on in the other incident.",
    DecisionReason.ALREADY_DECIDED: "That proposal is decided already.",
    DecisionReason.ALREADY_COMPLETED: "That action is done already.",
    DecisionReason.ALREADY_SERIOUS: "It is marked as serious already.",
    DecisionReason.ALREADY_REPORTED: "That report is recorded already.",
    DecisionReason.ALREADY_EXPIRED: "The acceptance would have ended already: take a later day.",
}  # fmt: skip
"""Each reason of the machine, as a person reads it."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of a command, and the incident after it: none where that is being made again from the log."""

    reason: Reason
    incident: Incident | None

    @property
    def changed(self) -> bool:
        return self.reason in EFFECTIVE

    def answer(self) -> dict[str, Any]:
        """As the API answers it: with 202 where it is recorded, and what comes of it is not known yet."""
        shown = None if self.incident is None else self.incident.to_json()
        said = {"changed": self.changed, "reason": self.reason.value, "incident": shown}
        if self.reason is Recorded.RECORDED:
            return JSONResponse(said, 202)  # type: ignore[return-value]  # which FastAPI passes on as it is
        return said


def actor_of(who: Principal) -> Actor:
    return Actor(who.owner, ActorKind(who.kind))


def needed(command: Command) -> Scope:
    """The scope that a command takes: letting another person's proposal hold is a right of its own."""
    return "approve" if isinstance(command, Approve) else "operate"


def act(vigil: App, who: Principal, incident_id: str, command: Command) -> Acted:
    """Carry out a command. What comes late or twice changes nothing, and the reason says so. ``Forbidden`` for whoever
    lacks the right, and for a machine where only a person may."""
    who.require(needed(command), vigil.model_of(incident_id))
    incident: Incident | None = vigil.ask(incidents.find, incident_id)
    if decide(incident, command, actor_of(who), vigil.now()).reason is DecisionReason.NEEDS_PERSON:
        who.require_person()        # said before it is logged: a machine that goes on asking leaves no trace there
    after, reason = vigil.command(incident_id, command, who)
    return Acted(reason, after)


def would(incident: Incident, command: Command, who: Principal, now: datetime) -> DecisionReason:
    """What a command would come to, without doing it: a page offers what would change something."""
    return decide(incident, command, actor_of(who), now).reason


def notice(said: str) -> tuple[bool, str]:
    """Whether it is good news, and the words, of what a redirect after a form says: the name of what was done, or the
    reason why nothing was.

    >>> notice("resolve"), notice("already_open"), notice("<script>")
    ((True, 'Resolved.'), (False, 'Nothing changed. It is live already.'), (False, ''))
    """
    if said in DONE:
        return True, DONE[said]
    if said not in frozenset(DecisionReason):
        return False, ""
    reason = DecisionReason(said)
    return reason in EFFECTIVE, WHY[reason] if reason in EFFECTIVE else f"Nothing changed. {WHY[reason]}"
