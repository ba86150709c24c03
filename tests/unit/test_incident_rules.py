"""N of M disjoint windows open an incident, K clean ones resolve it, and nothing else does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.rules import Outcome, Rule, RuleState, advance, released, started_at
from incidents.verdict import VerdictKind

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BREACH, OK, INCONCLUSIVE, UNKNOWN = VerdictKind.BREACH, VerdictKind.OK, VerdictKind.INCONCLUSIVE, VerdictKind.UNKNOWN
WORDS = {"b": BREACH, "o": OK, "i": INCONCLUSIVE, "u": UNKNOWN}
VERDICTS = st.sampled_from(list(VerdictKind))


def day(number: int) -> tuple[datetime, datetime]:
    start = START + timedelta(days=number)
    return start, start + timedelta(days=1)


def run(rule: Rule, word: str, state: RuleState | None = None, first: int = 0) -> tuple[RuleState, list[str]]:
    """Judge one day after the other by the letters of ``word``."""
    state, outcomes = state or RuleState(), []
    for i, letter in enumerate(word):
        state, outcome = advance(rule, state, day(first + i), WORDS[letter])
        outcomes.append(outcome.value)
    return state, outcomes


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("bb", "none open"),
        ("bob", "none none open"),
        ("boob", "none none none none"),
        ("bbb", "none open continue"),
        ("bbob", "none open recover relapse"),
        ("bboo", "none open recover resolve"),
        ("bbobo", "none open recover relapse recover"),
        ("bbobob", "none open recover relapse recover relapse"),
        ("bboob", "none open recover resolve none"),
        ("bboobb", "none open recover resolve none open"),
    ],
)
def test_two_of_three_open_and_two_clean_resolve(word: str, expected: str) -> None:
    assert run(Rule(), word)[1] == expected.split()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("bib", "none none open"),  # it takes a place as any window does
        ("biib", "none none none none"),
        ("iiii", "none none none none"),
        ("bbii", "none open none none"),  # and never counts as clean
        ("bboio", "none open recover none resolve"),  # nor does it begin the count again
        ("bboiiiio", "none open recover none none none none resolve"),
    ],
)
def test_inconclusive_neither_opens_nor_counts_as_clean_nor_breaks_a_run(word: str, expected: str) -> None:
    assert run(Rule(), word)[1] == expected.split()


@pytest.mark.parametrize(
    ("word", "expected"),
    [("buub", "none none none open"), ("uuu", "none none none"), ("bbuuu", "none open none none none")],
)
def test_unknown_neither_opens_nor_resolves_nor_takes_a_place(word: str, expected: str) -> None:
    assert run(Rule(), word)[1] == expected.split()


def test_one_clean_window_is_enough_where_the_rule_says_so() -> None:
    assert run(Rule(open_after=(1, 1), resolve_after=1), "bobo")[1] == ["open", "resolve", "open", "resolve"]


def test_windows_that_overlap_are_one_piece_of_evidence() -> None:
    rule, state = Rule(open_after=(2, 3)), RuleState()
    outcomes = []
    for hour in range(26):  # a day's window that slides by an hour
        state, outcome = advance(rule, state, (START + hour * HOUR, START + hour * HOUR + timedelta(days=1)), BREACH)
        outcomes.append(outcome)
    assert outcomes[:24] == [Outcome.NONE] * 24
    assert outcomes[24:] == [Outcome.OPEN, Outcome.CONTINUE]
    assert len(state.recent) <= 3 * 24 + 1


def test_sliding_windows_are_pruned_to_those_that_may_still_count() -> None:
    rule, state = Rule(), RuleState()
    for hour in range(400):
        window = START + hour * HOUR, START + hour * HOUR + timedelta(days=1)
        state, _ = advance(rule, state, window, BREACH if hour % 7 else OK)
    assert len(state.recent) <= 3 * 24 + 1


def test_a_window_judged_twice_counts_once() -> None:
    rule = Rule()
    state, _ = run(rule, "b")
    again, outcome = advance(rule, state, day(0), BREACH)
    assert (again, outcome) == (state, Outcome.NONE)
    assert run(rule, "b", again, first=1)[1] == ["open"]


def test_a_breach_said_again_while_open_may_bring_evidence_but_counts_nothing() -> None:
    state, _ = run(Rule(), "bb")
    assert advance(Rule(), state, day(1), BREACH) == (state, Outcome.CONTINUE)


def test_an_amended_window_replaces_its_verdict() -> None:
    rule = Rule()
    withdrawn, _ = advance(rule, run(rule, "b")[0], day(0), OK)
    assert run(rule, "b", withdrawn, first=1)[1] == ["none"]
    state, _ = run(rule, "bo")
    assert advance(rule, state, day(1), BREACH)[1] is Outcome.OPEN
    state, _ = run(rule, "bbo")
    assert advance(rule, state, day(2), BREACH)[1] is Outcome.RELAPSE


def test_a_late_window_takes_its_place_in_order_of_time() -> None:
    rule = Rule()
    state, _ = advance(rule, RuleState(), day(3), BREACH)
    state, outcome = advance(rule, state, day(1), BREACH)
    assert outcome is Outcome.OPEN
    assert started_at(rule, state) == day(1)[1]
    assert run(rule, "o", state, first=2)[1] == ["none"]  # clean, but before the latest breach


def test_a_late_breach_behind_a_clean_window_is_no_relapse() -> None:
    rule = Rule(resolve_after=3)
    state, _ = run(rule, "bb")
    state, outcome = advance(rule, state, day(4), OK)
    assert outcome is Outcome.RECOVER
    state, outcome = advance(rule, state, day(3), BREACH)
    assert (outcome, state.recovered) == (Outcome.CONTINUE, True)


def test_a_window_older_than_all_that_count_changes_nothing() -> None:
    rule = Rule()
    state, _ = run(rule, "ooo", first=10)
    assert advance(rule, state, day(0), BREACH) == (state, Outcome.NONE)
    still_open, _ = run(rule, "bbb", first=10)
    for state in (still_open, released(still_open)):
        assert advance(rule, state, day(0), BREACH) == (state, Outcome.NONE)


def test_an_amendment_behind_enough_clean_windows_does_not_open() -> None:
    rule = Rule(open_after=(2, 5), resolve_after=2)
    state, outcomes = run(rule, "bioo")
    assert "open" not in outcomes
    assert advance(rule, state, day(1), BREACH)[1] is Outcome.NONE


def test_after_a_release_the_next_breach_opens_again_and_a_clean_run_does_nothing() -> None:
    state = released(run(Rule(), "bbb")[0])
    assert run(Rule(), "b", state, first=3)[1] == ["open"]
    assert run(Rule(), "oo", state, first=3)[1] == ["none", "none"]


@pytest.mark.parametrize(("n_of_m", "k"), [((0, 3), 1), ((4, 3), 1), ((2, 3), 0)])
def test_a_rule_that_cannot_be_met_is_refused(n_of_m: tuple[int, int], k: int) -> None:
    with pytest.raises(ValueError, match="cannot be met"):
        Rule(n_of_m, k)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match="end after it starts"):
        advance(Rule(), RuleState(), (START, START), OK)


RULES = st.builds(
    lambda n, more, k: Rule((n, n + more), k), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3)
)
# Starts and lengths in hours: windows that tumble, overlap, contain one another, come late and come twice.
WINDOWS = st.tuples(st.integers(0, 12), st.integers(1, 4))


@given(RULES, st.lists(st.tuples(WINDOWS, VERDICTS), max_size=25))
def test_never_opens_with_fewer_than_n_breaches_in_disjoint_windows(
    rule: Rule, judged: list[tuple[tuple[int, int], VerdictKind]]
) -> None:
    state, latest = RuleState(), {}
    for (start, length), verdict in judged:
        if verdict is not UNKNOWN:
            latest[(start, start + length)] = verdict
        window = START + start * HOUR, START + (start + length) * HOUR
        before, (state, outcome) = state, advance(rule, state, window, verdict)
        if outcome is Outcome.OPEN:
            assert verdict is BREACH
            assert not before.open
            n = rule.open_after[0]
            breached = sorted(w for w, v in latest.items() if v is BREACH)
            assert any(all(a[1] <= b[0] for a, b in pairwise(some)) for some in combinations(breached, n))
        if outcome in (Outcome.CONTINUE, Outcome.RELAPSE):
            assert verdict is BREACH
            assert before.open
        if outcome in (Outcome.RECOVER, Outcome.RESOLVE):
            assert verdict is OK
            assert before.open


@given(RULES, st.lists(st.tuples(WINDOWS, VERDICTS), max_size=15), WINDOWS)
def test_unknown_changes_nothing(
    rule: Rule, judged: list[tuple[tuple[int, int], VerdictKind]], at: tuple[int, int]
) -> None:
    state = RuleState()
    for (start, length), verdict in judged:
        state, _ = advance(rule, state, (START + start * HOUR, START + (start + length) * HOUR), verdict)
    window = START + at[0] * HOUR, START + (at[0] + at[1]) * HOUR
    assert advance(rule, state, window, UNKNOWN) == (state, Outcome.NONE)


@given(RULES, st.lists(VERDICTS, max_size=30))
def test_tumbling_windows_agree_with_a_recount_of_the_whole_history(rule: Rule, verdicts: list[VerdictKind]) -> None:
    (n, m), k = rule.open_after, rule.resolve_after
    state, history, is_open = RuleState(), [], False
    for i, verdict in enumerate(verdicts):
        state, outcome = advance(rule, state, day(i), verdict)
        if verdict is UNKNOWN:
            assert outcome is Outcome.NONE
            continue
        history.append(verdict)
        said = [v for v in history if v is not INCONCLUSIVE]
        clean = next((j for j, v in enumerate(reversed(said)) if v is BREACH), len(said))
        if not is_open:
            is_open = verdict is BREACH and history[-m:].count(BREACH) >= n
            assert (outcome is Outcome.OPEN) == is_open
        elif verdict is OK and clean >= k:
            assert outcome is Outcome.RESOLVE
            is_open = False
        else:
            assert outcome not in (Outcome.OPEN, Outcome.RESOLVE)
        assert state.open == is_open


@given(RULES, st.lists(VERDICTS, max_size=20), st.integers(0, 20))
def test_counters_survive_a_restart_at_any_instant(rule: Rule, verdicts: list[VerdictKind], restart: int) -> None:
    straight, restarted = RuleState(), RuleState()
    for i, verdict in enumerate(verdicts):
        if i == restart:
            restarted = RuleState.from_json(json.loads(json.dumps(restarted.to_json())))
        straight, expected = advance(rule, straight, day(i), verdict)
        restarted, outcome = advance(rule, restarted, day(i), verdict)
        assert (restarted, outcome) == (straight, expected)
