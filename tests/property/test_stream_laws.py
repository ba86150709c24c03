"""The laws of the streaming detectors: any cut gives the same bytes; holes and units do not matter."""

from __future__ import annotations

import numpy as np
import river.drift  # noqa: F401  (its first import takes seconds, which count for no example)
from hypothesis import given
from hypothesis import strategies as st

from detectors.streams import DETECTORS, DOMAIN, step

# Settings under which a few dozen values hold changes, so that the laws are tested across them too.
QUICK = {
    "adwin": {"block": 2, "warm_up": 3, "delta": 0.9, "clock": 1, "grace_period": 1, "min_window_length": 1},
    "page_hinkley": {"block": 3, "warm_up": 3, "min_instances": 2, "threshold": 1.0},
    "kswin": {"block": 1, "alpha": 0.5, "window_size": 8, "stat_size": 3},
    "ddm": {"warm_start": 3, "drift_threshold": 1.0},
    "eddm": {"warm_start": 2, "beta": 0.9},
    "hddm_a": {"drift_confidence": 0.5, "warning_confidence": 0.6, "two_sided_test": True},
    "hddm_w": {"drift_confidence": 0.9, "warning_confidence": 0.95, "lambda_val": 0.3, "two_sided_test": True},
}


@st.composite
def streams(draw, detectors=DETECTORS):
    """A detector and a stream of a few levels that it takes."""
    detector = draw(st.sampled_from(detectors))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = np.repeat(rng.random(4), draw(st.lists(st.integers(0, 12), min_size=4, max_size=4)))
    if DOMAIN[detector] == "bit":
        return detector, (rng.random(levels.size) < levels).astype(float)
    if detector == "kswin":
        levels = levels[:16]        # each of its tests takes long
    noise = rng.normal(scale=0.05, size=levels.size)
    return detector, np.clip(levels + noise, 0, 1)


def in_parts(detector, values, cuts, settings):
    state, found, at = None, [], 0
    for part in np.split(values, cuts):
        state, signals = step(state, part, detector, settings)
        found += [(s.index + at, s.width, s.before, s.after) for s in signals]
        at += len(part)
    return state, found


@given(streams(), st.lists(st.integers(0, 48), max_size=5).map(sorted))
def test_any_split_gives_the_same_signals_and_the_same_bytes(stream, cuts):
    detector, values = stream
    assert in_parts(detector, values, cuts, QUICK[detector]) == in_parts(detector, values, [], QUICK[detector])


HOLES = st.tuples(st.integers(0, 48), st.sampled_from([np.nan, np.inf, -np.inf, 1e200]))


@given(streams(), st.lists(HOLES, max_size=4))
def test_what_is_no_number_changes_nothing_but_the_place(stream, holes):
    detector, values = stream
    holes = [(min(at, values.size), value) for at, value in sorted(holes, key=lambda h: h[0])]
    holed = np.insert(values, [at for at, _ in holes], [value for _, value in holes])
    state, signals = step(None, holed, detector, QUICK[detector])
    plain, expected = step(None, values, detector, QUICK[detector])
    assert state == plain
    assert [s.index for s in signals] == [s.index + sum(at <= s.index for at, _ in holes) for s in expected]
    assert [(s.width, s.before, s.after) for s in signals] == [(s.width, s.before, s.after) for s in expected]


@given(streams(("adwin", "page_hinkley", "kswin")), st.integers(-40, 40))
def test_another_unit_gives_the_same_signals(stream, power):
    detector, values = stream
    unit = 2.0**power           # exact in floating point
    ours, theirs = (step(None, v, detector, QUICK[detector])[1] for v in (values, values * unit))
    assert [(s.index, s.width, s.before * unit, s.after * unit) for s in ours] == [
        (s.index, s.width, s.before, s.after) for s in theirs
    ]


@given(streams())
def test_a_signal_speaks_of_the_values_it_names(stream):
    detector, values = stream
    began = 0
    for s in step(None, values, detector, QUICK[detector])[1]:
        assert 0 < s.width <= s.index + 1 - began
        assert np.isclose(s.after, values[s.index + 1 - s.width : s.index + 1].mean())
        assert values[began : s.index + 1].min() <= s.before <= values[began : s.index + 1].max() + 1e-12
        if detector in ("ddm", "eddm"):
            assert s.direction == "up" or s.before == s.after or s.before == 1.0
        began = s.index + 1 if "block" not in QUICK[detector] else began
