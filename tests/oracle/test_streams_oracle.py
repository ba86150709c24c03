"""Against River itself: with River's settings the signals are River's own, and the vectors' figures come out."""

from __future__ import annotations

import numpy as np
import pytest
from examples import ORACLE
from hypothesis import given
from hypothesis import strategies as st
from river import drift
from river.drift import binary

from detectors.streams import DETECTORS, DOMAIN, check_settings, river_settings, step

RIVER = {
    "adwin": drift.ADWIN,
    "page_hinkley": drift.PageHinkley,
    "kswin": drift.KSWIN,
    "ddm": binary.DDM,
    "eddm": binary.EDDM,
    "hddm_a": binary.HDDMA,
    "hddm_w": binary.HDDMW,
}
VECTORS = {("adwin", "river_delta0.002"): "adwin", ("page_hinkley", "river_default"): "page_hinkley"}


def rivers_signals(detector, values, settings):
    own = {k: v for k, v in settings.items() if k not in ("block", "warm_up")}
    found, river = [], RIVER[detector](**own)
    for i, x in enumerate(values.tolist()):
        river.update(x)
        if river.drift_detected:
            found.append(i)
    return found


def levels(rng, detector, lengths):
    means = np.repeat(rng.random(len(lengths)), lengths)
    return (rng.random(means.size) < means).astype(float) if DOMAIN[detector] != "real" else rng.normal(5 * means)


@pytest.mark.parametrize("detector", DETECTORS)
def test_with_rivers_own_settings_the_signals_are_rivers(detector):
    rng = np.random.default_rng(2)
    values = levels(rng, detector, [150] * 4 if detector == "kswin" else [1_000] * 4)
    expected = rivers_signals(detector, values, river_settings(detector))
    assert expected
    assert [s.index for s in step(None, values, detector, river_settings(detector))[1]] == expected


def test_rivers_settings_are_the_defaults_of_rivers_classes():
    for detector, cls in RIVER.items():
        own = {k: v for k, v in river_settings(detector).items() if k not in ("block", "warm_up", "seed")}
        assert own == {k: getattr(cls(), k) for k in own}


@ORACLE
@given(
    st.sampled_from([d for d in DETECTORS if d != "kswin"]), st.integers(0, 2**32),
    st.lists(st.integers(1, 80), min_size=1, max_size=4), st.sampled_from([0.3, 0.7, 1.0]),
)  # fmt: skip
def test_at_any_settings_too(detector, seed, lengths, strict):
    quick = {
        "adwin": {"delta": 0.5 * strict, "clock": 1 + int(4 * strict)},
        "page_hinkley": {"threshold": 10 * strict, "mode": "up" if strict == 1.0 else "both"},
        "ddm": {"warm_start": 10, "drift_threshold": 2 * strict},
        "eddm": {"warm_start": 5, "beta": 0.9 * strict},
        "hddm_a": {"drift_confidence": 0.2 * strict, "two_sided_test": strict == 1.0},
        "hddm_w": {"drift_confidence": 0.2 * strict, "two_sided_test": strict == 1.0},
    }
    settings = check_settings(detector, river_settings(detector) | quick[detector])
    values = levels(np.random.default_rng(seed), detector, lengths)
    assert [s.index for s in step(None, values, detector, settings)[1]] == rivers_signals(detector, values, settings)


def test_the_vectors_figures(own_vectors):
    cases = [c for c in own_vectors if (c["metric"], c["variant"]) in VECTORS]
    assert len(cases) == 4
    for case in cases:
        detector = VECTORS[case["metric"], case["variant"]]
        signals = step(None, np.array(case["inputs"]["values"], float), detector, river_settings(detector))[1]
        assert [s.index for s in signals] == case["expected"], case["id"]
