"""People: accounts, sessions, keys and links, against a log of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import folk
import pytest
from folk import BY, NOW, WORDS, Clock, add
from sqlalchemy import select

from monitor.access import Principal
from monitor.database import reading
from monitor.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from monitor.log.audit import Author, at_the_machine, audit, verify
from monitor.log.people import sessions
from monitor.people import People
from monitor.people import sessions as sessions_of
from monitor.people.people import Vouched
from monitor.times import to_micros


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[People]:
    with folk.opened(tmp_path, clock) as found:
        yield found


def test_whoever_signs_in_is_a_person_with_the_scopes_of_the_role(people: People) -> None:
    id = add(people, "Ana", "responder", models=frozenset({"m"}), sensitive=True)
    token = people.sign_in(" ANA ", WORDS, "x")
    scopes = frozenset({"read", "operate", "sensitive"})
    assert people.verify(token) == Principal("ana", "person", scopes, frozenset({"m"}), id, "responder")
    with reading(people.engine) as db:
        assert token not in str([dict(r) for r in db.execute(select(sessions)).mappings()]), "only its hash is kept"


def test_a_session_ends_in_time_at_sign_out_and_with_the_account(people: People, clock: Clock) -> None:
    id = add(people)
    add(people, "ben")
    first, second = people.sign_in("ana", WORDS, "x"), people.sign_in("ana", WORDS, "x")
    people.sign_out(first)
    ended(people, first)
    assert people.verify(second).owner == "ana"
    clock.move(hours=12)
    ended(people, second)
    third = people.sign_in("ana", WORDS, "x")
    for changes in ({"role": "viewer"}, {"models": ["m"]}, {"disabled": True}):
        third = people.sign_in("ana", WORDS, "x")
        people.change(id, changes, BY)
        ended(people, third)
    with pytest.raises(Unauthenticated):
        people.sign_in("ana", WORDS, "x")
    people.change(id, {"disabled": False}, BY)
    ended(people, third)
    clock.move(seconds=2)
    assert people.sign_in("ana", WORDS, "x")


def ended(people: People, token: str) -> None:
    with pytest.raises(Unauthenticated):
        people.verify(token)


def test_a_session_of_a_key_ends_with_the_key(people: People, clock: Clock) -> None:
    until = to_micros(NOW + timedelta(hours=1))
    key = people.keys.create("job", "machine", frozenset({"read"}), frozenset({"m"}), until)
    token = people.sign_in_by_key(key)
    assert people.verify(token) == people.keys.verify(key)
    clock.move(hours=1)
    ended(people, token)
    key = people.keys.create("job", "machine", frozenset({"read"}))
    token = people.sign_in_by_key(key)
    people.keys.revoke(key.split("_")[1])
    ended(people, token)
    with pytest.raises(Forbidden, match="'read'"):
        people.sign_in_by_key(people.keys.create("job", "machine", frozenset({"ingest"})))


def test_one_person_with_two_keys_and_an_account_is_one(people: People) -> None:
    id = add(people, "ana", "manager")
    add(people, "boss")
    keys = [people.keys.create(owner, "person", frozenset({"read"})) for owner in ("ana", "Ana")]
    found = [people.keys.verify(key) for key in keys]
    assert {(p.owner, p.id) for p in found} == {("ana", id)}
    machine = people.keys.create("ana", "machine", frozenset({"read"}))
    assert people.keys.verify(machine).id == "", "a machine that is called so is nobody"
    people.change(id, {"disabled": True}, BY)
    for key in keys:
        with pytest.raises(Unauthenticated):
            people.keys.verify(key)
    assert people.keys.verify(machine).owner == "ana"


@pytest.mark.parametrize("name", ["", " ", "-x", "a\nb", "<b>", "x" * 129, "a/b"])
def test_names_that_could_be_taken_for_something_else_are_refused(people: People, name: str) -> None:
    with pytest.raises(InvalidInput, match="a person's name"):
        add(people, name)


def test_names_and_addresses_are_one_persons(people: People) -> None:
    add(people, "ana", email="Ana@Example.org")
    with pytest.raises(Conflict, match="name already: 'ana'"):
        add(people, "ANA")
    with pytest.raises(Conflict, match="email already: 'ana'"):
        add(people, "ben", email="ana@example.org")
    found = people.by_email("ANA@example.org")
    assert found is not None
    assert found.name == "ana"
    id = add(people, "ben")
    people.change(id, {"pagerduty_id": "PX1"}, BY)
    assert people.by_pagerduty("PX1") == people.by_name("Ben")
    people.change(id, {"disabled": True}, BY)
    assert people.by_pagerduty("PX1") is None, "who has gone is told nothing and acts no more"


def test_the_last_administrator_stays_one(people: People) -> None:
    id = add(people)
    for changes in ({"role": "manager"}, {"disabled": True}):
        with pytest.raises(Conflict, match="last administrator"):
            people.change(id, changes, BY)
    add(people, "ben")
    assert people.change(id, {"role": "manager"}, BY).role == "manager"


def test_sessions_of_one_account_are_bounded_and_old_ones_go(people: People, clock: Clock) -> None:
    add(people)
    tokens = []
    for _ in range(sessions_of.MOST + 5):
        clock.move(seconds=1)
        tokens.append(people.sign_in("ana", WORDS, "x"))
    for token in tokens[:5]:
        ended(people, token)
    assert people.verify(tokens[5]).owner == "ana"
    clock.move(hours=13)
    people.sign_in("ana", WORDS, "x")
    with reading(people.engine) as db:
        assert len(db.execute(select(sessions)).all()) == 1


def test_ones_own_password_is_changed_with_the_old_one_and_every_session_ends(people: People) -> None:
    add(people)
    here, there = people.sign_in("ana", WORDS, "x"), people.sign_in("ana", WORDS, "x")
    who = people.verify(here)
    with pytest.raises(InvalidInput):
        people.change_own_password(who, WORDS, "short", "x")
    assert people.verify(there), "nothing was changed"
    new = people.change_own_password(who, WORDS, "another few good words", "x")
    ended(people, here)
    ended(people, there)
    assert people.verify(new).owner == "ana"
    with pytest.raises(Unauthenticated):
        people.sign_in("ana", WORDS, "x")


def test_a_provider_gives_the_role_and_a_password_is_not_ours_to_give(people: People) -> None:
    people.sign_in_vouched(Vouched("https://id", "s", "ana", "ana@example.org", "manager"))
    account = people.by_name("ana")
    assert account is not None
    assert (account.role, account.issuer) == ("manager", "https://id")
    with pytest.raises(InvalidInput, match="https://id"):
        people.set_password(account.id, BY)
    with pytest.raises(Unauthenticated):
        people.sign_in("ana", WORDS, "x")


def test_a_link_is_its_persons_for_an_hour_and_nobody_can_make_one(people: People, clock: Clock) -> None:
    id = add(people, "ana", "responder")
    add(people, "boss")
    account = people.by_name("ana")
    assert account is not None
    token = people.make_acknowledge_link(account, "inc_1")
    link, who = people.read_acknowledge_link(token)
    assert (link.incident, link.issued, link.expires - link.issued) == ("inc_1", to_micros(NOW), 3600 * 1_000_000)
    assert (who.owner, who.kind, who.id) == ("ana", "person", id)
    for forged in (token[:-1], token[1:], "", ".", "é", token.swapcase(), "x" * 5000):
        with pytest.raises(NotFound):
            people.read_acknowledge_link(forged)
    people.change(id, {"disabled": True}, BY)
    with pytest.raises(Forbidden, match="was ended"):
        people.read_acknowledge_link(token)


def test_each_change_of_a_person_and_key_is_in_the_trail_and_the_chain_holds(people: People) -> None:
    id = add(people, "ana", "admin")
    add(people, "ben")
    people.change(id, {"role": "viewer"}, Author({"id": "ben", "kind": "person"}, "console"))
    people.change(id, {"role": "viewer"}, BY)       # changes nothing, and says nothing
    people.sign_in("ana", WORDS, "x")
    people.set_password(id, BY)
    prefix = people.keys.create("job", "machine", frozenset({"read"})).split("_")[1]
    people.keys.revoke(prefix)
    with reading(people.engine) as db:
        rows = db.execute(select(audit).order_by(audit.c.seq)).mappings().all()
        assert verify(db).why == ""
    assert [r["what"] for r in rows] == ["person.create", "person.create", "person.change", "person.sign_in",
                                        "person.password", "key.create", "key.revoke"]  # fmt: skip
    change = rows[2]
    assert (change["who"]["id"], change["subject"], change["source"]) == ("ben", "ana", "console")
    assert (change["before"]["role"], change["after"]["role"]) == ("admin", "viewer")
    assert "$argon2" not in str([dict(r) for r in rows])
    assert at_the_machine().source == "machine"
