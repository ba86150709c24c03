"""Passwords, how often one may try, and tokens that nobody else can make."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import folk
import pytest
from folk import BY, WORDS, Clock, add
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from monitor.database import reading
from monitor.errors import InvalidInput, Overloaded, Unauthenticated
from monitor.log.people import accounts
from monitor.people import People
from monitor.people.accounts import New
from monitor.people.attempts import Attempts
from monitor.people.links import opened, signed
from monitor.people.passwords import Passwords


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[People]:
    with folk.opened(tmp_path, clock) as found:
        yield found


def test_passwords_are_argon2id_with_the_parameters_of_rfc_9106_and_another_is_none(people: People) -> None:
    real = Passwords()
    hashed = real.hash(WORDS)
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert hashed != real.hash(WORDS), "each has a salt of its own"
    pairs = ((hashed, WORDS), (hashed, f"{WORDS}."), (None, WORDS))
    assert [real.verify(*pair) for pair in pairs] == [True, False, False]
    assert real.verify("no hash", WORDS) is False
    add(people)
    with reading(people.engine) as db:
        row = db.execute(select(accounts)).mappings().one()
    assert WORDS not in str(dict(row))


def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_sign_in(people: People) -> None:
    add(people)
    people._passwords = Passwords()
    people.sign_in("ana", WORDS, "x")
    with reading(people.engine) as db:
        assert "m=65536" in db.execute(select(accounts.c.password_hash)).scalar_one()
    assert people.sign_in("ana", WORDS, "x")


def test_an_unknown_name_costs_a_hash_too(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    add(people)
    costs = list[str]()
    monkeypatch.setattr(people._passwords, "_hasher", Counting(costs))
    for name in ("ana", "nobody"):
        costs.clear()
        with pytest.raises(Unauthenticated, match="name or the password is not right"):
            people.sign_in(name, "wrong wrong wrong", "x")
        assert costs[-1] == "verify", name


class Counting:
    def __init__(self, costs: list[str]) -> None:
        from argon2 import PasswordHasher

        self.costs, self.inner = costs, PasswordHasher(1, 8, 1)

    def __getattr__(self, name: str) -> Any:
        self.costs.append(name)
        return getattr(self.inner, name)


def test_failures_take_longer_each_time_by_name_and_by_address(people: People, clock: Clock) -> None:
    add(people)
    waits = []
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            people.sign_in("ana", "wrong wrong", "10.0.0.1")
        with pytest.raises(Overloaded) as refused:
            people.sign_in("ana", WORDS, "10.0.0.2")
        waits.append(refused.value.retry_after)
        clock.move(seconds=refused.value.retry_after)
    assert waits == [2, 4, 8, 16, 32]
    assert people.sign_in("ana", WORDS, "10.0.0.2"), "the right one at last"
    assert people.sign_in("ana", WORDS, "10.0.0.2"), "and all is forgiven"
    for number in range(20):
        try:
            people.sign_in(f"guess{number}", WORDS, "10.9.9.9")
        except Unauthenticated:
            continue
        except Overloaded:
            break
    assert number == 11, "many names from one address cost it, not those names"
    assert people.sign_in("ana", WORDS, "10.0.0.2")
    with pytest.raises(Overloaded):
        people.sign_in("ana", WORDS, "10.9.9.9")


def test_of_many_tries_at_once_one_is_made(clock: Clock) -> None:
    attempts, made = Attempts(clock), list[int]()

    def one() -> None:
        try:
            attempts.begin("ana")
            made.append(1)
        except Overloaded:
            pass

    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(made) == 1


def test_what_is_known_of_failures_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.people.attempts._MOST_KNOWN", 10)
    attempts = Attempts(clock)
    for number in range(100):
        attempts.begin(f"n{number}")
    assert list(attempts._known) == [f"n{n}" for n in range(90, 100)]


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 257, "my name is Ana ok"])
def test_a_password_that_is_no_good_is_refused_and_not_repeated(people: People, password: str) -> None:
    with pytest.raises(InvalidInput) as error:
        people.create(New("ana", "viewer"), BY, password)
    assert not password or password not in str(error.value)
    assert people.is_empty()


@given(st.binary(min_size=1, max_size=32), st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=20)),
       st.integers(0, 500), st.characters())  # fmt: skip
def test_no_token_that_was_changed_opens(secret: bytes, fields: dict[str, Any], at: int, to: str) -> None:
    token = signed(secret, "link", fields)
    assert opened(secret, "link", token) == fields
    at %= len(token)
    other = token[:at] + to + token[at + 1 :]
    assert (opened(secret, "link", other) is None) == (other != token)
