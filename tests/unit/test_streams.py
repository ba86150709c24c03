"""Streaming detectors as a step from state to state: what they find, what they refuse, and no code from a stranger."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from detectors.streams import DETECTORS, DOMAIN, SETTINGS, UnreadableState, check_settings, river_settings, state, step
from detectors.streams.signal import TAIL, Past

RNG = np.random.default_rng(4)
ERRORS = np.r_[RNG.random(9_000) < 0.1, RNG.random(9_000) < 0.4].astype(float)
LEVELS = np.r_[RNG.normal(size=9_000), RNG.normal(2.0, size=9_000)]


def stream_for(detector):
    return LEVELS if DOMAIN[detector] == "real" else ERRORS


@pytest.mark.parametrize("detector", [d for d in DETECTORS if d != "kswin"])
def test_at_the_default_settings_a_shift_is_found_once_with_its_place_and_means(detector):
    values = stream_for(detector)
    (signal,) = step(None, values, detector)[1]
    assert 9_000 <= signal.index < 12_000
    assert signal.direction == "up"
    if signal.index < 9_000 + TAIL:
        assert signal.index - signal.width == pytest.approx(9_000, abs=200), "where it came"
    assert signal.before == pytest.approx(values[:9_000].mean(), abs=0.15)
    assert signal.after == pytest.approx(values[9_000:].mean(), rel=0.5), "from the few values since"


def test_kswin_finds_the_shift_too():
    values = LEVELS[8_500:9_200]
    (signal,) = step(None, values, "kswin")[1]
    assert 500 <= signal.index < 600
    assert (signal.direction, signal.after) == ("up", pytest.approx(2.0, abs=0.6))


def test_falls_are_found_by_those_that_look_at_both_sides():
    for detector in ("adwin", "page_hinkley"):
        assert [s.direction for s in step(None, -LEVELS, detector)[1]] == ["down"]
    for detector in ("hddm_a", "hddm_w"):
        falling = 1 - ERRORS[6_000:12_000]
        assert step(None, falling, detector)[1] == []
        assert "down" in [s.direction for s in step(None, falling, detector, {"two_sided_test": True})[1]]


@pytest.mark.parametrize("detector", [d for d in DETECTORS if d != "kswin"])
@pytest.mark.parametrize("seed", range(2))
def test_100_000_stationary_values_hold_one_false_alarm_at_most(detector, seed):
    rng = np.random.default_rng(seed)
    n = 20_000 if detector.startswith("hddm") else 100_000
    values = rng.normal(size=n) if DOMAIN[detector] == "real" else (rng.random(n) < 0.1).astype(float)
    assert len(step(None, values, detector)[1]) <= (detector == "eddm")


def test_blocks_keep_adwin_quiet_under_a_daily_rhythm_and_autocorrelation():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=50_000).tolist()
    wander = [0.0]
    for e in noise:
        wander.append(0.9 * wander[-1] + e)
    season = np.sin(np.arange(50_000) * (2 * np.pi / 1_000)) + np.array(noise)
    for values in (np.array(wander), season):
        assert len(step(None, values, "adwin", river_settings("adwin"))[1]) > 50
        assert step(None, values)[1] == []


def test_values_that_are_no_numbers_are_passed_over_and_keep_their_place():
    holes = np.insert(LEVELS, [0, 50, 9_500], [np.nan, np.inf, -1e300])
    left, signals = step(None, holes, "page_hinkley")
    right, plain = step(None, LEVELS, "page_hinkley")
    assert left == right
    assert [s.index for s in signals] == [s.index + 2 + (s.index >= 9_500) for s in plain]


@pytest.mark.parametrize("detector", DETECTORS)
def test_an_empty_step_keeps_the_state(detector):
    stored, _ = step(None, stream_for(detector)[:400], detector)
    for nothing in (np.empty(0), np.array([np.nan, np.inf])):
        assert step(stored, nothing, detector) == (stored, [])


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley", "kswin"])
def test_constants_and_extremes_are_values_like_others(detector):
    settings = {"block": 1} | ({"alpha": 1e-3, "window_size": 20, "stat_size": 8} if detector == "kswin" else {})
    constant = np.full(500, 0.1)
    assert step(None, constant, detector, settings)[1] == []
    with np.errstate(all="raise", under="ignore"):
        for jump in (0.2, 1e100, -1e100):
            values = np.r_[constant[:300], np.full(200, jump)]
            (first, *_) = step(None, values, detector, settings)[1]
            assert 300 <= first.index < 500
            assert (first.before, first.after) == (pytest.approx(0.1), pytest.approx(jump))


def test_a_stream_that_was_constant_is_learned_from_its_first_change_on():
    values = np.r_[np.zeros(50_000), np.tile([0.5, 0.6], 1_000)]
    assert [50_000 < s.index < 51_200 for s in step(None, values)[1]] == [True]


def test_a_detector_of_errors_takes_0_and_1_alone():
    with pytest.raises(ValueError, match="ddm takes 0 and 1 alone"):
        step(None, np.array([0.0, 0.5]), "ddm")
    with pytest.raises(ValueError, match="hddm_w takes numbers from 0 to 1"):
        step(None, np.array([0.0, 1.5]), "hddm_w")


@pytest.mark.parametrize(
    ("detector", "settings", "text"),
    [
        ("adwim", {}, "'adwim' is no detector; the nearest known is 'adwin'"),
        ("adwin", {"delat": 0.1}, "'delat' is no setting of adwin; the nearest known is 'delta'"),
        ("ddm", {"block": 5}, "'block' is no setting of ddm; known are warm_start, "),
        ("adwin", {"delta": 2}, "'delta' is 2; write a number from 1e-300 to 1"),
        ("adwin", {"delta": float("nan")}, "'delta' is nan; write a number"),
        ("adwin", {"clock": 1.5}, "'clock' is 1.5; write a whole number"),
        ("adwin", {"clock": True}, "'clock' is True; write a whole number"),
        ("page_hinkley", {"threshold": float("inf")}, "'threshold' is inf; write a number of at least 0"),
        ("page_hinkley", {"mode": "sideways"}, "'mode' is 'sideways'; write one of both, up, down"),
        ("page_hinkley", {"warm_up": 1}, "'warm_up' is 1; write 0 for none"),
        ("hddm_a", {"two_sided_test": 1}, "'two_sided_test' is 1; write true or false"),
        ("kswin", {"stat_size": 200}, "'stat_size' is over half of 'window_size'"),
        ("kswin", {"stat_size": 5}, "'alpha' is below any p-value that samples of 'stat_size' can have"),
        ("eddm", {"alpha": 0.5}, "'beta' is over 'alpha'"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_mend(detector, settings, text):
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        step(None, np.empty(0), detector, settings)


def test_every_default_lies_within_its_own_bounds():
    for detector in DETECTORS:
        assert check_settings(detector, check_settings(detector)) == check_settings(detector)
        assert check_settings(detector, river_settings(detector)) == river_settings(detector)
        assert set(river_settings(detector)) == set(SETTINGS[detector])


def sealed(body: bytes) -> bytes:
    return state._HEAD.pack(b"VD1", *state.river_version(), zlib.crc32(body)) + body


def test_a_foreign_damaged_or_outdated_state_is_refused_with_the_reason():
    stored, _ = step(None, LEVELS[:5_000])
    for strange in (b"", b"VD", b"XY" + stored):
        with pytest.raises(UnreadableState, match="no detector state known here"):
            step(strange, LEVELS)
    with pytest.raises(UnreadableState, match="checksum"):
        step(stored[:-1] + bytes([stored[-1] ^ 1]), LEVELS)
    major, minor = state.river_version()
    old = state._HEAD.pack(b"VD1", major, minor - 1, zlib.crc32(stored[state._HEAD.size :]))
    with pytest.raises(UnreadableState, match=rf"from River {major}\.{minor - 1}"):
        step(old + stored[state._HEAD.size :], LEVELS)
    with pytest.raises(UnreadableState, match="is that of adwin with"):
        step(stored, LEVELS, "page_hinkley")
    with pytest.raises(UnreadableState, match="is that of adwin with"):
        step(stored, LEVELS, "adwin", {"delta": 0.5})


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_state_whose_parts_do_not_fit_is_refused(detector):
    stored = state.unpack(step(None, stream_for(detector)[:400], detector)[0])
    body = state.pack(stored)[state._HEAD.size :]
    for broken in (b"", body[:10], body[:-1], body + b"x", state._SIZES.pack(3, 0, 0, 0) + b"[1]"):
        with pytest.raises(UnreadableState, match="cannot be read"):
            step(sealed(broken), np.empty(0), detector)
    words = json.dumps([detector, check_settings(detector)]).encode()
    short = state._SIZES.pack(len(words), 2, 0, 0) + words + bytes(16)
    with pytest.raises(UnreadableState, match="cut short"):
        step(sealed(short), np.empty(0), detector)
    empty = state._SIZES.pack(len(words), 6, 0, 0) + words + bytes(48)
    with pytest.raises(UnreadableState, match="the state is none of"):
        step(sealed(empty), np.empty(0), detector)


def test_the_past_parts_where_one_shift_is_likeliest():
    past = Past().extend(np.r_[np.full(1_000, 5.0), np.full(40, 4.0)])
    assert (past.count, past.tail.size) == (1_040 - TAIL, TAIL)
    assert past.part(0) == past.part(-1) == (40, 5.0, 4.0)
    assert Past().extend(np.array([3.0])).part(0) == (1, 3.0, 3.0)
