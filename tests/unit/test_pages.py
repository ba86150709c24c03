"""Pages: what their templates call, what a timeline leaves out, and what may be done to an incident."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.acting import DONE, WHY, notice
from api.console_incident import offered
from api.incident_forms import ACTIONS, Fields, command_of
from api.pages import local_path, shown, spark, status, when
from api.timeline import collapsed
from api.vega import Bundle
from detectors.catalogue import metric_title
from incidents.commands import Acknowledge, AddEvidence, Close, Dispose, Disposition, Open, Reopen, Resolve
from incidents.events import Actor, ActorKind
from incidents.incident import Incident, apply
from incidents.machine import Decision, DecisionReason, decide
from incidents.verdict import Evidence, Fingerprint, Kind, Severity
from monitor.access import Principal
from monitor.errors import InvalidInput

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PERSON = Principal("ana", "person", frozenset({"operate"}), None)
ANA, RULE = Actor("ana", ActorKind.PERSON), Actor("vigil", ActorKind.RULE)
AWAY = ["", "x", "//e", "///e", "/\\e", "\\e", "https://e/", "/a\r\nSet-Cookie: b", "javascript:0"]


@pytest.mark.parametrize("away", AWAY)
def test_next_leads_nowhere_else(away: str) -> None:
    assert local_path(away) == "/"


def test_next_keeps_a_path_of_this_site() -> None:
    path = "/models/churn?window=2026-01-01T00:00:00%2B00:00"
    assert local_path(path) == path


def test_values_are_shown_in_three_figures() -> None:
    given = (0.81234, 0.0, 1234.5, -0.5, None)
    assert [shown(v) for v in given] == ["0.812", "0", "1,234", "-0.5", "–"]
    assert shown(0.98765, "accuracy") == "98.8%"
    assert (metric_title("psi"), metric_title("log_loss")) == ("PSI", "log loss")


def test_what_people_wrote_is_escaped() -> None:
    assert "<script>" not in status("ok", "<script>")
    assert 'aria-label="&#34;' in spark([1.0, 2.0], '"')
    assert spark([1.0], "one value is no line") == ""


def test_instants_are_utc_and_read_by_machines() -> None:
    at = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
    assert when(at) == '<time datetime="2026-01-05T01:30:00Z">2026-01-05 01:30 UTC</time>'
    assert ">2026-01-05<" in when(at, "day")
    assert when(None) == "–"


def test_a_timeline_gathers_windows_of_evidence_and_nothing_else() -> None:
    incident, events = opened()
    for i in range(1, 5):
        found = decide(incident, AddEvidence(evidence(i)), RULE, NOW + timedelta(days=i)).events
        events += found
        incident = apply(incident, found[0])
        if i == 2:
            taken = decide(incident, Acknowledge(), ANA, NOW + timedelta(days=i)).events
            events += taken
            incident = apply(incident, taken[0])
    told = [(e.kind.value, n, last) for e, n, last in collapsed(events)]
    assert told == [
        ("evidence_added", 2, NOW + timedelta(days=4)),
        ("acknowledged", 1, NOW + timedelta(days=2)),
        ("evidence_added", 2, NOW + timedelta(days=2)),
        ("opened", 1, NOW),
    ]


def test_each_form_that_is_offered_does_something() -> None:
    """From every state, what is offered changes the incident, and what is not offered would not."""
    commands = {
        "acknowledge": Acknowledge(), "resolve": Resolve(), "reopen": Reopen(), "close": Close(),
        "dispose": Dispose(Disposition.TRUE, "a cause"),
    }  # fmt: skip
    incident, _ = opened()
    for step in ("acknowledge", "resolve", "dispose", "close", None):
        for now in (NOW, NOW + timedelta(days=30)):
            found = offered(incident, PERSON, now)
            done = {a for a, c in commands.items() if decide(incident, c, ANA, now).reason is DecisionReason.DONE}
            assert (found & set(commands)) - {"dispose"} == done - {"dispose"}
            assert "comment" in found
            assert found - {"follow"} <= ACTIONS
        if step:
            incident = after(incident, decide(incident, commands[step], ANA, NOW))


def test_what_belongs_to_some_incidents_is_offered_of_those_alone() -> None:
    incident, _ = opened()
    assert not {"retest", "report", "accept-risk", "clear-serious"} & offered(incident, PERSON, NOW)
    disparity = Open(Fingerprint("m", Kind.FAIRNESS, "sex"), Severity.WARNING, "apart", NOW)
    finding = after(None, decide(None, disparity, RULE, NOW))
    assert "accept-risk" in offered(finding, PERSON, NOW)
    assert "merge" not in offered(finding, PERSON, NOW)


def test_every_answer_to_a_person_has_words() -> None:
    assert set(WHY) == set(DecisionReason)
    assert set(DONE) == ACTIONS | {"recorded"}
    assert all(words.endswith(".") for words in (*WHY.values(), *DONE.values()))
    assert notice("recorded")[0] is True


def test_a_form_that_does_not_fit_names_its_field() -> None:
    for action, sent, named in (
        ("plan", {"what": "x", "owner": "ana", "due_at": "2026-08-02", "check_at": "2026-08-01"}, "check_at"),
        ("plan", {"what": " ", "owner": "ana"}, "what"),
        ("accept-risk", {"why": "x", "expires_at": "soon"}, "expires at"),
        ("approve", {"number": "-1"}, "number"),
        ("serious", {"preset": "none"}, "preset"),
        ("dispose", {"disposition": "perhaps"}, "disposition"),
        ("comment", {"text": "x" * 4001}, "text"),
    ):
        with pytest.raises(InvalidInput) as error:
            command_of(action, Fields(sent))
        assert named in str(error.value)


def test_the_chart_script_is_built_once_and_kept(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path / "cache")
    made = bundle.read()
    assert bundle.file.read_bytes() == made
    written = bundle.file.stat().st_mtime_ns
    assert Bundle(tmp_path / "cache").read() == made
    assert bundle.file.stat().st_mtime_ns == written
    assert [p.name for p in bundle.file.parent.iterdir()] == [bundle.file.name]


def test_the_chart_script_is_served_where_it_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert len(Bundle(tmp_path / "file" / "cache").read()) > 100_000
    assert os.listdir(tmp_path) == ["file"]


def opened() -> tuple[Incident, list]:
    command = Open(Fingerprint("churn", Kind.DRIFT), Severity.WARNING, "Drift in age", NOW, evidence(0))
    events = list(decide(None, command, RULE, NOW).events)
    return apply(None, events[0]), events


def evidence(i: int) -> Evidence:
    return Evidence(NOW + timedelta(days=i), NOW + timedelta(days=i + 1), f"window {i}")


def after(incident: Incident, decision: Decision) -> Incident:
    for event in decision.events:
        incident = apply(incident, event)
    return incident
