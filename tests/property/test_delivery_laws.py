"""Laws of routing, delivery and silences, over whatever incidents, silences and instants there may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidents.commands import Acknowledge, Open, Reopen, Resolve
from incidents.delivery import LONGEST, LONGEST_ASKED, Drop, Hold, Send, Told, decide_delivery, wait
from incidents.events import Actor, ActorKind
from incidents.incident import Incident, apply
from incidents.machine import decide
from incidents.notices import CALLING, Notice, NoticeKind, Origin, notices
from incidents.routing import ChannelKind, Route, plan
from incidents.silences import Silence, matches, shortened
from incidents.verdict import Fingerprint, Kind, Severity

T0 = datetime(2026, 7, 1, tzinfo=UTC)
ANA = Actor("ana", ActorKind.PERSON)
INSTANTS = st.integers(0, 10_000).map(lambda minutes: T0 + timedelta(minutes=minutes))
KINDS = st.sampled_from(list(Kind))
ROUTES = st.lists(
    st.builds(
        Route,
        name=st.text("abc", min_size=1, max_size=3),
        kind=st.sampled_from(list(ChannelKind)),
        min_severity=st.sampled_from(list(Severity)),
        kinds=st.none() | st.frozensets(KINDS, min_size=1),
        after=st.sampled_from([timedelta(), timedelta(minutes=5), timedelta(hours=1)]),
        theirs=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda route: route.name,
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Incident, list[Notice]]:
    """An incident after some commands, and all that was worth telling of it."""
    at, kind = T0, draw(KINDS)
    opening = Open(Fingerprint("churn", kind), draw(st.sampled_from(list(Severity))), "x", T0)
    incident: Incident | None = None
    told: list[Notice] = []
    for seq, command in enumerate([opening, *draw(st.lists(st.sampled_from(_COMMANDS), max_size=8))], 1):
        at += timedelta(minutes=draw(st.integers(0, 600)))
        decision = decide(incident, command, ANA, at)
        told += notices(incident, decision.events, Origin("command", seq), 0)
        for event in decision.events:
            incident = apply(incident, event)
    assert incident is not None
    return incident, told


_COMMANDS = (Acknowledge(), Resolve(), Reopen())


def silences_of(model: str = "churn") -> st.SearchStrategy[Silence]:
    times = st.tuples(INSTANTS, INSTANTS).map(sorted)
    return times.map(lambda t: Silence("s", "silence", {"model": model}, t[0], t[1], "ana", "x"))


@given(stories(), ROUTES, INSTANTS)
def test_what_is_planned_has_ids_of_its_own_that_planning_again_repeats(
    story: tuple[Incident, list[Notice]], routes: list[Route], now: datetime
) -> None:
    ids = [p.id for notice in story[1] for p in plan(notice, routes, now)]
    assert len(set(ids)) == len(ids)
    assert ids == [p.id for notice in story[1] for p in plan(notice, routes, now + timedelta(days=1))]


@given(stories(), ROUTES, INSTANTS)
def test_a_step_is_never_due_with_the_first_call(
    story: tuple[Incident, list[Notice]], routes: list[Route], now: datetime
) -> None:
    after = {route.name: route.after for route in routes}
    for notice in story[1]:
        for planned in plan(notice, routes, now):
            if planned.step:
                assert planned.due_at == max(now, notice.at) + after[planned.channel] > now


@given(stories(), st.lists(silences_of(), max_size=3), INSTANTS, st.booleans(), st.integers(0, 2), st.integers(0, 2))
def test_a_delivery_is_always_decided(
    story: tuple[Incident, list[Notice]],
    silences: list[Silence],
    now: datetime,
    rebuilding: bool,
    attempts: int,
    step: int,
) -> None:
    incident, told = story
    route = Route("hook", ChannelKind.WEBHOOK, after=timedelta(minutes=step))
    for notice in told:
        for planned in plan(notice, [route], now):
            own = [Told(n.episode, n.kind, attempts, False) for n in told]
            found = decide_delivery(planned, incident, own, silences, now, rebuilding)
            on = any(s.is_on(now) for s in silences)
            if isinstance(found, Hold):
                assert on
                assert notice.kind in CALLING
                assert now < found.until <= now + timedelta(minutes=1)
            if not attempts and notice.kind not in CALLING and not rebuilding:
                assert isinstance(found, Drop)      # it answers what was never heard
            if not silences and notice.kind in CALLING and planned.step == 0:
                assert found == Send()      # each call is told
            none = decide_delivery(planned, None, own, silences, now, rebuilding=False)
            assert isinstance(none, Drop)
            assert not isinstance(decide_delivery(planned, None, own, silences, now, rebuilding=True), Drop)


@given(stories(), INSTANTS)
def test_a_step_calls_only_while_nobody_has_it(story: tuple[Incident, list[Notice]], now: datetime) -> None:
    incident, told = story
    route = Route("hook", ChannelKind.WEBHOOK, after=timedelta(minutes=5))
    for notice in told:
        for planned in plan(notice, [route], now):
            if planned.step:
                found = decide_delivery(planned, incident, [], [], now, False)
                waits = incident.state == "open" and incident.reopenings == notice.episode
                assert isinstance(found, Send) == waits


@given(st.integers(1, 1_000), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_bounded_and_never_shorter_than_asked(attempt: int, asked: float | None, chance: float) -> None:
    found = wait(attempt, asked, chance)
    assert timedelta(seconds=1) <= found <= max(LONGEST, LONGEST_ASKED)
    if asked is not None:
        assert found >= min(timedelta(seconds=min(asked, 1e6)), LONGEST_ASKED)
    else:
        assert found <= LONGEST


@given(silences_of(), INSTANTS, INSTANTS)
def test_a_silence_only_ever_becomes_shorter(silence: Silence, at: datetime, now: datetime) -> None:
    after = shortened(silence, at)
    assert after.starts_at <= after.ends_at <= silence.ends_at
    assert silence.is_on(now) or not after.is_on(now)


@given(stories())
def test_a_notice_is_read_as_it_was_written_and_matches_what_it_says(story: tuple[Incident, list[Notice]]) -> None:
    for notice in story[1]:
        assert Notice.from_json(notice.to_json()) == notice
        said = {"model": notice.model, "kind": notice.fingerprint.kind.value, "incident": notice.incident}
        silence = Silence("s", "silence", said, T0, T0, "ana", "x")
        assert matches(silence, notice)
        assert not matches(Silence("s", "silence", said | {"model": "other"}, T0, T0, "a", "x"), notice)


def test_the_kinds_of_notices_are_kinds_of_events() -> None:
    from incidents.events import EventKind

    assert {k.value for k in NoticeKind} - {"test"} <= {k.value for k in EventKind}
