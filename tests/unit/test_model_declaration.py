"""A declaration is read whole: every key, each fault with its line and mend, and nothing grows without bound."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from detectors.scope import Scope
from monitor.errors import InvalidDeclaration
from monitor.model import Limit, ModelSpec, parse_declaration
from monitor.model.parse import KEYS

FULL = """
model: census-employment
task: binary_classification
owner: people-ml
in_scope: true
purpose: predicts employment of working-age residents
risk_tier: high
location: MA
products: [benefits]
features: {AGEP: numeric, SCHL: categorical}
positive_label: 1
favourable: yes
decision_threshold: 0.4
protected_attributes: {SEX: {reference_group: 1}, RAC1P: {min_group: 50}}
min_group: 200
outcomes_observed_for: {model_decision: approve}
segments: [state]
sources:
  - {kind: kserve, inferenceservice: census, version: annotation, columns: [AGEP, SCHL], score: 1}
grain: 6h
label_delay: 90d
windows: {drift: 1d, performance: 7d, fairness: 14d}
reference: {dataset: reference}
monitors:
  - {metric: psi, scope: "feature:AGEP", breach: {above: 0.2}, clear: 0.1, open_after: 3 of 4, severity: critical}
  - {id: sex-gap, metric: accuracy_difference, scope: "attribute:SEX", breach: {outside: [-0.1, 0.1]}}
  - {metric: roc_auc, breach: {below: -0.05}, relative_to: reference, min_samples: 500, min_coverage: 0.9}
sla: {objective: 0.999, kind: time, window: quarter, probe: {url: "http://census/health", every: 30s}}
reviews: {every: 90d}
notify: [{channel: slack, url_env: SLACK_URL, min_severity: warning}]
"""
SMALL = "model: churn\ntask: binary_classification\n"
REGRESSION = "model: delay\ntask: regression\nmonitors: [{metric: mae, breach: {above: 9}}]"


def faults(text: str | bytes, media: str = "yaml") -> dict[object, tuple[object, str]]:
    with pytest.raises(InvalidDeclaration) as caught:
        parse_declaration(text, media)  # type: ignore[arg-type]
    return {f["key"]: (f["line"], str(f["reason"])) for f in caught.value.faults}


def test_every_key_is_read() -> None:
    spec = parse_declaration(FULL, "yaml")
    assert spec.features == {"AGEP": "numeric", "SCHL": "categorical"}
    assert (spec.positive_label, spec.favourable, spec.decision_threshold) == ("1", "yes", 0.4)
    assert spec.protected_attributes["SEX"].reference_group == "1"
    assert [a.min_group for a in spec.protected_attributes.values()] == [200, 50]
    assert spec.outcomes_observed_for == "approve"
    assert (spec.grain, spec.label_delay) == (timedelta(hours=6), timedelta(days=90))
    assert spec.windows.fairness == timedelta(days=14)
    assert spec.review_every == timedelta(days=90)
    assert spec.monitors is not None
    psi, gap, auc = spec.monitors
    assert (psi.id, psi.scope, psi.open_after) == ("psi/feature:AGEP", Scope(feature="AGEP"), (3, 4))
    assert (psi.breach, psi.clear) == (Limit(high=0.2), Limit(high=0.1))
    assert (gap.id, gap.breach, gap.clear) == ("sex-gap", Limit(-0.1, 0.1), Limit(-0.1, 0.1))
    assert [m.window.days for m in spec.monitors] == [1, 14, 7]
    assert (auc.relative_to, auc.breach, auc.min_samples, auc.min_coverage) == ("reference", Limit(low=-0.05), 500, 0.9)


def test_defaults_of_a_small_declaration() -> None:
    spec = parse_declaration(SMALL, "yaml")
    assert spec == ModelSpec("churn", "binary_classification")
    assert (spec.positive_label, spec.decision_threshold, spec.grain, spec.reference) == (
        "1", 0.5, timedelta(hours=1), "reference",
    )  # fmt: skip
    assert spec.monitors is None
    assert parse_declaration(SMALL + "monitors: []", "yaml").monitors == ()


@pytest.mark.parametrize("text", [FULL, SMALL, REGRESSION])
def test_round_trip_through_json(text: str) -> None:
    spec = parse_declaration(text, "yaml")
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert parse_declaration(json.dumps(spec.to_dict()), "json") == spec


def test_yes_and_no_are_words_and_not_booleans() -> None:
    assert parse_declaration(SMALL + "positive_label: yes", "yaml").positive_label == "yes"
    assert parse_declaration(SMALL + "positive_label: true", "yaml").positive_label == "true"
    assert parse_declaration(SMALL + "positive_label: 1.0", "yaml").positive_label == "1"


def test_all_faults_come_at_once_with_line_and_mend() -> None:
    found = faults(
        "model: Census\n"
        "task: binary_classification\n"
        "label_dealy: 7d\n"
        "owner: 5\n"
        "in_scope: yes\n"
        "features: {A: num}\n"
        "grain: 7h\n"
        "windows: {fairness: 90m}\n"
        "monitors:\n"
        "  - {metric: roc_acu, breach: {above: 1}}\n"
        "  - metric: mae\n"
        "    breach: {above: x}\n"
        "    open_after: 4 of 3\n"
        "  - {metric: psi, breach: {above: 0.2}, clear: 0.3}\n"
        "decision_threshold: 1.5\n"
    )
    assert found["label_dealy"] == (3, "is no key here; the nearest known is 'label_delay'")
    assert found["monitors[0].metric"] == (10, "found text 'roc_acu'; the nearest known is 'roc_auc'")
    assert found["owner"] == (4, "found the number 5; write a text, in quotes: '5'")
    lines = {key: line for key, (line, _) in found.items()}
    assert lines == {
        "model": 1, "label_dealy": 3, "owner": 4, "in_scope": 5, "features.A": 6, "grain": 7, "windows.fairness": 8,
        "monitors[0].metric": 10, "monitors[1].metric": 11, "monitors[1].breach.above": 12,
        "monitors[1].open_after": 13, "monitors[2].clear": 14, "decision_threshold": 15,
    }  # fmt: skip
    assert all(";" in reason for _, reason in found.values()), "each fault carries its mend"


@pytest.mark.parametrize(
    ("addition", "key", "part"),
    [
        ("protected_attributes: {SEX: {}}", "favourable", "is missing"),
        ("protected_attributes: [SEX]", "protected_attributes", "found a list; write a map"),
        ("reference: {window: 2026-01-01/2026-03-31}", "reference.window", "not supported"),
        ("intersections: [[SEX, RAC1P]]", "intersections", "is no protected attribute"),
        ("monitors: [{metric: ndcg, breach: {below: 1}}]", "monitors[0].metric", "is measured for a ranking"),
        ("monitors: [{metric: psi}]", "monitors[0].breach", "is missing"),
        ("monitors: [{metric: psi, breach: {}}]", "monitors[0].breach", "exactly one"),
        ("monitors: [{metric: psi, breach: {above: 1}, every: 1h}]", "monitors[0].every", "not supported"),
        ("monitors: [{metric: psi, breach: {outside: [2, 1]}}]", "monitors[0].breach.outside", "swap them"),
        ("monitors: [{metric: psi, breach: {above: 1}, scope: age}]", "monitors[0].scope", "is no scope"),
        ("monitors: [{metric: psi, breach: {above: 1}}, {metric: psi, breach: {above: 2}}]", "monitors[1].id", "twice"),
        ("label_delay: 90", "label_delay", "write a duration"),
        ("features: {a: numeric, a: numeric}", "a", "stands twice"),
        ("segments: [state, state]", "segments", "twice"),
        ("outcomes_observed_for: some", "outcomes_observed_for", "write a map of model_decision"),
        ("sla: {objective: 99.9}", "sla.objective", "from 0 to 1"),
        ("notify: [{channel: slack}]", "notify[0].url_env", "is missing"),
        ("positive_label: [1]", "positive_label", "found a list"),
        ("decision_threshold: true", "decision_threshold", "found true; write a number"),
    ],
)
def test_a_fault_names_its_key(addition: str, key: str, part: str) -> None:
    line, reason = faults(SMALL + addition)[key]
    assert line == 3 or reason.startswith("is missing")
    assert part in reason


def test_labels_named_beside_the_classes_are_among_them() -> None:
    many = "model: a\ntask: multiclass_classification\nclasses: [cat, dog]\n"
    found = faults(many + "favourable: dgo\ncost_matrix: {dog: {cta: -1, cat: 2}}")
    assert set(found) == {"favourable", "cost_matrix"}
    assert "the nearest known is 'dog'" in found["favourable"][1]
    assert "'cta' is none of the classes" in found["cost_matrix"][1]


def test_classification_keys_do_not_fit_a_regression() -> None:
    found = faults("model: a\ntask: regression\npositive_label: 1\nmonitors: [{metric: roc_auc, breach: {below: 1}}]")
    assert set(found) == {"positive_label", "monitors[0].metric"}


def test_json_faults_carry_lines_too() -> None:
    found = faults('{"model": "a",\n\t"task": "regression",\n\t"label_dealy": "7d"}', "json")
    assert found["label_dealy"][0] == 3
    assert faults('{"model": "a",\n"task": }', "json")["the declaration"][0] == 2


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: b: c", "is not YAML"),
        ("", "found nothing"),
        ("- x", "found a list"),
        (b"model: \xff", "not UTF-8"),
        ("a: \x00", "is not YAML"),
        ("!!python/object:os.system x", "tag"),
        ("? [a]\n: b", "keys are text"),
        ("x" * 300_000, "256 KiB"),
        ("[" * 5_000, "levels deep"),
        ("a: &a [*a]", "values"),
        ("a: [" + "x," * 120_000 + "]", "20000 values"),
    ],
)
def test_what_is_no_declaration(text: str | bytes, part: str) -> None:
    assert part in faults(text)["the declaration"][1]


@pytest.mark.parametrize("text", ["[" * 5_000, '{"a": NaN}', '{"model": "a", "model": "b"}', "9" * 5_000, "{'a': 1}"])
def test_what_is_no_json_declaration(text: str) -> None:
    assert faults(text, "json")


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(1, 12):
        bomb += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    assert "aliases are counted" in faults(bomb)["the declaration"][1]


def test_the_manual_names_every_key(request: pytest.FixtureRequest) -> None:
    manual = (request.config.rootpath / "docs" / "models.md").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"`{key}`" not in manual] == []
