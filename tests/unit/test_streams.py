"""ADWIN as a step from state to state: the same signals however the stream is cut, and no code from a stranger."""

from __future__ import annotations

import os
import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN

from detectors import streams
from detectors.streams import Signal, UnreadableState, step

RNG = np.random.default_rng(4)
STREAM = np.r_[RNG.random(900) < 0.2, RNG.random(700) < 0.6, RNG.random(800) < 0.1].astype(float)


def in_parts(values, cuts):
    state, found, at = None, [], 0
    for part in np.split(values, cuts):
        state, signals = step(state, part)
        found += [Signal(s.index + at, s.width, s.before, s.after) for s in signals]
        at += len(part)
    return state, found


def test_the_shifts_are_found_with_their_direction_and_means():
    _, signals = step(None, STREAM)
    assert [s.direction for s in signals] == ["up", "down"]
    up, down = signals
    assert 900 <= up.index < 1000
    assert up.before == pytest.approx(0.2, abs=0.08)             # of the oldest values, those that ADWIN dropped
    assert up.after > up.before
    assert 1600 <= down.index < 1700
    assert down.before == pytest.approx(0.6, abs=0.06)


def test_the_signals_are_rivers_own():
    adwin, expected = ADWIN(), []
    for i, x in enumerate(STREAM.tolist()):
        adwin.update(x)
        if adwin.drift_detected:
            expected.append((i, adwin.width, adwin.estimation))
    assert [(s.index, s.width, s.after) for s in step(None, STREAM)[1]] == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, STREAM.size), max_size=8).map(sorted))
def test_any_split_gives_the_same_signals_and_the_same_state(cuts):
    assert in_parts(STREAM, cuts) == in_parts(STREAM, [])


def test_a_cut_right_after_a_signal_changes_nothing():
    whole = in_parts(STREAM, [])
    at = whole[1][0].index
    for cut in (at, at + 1, at + 2):
        assert in_parts(STREAM, [cut]) == whole


@pytest.mark.parametrize("seed", range(3))
def test_100_000_stationary_values_are_no_change(seed):
    rng = np.random.default_rng(seed)
    assert step(None, (rng.random(100_000) < 0.2).astype(float))[1] == []


def test_values_that_are_not_finite_are_passed_over_and_keep_their_place():
    holes = np.insert(STREAM, [0, 50, 1700], [np.nan, np.inf, -np.inf])
    state, signals = step(None, holes)
    plain_state, plain = step(None, STREAM)
    assert state == plain_state
    assert [s.index for s in signals] == [s.index + 2 + (s.index >= 1700) for s in plain]


def test_an_empty_step_keeps_the_state():
    state, _ = step(None, STREAM[:300])
    assert step(state, np.empty(0)) == (state, [])


class Stranger:
    def __reduce__(self):
        return os.system, ("true",)


def forged(value) -> bytes:
    body = pickle.dumps(value)
    return streams._HEAD.pack(b"VA1", *streams._version(), zlib.crc32(body)) + body


@pytest.mark.parametrize(
    ("value", "text"),
    [(Stranger(), "system, which is no part of ADWIN"), ({"a": 1}, "holds a dict and no ADWIN")],
)
def test_a_state_that_is_more_or_less_than_adwin_is_refused(value, text):
    with pytest.raises(UnreadableState, match=text):
        step(forged(value), STREAM)


def test_a_foreign_damaged_or_outdated_state_is_refused_with_the_reason():
    state, _ = step(None, STREAM)
    with pytest.raises(UnreadableState, match="no detector state known here"):
        step(b"XY" + state, STREAM)
    with pytest.raises(UnreadableState, match="no detector state known here"):
        step(b"", STREAM)
    with pytest.raises(UnreadableState, match="checksum"):
        step(state[:-1] + bytes([state[-1] ^ 1]), STREAM)
    major, minor = streams._version()
    old = streams._HEAD.pack(b"VA1", major, minor - 1, zlib.crc32(state[streams._HEAD.size :]))
    with pytest.raises(UnreadableState, match=rf"from River {major}\.{minor - 1}"):
        step(old + state[streams._HEAD.size :], STREAM)
