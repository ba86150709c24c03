"""What was told, told once: through kills at each point, lost commits, rebuilds and another version's opinion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from databases import Deployment
from telling import ANA, DRIFT, MODEL, QUALITY, Desk, Teller

from incidents.commands import Acknowledge, Resolve
from monitor.database import open_database, writing
from monitor.log import notifications
from monitor.migrate import migrate
from monitor.store import outbox

pytestmark = pytest.mark.both_databases


@pytest.fixture
def desk(deployment: Deployment) -> Iterator[Desk]:
    settings = deployment.settings()
    migrate(settings)
    log, state = open_database(settings.log_url, durable=True), open_database(settings.state_url, durable=False)
    yield Desk(log, state)
    log.dispose()
    state.dispose()


def test_a_transition_is_told_once_in_order(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    desk.ask(Acknowledge("mine"), ANA)
    teller.run()
    desk.ask(Resolve("fixed"), ANA)
    teller.run()
    assert teller.channel().said == ["opened", "acknowledged mine", "resolved fixed"]
    assert desk.states() == {"hook": ["opened delivered", "acknowledged delivered", "resolved delivered"]}
    with writing(desk.state) as db:
        assert outbox.count(db) == 0


def test_a_kill_before_the_states_commit_leaves_the_entry_to_be_carried_out_again(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    desk.lose(1)
    teller.run()
    assert teller.channel().said == []
    desk.catch_up()
    teller.run()
    assert teller.channel().said == ["opened"]


def test_a_kill_between_the_log_and_the_state_doubles_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    teller = Teller(desk)
    desk.open()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "forget", killed)
        with pytest.raises(KeyboardInterrupt):
            teller.relay.run()
    with writing(desk.state) as db:
        assert outbox.count(db) == 1
    teller.run()
    teller.run()
    assert teller.channel().said == ["opened"]
    with writing(desk.state) as db:
        assert outbox.count(db) == 0


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_power_cut_that_takes_commits_of_the_state_doubles_nothing(desk: Desk, lost: int) -> None:
    teller = Teller(desk)
    desk.open()
    desk.ask(Acknowledge(), ANA)
    desk.open(QUALITY)
    teller.run()
    before = list(teller.channel().said)
    desk.lose(lost)
    teller.run()
    desk.catch_up()
    teller.run()
    assert teller.channel().said == before
    assert sorted(before) == ["acknowledged", "opened", "opened"]


def test_what_was_not_taken_over_when_the_state_was_deleted_is_told_after_the_rebuild(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.run()
    desk.ask(Resolve(), ANA)
    desk.forget()
    desk.catch_up()
    teller.run()
    assert teller.channel().said == ["opened", "resolved"]


def test_what_is_queued_is_sent_while_the_state_is_made_again(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.relay.run()
    desk.forget()
    teller.deliver()
    assert teller.channel().said == ["opened"]


def test_another_version_that_finds_more_in_old_data_tells_nobody_of_it(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.run()
    desk.forget()
    entry = desk.lanes[0]
    desk._carry_out(entry)
    old = type(entry)(entry.lane, entry.seq, entry.at, QUALITY, entry.command.__class__(
        QUALITY, entry.command.severity, "found by a later version", entry.at  # type: ignore[union-attr]
    ), entry.actor)  # fmt: skip
    desk._carry_out(old)
    teller.run()
    assert teller.channel().said == ["opened"]
    assert desk.incident(QUALITY).is_live


def test_lanes_in_which_nothing_was_to_be_told_are_fenced_too(desk: Desk) -> None:
    teller = Teller(desk)
    desk.ask(Resolve(), ANA)      # of nothing
    teller.run()
    with writing(desk.log) as db:
        assert notifications.fences(db)[MODEL] == notifications.Fence(0, 1, 0)


def test_an_incident_that_another_version_does_not_find_is_withdrawn_where_it_was_told(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.run()
    desk.ask(Acknowledge(), ANA)
    teller.relay.run()
    desk.lanes.clear()
    desk.forget()
    with writing(desk.state) as db:
        from monitor.store import models

        model = models.create(db, MODEL, 1)
        model.tick_cursor = model.command_cursor = 9
        models.save(db, model)
    teller.run()
    assert desk.states() == {"hook": ["opened delivered", "acknowledged dropped", "resolved delivered"]}
    assert teller.channel().said[-1].startswith("resolved withdrawn")


def test_switched_off_nothing_is_sent_and_nothing_comes_later(desk: Desk) -> None:
    off = Teller(desk, on=False)
    desk.open()
    off.run()
    Teller(desk).run()
    assert desk.states() == {"hook": ["opened dropped"]}
    assert desk.outcomes() == [("dropped", "notify_off")]


def test_two_relays_at_once_queue_it_once(desk: Desk) -> None:
    one, other = Teller(desk), Teller(desk)
    desk.open()
    found = other.relay._batch(MODEL)       # it has read, and not deleted yet
    one.run()
    with writing(desk.state) as db:
        outbox.forget(db, [waiting.notice.id for waiting in found])
    other.run()
    assert len(desk.queued()) == 1


def test_a_model_that_is_being_restored_tells_once_it_is_there(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open(DRIFT)
    with writing(desk.state) as db:
        from sqlalchemy import delete

        from monitor.store import tables

        db.execute(delete(tables.models))
    teller.run()
    assert teller.channel().said == []
