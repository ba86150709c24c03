"""However often the state loses its last commits or is made again, and whenever the relay runs or is killed, each
notice is told once, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from telling import ANA, MODEL, Desk, Teller

from incidents.commands import Acknowledge, Close, Comment, Dispose, Disposition, Reopen, Resolve
from monitor.database import open_database
from monitor.log import claims, notifications, silences  # noqa: F401  their tables belong to the log's
from monitor.log import tables as log_tables
from monitor.store import outbox
from monitor.store import tables as state_tables

STEPS = st.one_of(
    st.sampled_from(["open", "ack", "resolve", "reopen", "comment", "dispose", "close"]),
    st.sampled_from(["relay", "killed between log and state", "deliver", "rebuild"]),
    st.integers(1, 4).map(lambda n: f"lose {n}"),
)
ASKED = {
    "ack": Acknowledge(), "resolve": Resolve("x"), "reopen": Reopen(), "comment": Comment("x"),
    "dispose": Dispose(Disposition.TRUE, "cause"), "close": Close(),
}  # fmt: skip


@contextmanager
def a_desk() -> Iterator[Desk]:
    with TemporaryDirectory() as folder:
        log, state = (open_database(f"sqlite:///{folder}/{n}.db", durable=False) for n in ("log", "state"))
        log_tables.metadata.create_all(log)
        state_tables.metadata.create_all(state)
        yield Desk(log, state)
        log.dispose()
        state.dispose()


class Killed(BaseException):
    pass


def killed(*_: object) -> None:
    raise Killed


def take(desk: Desk, teller: Teller, step: str) -> None:
    desk.clock.move(seconds=1)
    name, _, lost = step.partition(" ")
    match name:
        case "open":
            desk.open()
        case "relay":
            teller.relay.run()
        case "deliver":
            teller.deliver()
        case "killed":
            with patch.object(outbox, "forget", killed), suppress(Killed):
                teller.relay.run()
        case "rebuild":
            desk.lose(len(desk.lanes))
        case "lose":
            desk.lose(min(int(lost), len(desk.lanes)))
        case _:
            desk.ask(ASKED[name], ANA)


@settings(max_examples=30)
@given(st.lists(STEPS, max_size=25))
def test_each_notice_is_told_once_whatever_is_lost(steps: list[str]) -> None:
    with a_desk() as desk:
        teller = Teller(desk)
        for step in steps:
            if step in ("open", *ASKED):
                desk.catch_up()         # a new entry comes behind all that is in the lanes
            take(desk, teller, step)
        desk.catch_up()
        teller.run()
        happened = expected(desk)
        told = [(row.kind, row.notice) for row in desk.queued()]
        assert [kind for kind, _ in told] == happened
        assert len(set(told)) == len(told)
        sent = [id for id, _ in teller.channel().sent]
        assert sorted(sent) == sorted(row.id for row in desk.queued())


def expected(desk: Desk) -> list[str]:
    """What an undisturbed Vigil would have told."""
    with a_desk() as calm:
        teller = Teller(calm)
        calm.lanes = list(desk.lanes)
        calm.clock.at = desk.clock.at
        calm.catch_up()
        teller.relay.run()
        return [row.kind for row in calm.queued() if row.model == MODEL]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_a_fence_never_goes_back(moves: list[tuple[int, int, int]]) -> None:
    fence = notifications.Fence()
    for move in moves:
        after = fence.moved(notifications.Fence(*move))
        assert all(now >= before for before, now in zip(fence, after, strict=True))
        fence = after
