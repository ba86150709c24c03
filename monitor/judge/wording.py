"""What a verdict says to a reader: sentences and titles."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.catalogue import metric_title
from incidents.verdict import Fingerprint, Kind
from monitor.verdict import Verdict


def title(fingerprint: Fingerprint, ranked: Sequence[Verdict]) -> str:
    """A line that says what happened, for a list of incidents; ``ranked``: the breaches, the worst first."""
    names = list(dict.fromkeys(_subject(v) for v in ranked))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    match fingerprint.kind:
        case Kind.DRIFT:
            return f"Drift in {names[0]}{more}"
        case Kind.QUALITY:
            return f"Data quality: {metric_title(ranked[0].point.metric)} of {names[0]}{more}"
        case Kind.SERVICE:
            return f"Volume: {sentence(ranked[0])}"
        case Kind.FAIRNESS:
            return f"Disparity by {fingerprint.attribute}: {sentence(ranked[0])}"
        case _:
            return f"Performance: {sentence(ranked[0])}"


def summary(ranked: Sequence[Verdict]) -> str:
    """The worst three breaches in words, and how many there are beside."""
    more = f"; and {len(ranked) - 3} more" if len(ranked) > 3 else ""
    return "; ".join(sentence(v) for v in ranked[:3]) + more


def sentence(verdict: Verdict) -> str:
    """One breach in words."""
    p, m = verdict.point, verdict.point.measurement
    assert m.value is not None, "a breach has a value"
    assert verdict.limit is not None, "and a limit"
    side = "above" if m.value > verdict.limit else "below"
    of = "" if p.scope.text == "model" or p.scope.attribute else f" of {_subject(verdict)}"
    return f"{metric_title(p.metric)}{of} {m.value:.3g}, {side} {verdict.limit:.3g}"


def _subject(verdict: Verdict) -> str:
    scope = verdict.point.scope
    return scope.feature or (f"the {scope.output}" if scope.output else scope.attribute or "the model")
