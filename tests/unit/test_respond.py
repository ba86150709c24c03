"""From verdicts to commands for incidents: monitors that share a fingerprint speak with one voice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from detectors.point import Measurement, MetricPoint
from detectors.scope import Scope, Window
from incidents.commands import AddEvidence, Clock, Command, Open, Recover, Relapse, Resolve
from incidents.rules import RuleState
from incidents.verdict import Fingerprint, Kind, Severity, VerdictKind
from monitor.judge.respond import fingerprint_of, respond
from monitor.judge.why import Why
from monitor.model import Limit, MonitorSpec
from monitor.verdict import Verdict

START = datetime(2026, 7, 1, tzinfo=UTC)


def monitor(
    metric: str, scope: Scope | None = None, limit: Limit | None = None, severity: str = "warning"
) -> MonitorSpec:
    scope, limit = scope or Scope(), limit or Limit(high=0.1)
    return MonitorSpec(f"{metric}/{scope.text}", metric, scope, timedelta(days=1), limit, limit, severity=severity)  # type: ignore[arg-type]


AGE, PLAN = (monitor("jensen_shannon", Scope(feature=f)) for f in ("age", "plan"))
DRIFT = Fingerprint("m", Kind.DRIFT)


@dataclass
class Run:
    """Feeds one window a day, and keeps what the store would: rule states, and which incidents are live."""

    monitors: tuple[MonitorSpec, ...]
    states: dict[str, RuleState] = field(default_factory=dict)
    live: dict[Fingerprint, frozenset[Fingerprint]] = field(default_factory=dict)
    day: int = 0

    def window(self, **said: tuple[str, float]) -> list[Command]:
        """``said``: by feature (or metric) the kind of verdict and the value."""
        window = Window(START + timedelta(days=self.day), START + timedelta(days=self.day + 1))
        self.day += 1
        verdicts = []
        for m in self.monitors:
            kind, value = said.get(m.scope.feature or m.metric, ("ok", 0.0))
            point = MetricPoint(m.metric, m.scope, window, Measurement(value, 1_000))
            limit = m.breach.high if m.breach.high is not None else m.breach.low
            verdicts.append(Verdict(m.id, point, VerdictKind(kind), None, limit, m.severity))
        why, live = Why([v.point for v in verdicts]), {f: held for held in self.live.values() for f in held}
        response = respond("m", self.monitors, self.states, window, verdicts, why, live, Clock.WALL)
        self.states = response.states
        for fingerprint, command in response.commands:
            if isinstance(command, Open):
                self.live[fingerprint] = frozenset({fingerprint})
            if isinstance(command, Resolve):
                self.live = {f: held for f, held in self.live.items() if fingerprint not in held}
        return [command for _, command in response.commands]


@pytest.mark.parametrize(
    ("metric", "scope", "expected"),
    [
        ("psi", Scope(feature="age"), Fingerprint("m", Kind.DRIFT)),
        ("psi", Scope(output="score"), Fingerprint("m", Kind.DRIFT)),
        ("missing_rate", Scope(feature="age"), Fingerprint("m", Kind.QUALITY)),
        ("row_count", Scope(), Fingerprint("m", Kind.SERVICE)),
        ("roc_auc", Scope(), Fingerprint("m", Kind.PERFORMANCE)),
        ("roc_auc", Scope(segment="state=MA"), Fingerprint("m", Kind.PERFORMANCE, None, "state=MA")),
        ("demographic_parity_ratio", Scope(attribute="sex"), Fingerprint("m", Kind.FAIRNESS, "sex")),
        ("accuracy", Scope(attribute="sex", group="f"), Fingerprint("m", Kind.FAIRNESS, "sex")),
    ],
)
def test_features_are_causes_of_one_incident_and_attributes_have_their_own(
    metric: str, scope: Scope, expected: Fingerprint
) -> None:
    assert fingerprint_of("m", monitor(metric, scope)) == expected


def test_two_breaches_of_three_open_one_incident_for_all_features_that_drift_together() -> None:
    run = Run((AGE, PLAN))
    assert run.window(age=("breach", 0.3), plan=("breach", 0.5)) == []
    (opened,) = run.window(age=("breach", 0.3), plan=("breach", 0.5))
    assert isinstance(opened, Open)
    assert opened.fingerprint == DRIFT
    assert opened.started_at == START + timedelta(days=1), "the end of the first breached window"
    assert opened.title == "Drift in plan and 1 more", "the worst first"
    assert opened.evidence is not None
    said = opened.evidence.summary
    assert said.startswith("Jensen-Shannon distance of plan 0.5, above 0.1; Jensen-Shannon distance of age")


def test_a_live_incident_takes_evidence_and_ends_when_all_its_rules_are_clean() -> None:
    run = Run((AGE, PLAN))
    run.window(age=("breach", 0.3))
    run.window(age=("breach", 0.3))
    assert set(run.live) == {DRIFT}
    assert [type(c) for c in run.window(age=("breach", 0.3))] == [AddEvidence]
    assert [type(c) for c in run.window(plan=("breach", 0.3))] == [Recover], "one breach of plan's opens nothing yet"
    assert [type(c) for c in run.window(age=("breach", 0.3))] == [Relapse]
    assert [type(c) for c in run.window()] == [Recover]
    assert [type(c) for c in run.window()] == [Resolve]
    assert run.live == {}
    assert run.window() == []


def test_unknown_and_inconclusive_neither_open_nor_resolve() -> None:
    run = Run((AGE,))
    for kind in ("unknown", "inconclusive", "breach", "unknown", "inconclusive", "inconclusive", "breach"):
        assert run.window(age=(kind, 0.3)) == [], "the two breaches are further apart than three judged windows"
    run.window(age=("breach", 0.3))
    assert set(run.live) == {DRIFT}
    for kind in ("unknown", "inconclusive") * 4:
        assert run.window(age=(kind, 0.0)) == []
    assert set(run.live) == {DRIFT}


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [("warning", 0.29, Severity.WARNING), ("warning", 0.31, Severity.CRITICAL), ("critical", 0.9, Severity.CRITICAL),
     ("info", 0.31, Severity.WARNING)],
)  # fmt: skip
def test_a_value_far_beyond_is_one_step_more_severe(declared: str, value: float, expected: Severity) -> None:
    run = Run((monitor("jensen_shannon", Scope(feature="age"), severity=declared),))
    run.window(age=("breach", value))
    (opened,) = run.window(age=("breach", value))
    assert isinstance(opened, Open)
    assert opened.severity is expected


def test_a_fall_says_below_and_each_kind_has_a_title_of_its_own() -> None:
    titles = {}
    for m in (
        monitor("roc_auc", limit=Limit(low=0.85)), monitor("row_count", limit=Limit(low=50.0)),
        monitor("missing_rate", Scope(feature="age")), monitor("demographic_parity_ratio", Scope(attribute="sex"),
                                                                Limit(low=0.8)),
    ):  # fmt: skip
        run, key = Run((m,)), m.scope.feature or m.metric
        run.window(**{key: ("breach", 0.5)})
        (opened,) = run.window(**{key: ("breach", 0.5)})
        assert isinstance(opened, Open)
        titles[m.metric] = opened.title
    assert titles == {
        "roc_auc": "Performance: ROC AUC 0.5, below 0.85",
        "row_count": "Volume: row count 0.5, below 50",
        "missing_rate": "Data quality: missing rate of age",
        "demographic_parity_ratio": "Disparity by sex: demographic parity ratio 0.5, below 0.8",
    }


def test_a_rule_whose_incident_a_person_resolved_can_open_again() -> None:
    run = Run((AGE,))
    run.window(age=("breach", 0.3))
    run.window(age=("breach", 0.3))
    run.live.clear()
    assert [type(c) for c in run.window(age=("breach", 0.3))] == [Open]


def test_an_opening_carries_the_limits_in_force_with_both_ends() -> None:
    relative = MonitorSpec("r", "missing_rate", Scope(feature="age"), timedelta(days=1), Limit(high=0.05),
                           Limit(high=0.05), relative_to="reference", open_after=(1, 1))  # fmt: skip
    both = MonitorSpec("b", "missing_rate", Scope(feature="plan"), timedelta(days=1), Limit(low=0.1, high=0.2),
                       Limit(low=0.1, high=0.2), open_after=(1, 1))  # fmt: skip
    window = Window(START, START + timedelta(days=1))
    verdicts = [
        Verdict(m.id, MetricPoint(m.metric, m.scope, window, Measurement(0.9, 500)),
                VerdictKind.BREACH, None, 0.2, "info")
        for m in (relative, both)
    ]
    baseline = {("missing_rate", "feature:age"): 0.25}
    found = respond("m", [relative, both], {}, window, verdicts, Why([]), {}, Clock.WALL, baseline)
    ((_, opened),) = found.commands
    assert isinstance(opened, Open)
    assert {(x.scope, x.low, x.high) for x in opened.limits} == {
        ("feature:age", None, 0.3), ("feature:plan", 0.1, 0.2),
    }  # fmt: skip


def test_what_is_clean_is_a_re_test_of_the_limits() -> None:
    run = Run((AGE, PLAN))
    run.window(age=("breach", 0.3))
    run.window(age=("breach", 0.3))
    (recovered,) = run.window(age=("ok", 0.02))
    assert isinstance(recovered, Recover)
    assert [(r.metric, r.scope, r.value) for r in recovered.retests] == [
        ("jensen_shannon", "feature:age", 0.02), ("jensen_shannon", "feature:plan", 0.0),
    ]  # fmt: skip
    assert all(r.window_end == recovered.recovered_at for r in recovered.retests)


def test_an_incident_of_two_fingerprints_ends_when_no_rule_of_either_is_open() -> None:
    missing = monitor("missing_rate", Scope(feature="city"))
    run = Run((AGE, missing))
    quality = Fingerprint("m", Kind.QUALITY)
    run.window(age=("breach", 0.3), city=("breach", 0.3))
    opened = run.window(age=("breach", 0.3), city=("breach", 0.3))
    assert [c.fingerprint for c in opened if isinstance(c, Open)] == [quality, DRIFT], "the fault opens first"
    run.live = dict.fromkeys((quality, DRIFT), frozenset({quality, DRIFT}))      # grouped
    for _ in range(2):
        assert [type(c) for c in run.window(city=("breach", 0.3))] == [AddEvidence], "the other one is clean"
    assert [type(c) for c in run.window()] == [Recover]
    assert [type(c) for c in run.window()] == [Resolve]
    assert run.live == {}


def test_evidence_says_of_whom_it_speaks() -> None:
    run = Run((AGE,))
    run.window(age=("breach", 0.3))
    (opened,) = run.window(age=("breach", 0.3))
    assert isinstance(opened, Open)
    assert opened.evidence is not None
    assert opened.evidence.about == DRIFT
