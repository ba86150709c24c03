"""Keys: made once, kept as a hash, and good for what they name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from monitor import access
from monitor.access import SCOPES, Keys, Principal
from monitor.cli import admin
from monitor.cli.root import vigil
from monitor.database import open_database, reading
from monitor.errors import Forbidden, NotFound, Unauthenticated
from monitor.log.tables import keys as table
from monitor.log.tables import metadata
from monitor.times import to_micros

NOW = datetime(2026, 7, 1, tzinfo=UTC)


class Clock:
    at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> Iterator[Keys]:
    engine = open_database(f"sqlite:///{tmp_path / 'log.db'}", durable=True)
    metadata.create_all(engine)
    yield Keys(engine, clock)
    engine.dispose()


def test_a_key_is_verified_and_its_secret_is_nowhere_kept(keys: Keys) -> None:
    token = keys.create("ana", "person", frozenset({"read", "ingest"}), frozenset({"m"}))
    assert keys.verify(token) == Principal("ana", "person", frozenset({"read", "ingest"}), frozenset({"m"}))
    word, prefix, secret = token.split("_", 2)
    assert (word, len(prefix)) == ("vgl", 8)
    assert len(secret) >= 43, "256 bits"
    with reading(keys.engine) as db:
        row = db.execute(select(table)).mappings().one()
    assert secret not in str(dict(row))
    assert "hash" not in keys.list()[0]


def test_no_two_keys_are_alike(keys: Keys) -> None:
    made = {keys.create("x", "machine", frozenset({"read"})) for _ in range(20)}
    assert len({t.split("_")[1] for t in made}) == len(made) == 20


def test_expiry_revocation_and_an_unknown_prefix_sound_the_same(keys: Keys, clock: Clock) -> None:
    expiring = keys.create("x", "machine", frozenset({"read"}), expires_at=to_micros(NOW + timedelta(seconds=1)))
    revoked = keys.create("x", "machine", frozenset({"read"}))
    keys.revoke(revoked.split("_")[1])
    assert keys.verify(expiring).owner == "x"
    clock.at = NOW + timedelta(seconds=1)
    said = set()
    for token in (expiring, revoked, "vgl_00000000_x", "", "vgl", "vgl__", revoked.upper()):
        with pytest.raises(Unauthenticated) as refused:
            keys.verify(token)
        said.add(str(refused.value))
    assert len(said) == 1


def test_last_use_is_written_at_most_once_a_minute(keys: Keys, clock: Clock) -> None:
    token = keys.create("x", "machine", frozenset({"read"}))

    def used() -> object:
        return keys.list()[0]["last_used_at"]

    assert used() is None
    keys.verify(token)
    first = used()
    clock.at = NOW + timedelta(seconds=59)
    keys.verify(token)
    assert used() == first == NOW.isoformat()
    clock.at = NOW + timedelta(seconds=61)
    keys.verify(token)
    assert used() == clock.at.isoformat()


def test_what_cannot_be_made_or_revoked(keys: Keys) -> None:
    with pytest.raises(ValueError, match="raed: no such scope; the scopes are ingest, read"):
        keys.create("x", "machine", frozenset({"raed"}))
    with pytest.raises(NotFound, match="prefix 'zz'"):
        keys.revoke("zz")
    assert keys.list() == []


def who(*scopes: str, models: frozenset[str] | None = None) -> Principal:
    return Principal("x", "machine", frozenset(scopes), models)


def test_a_scope_implies_no_other_but_admin_all_save_sensitive() -> None:
    for held in SCOPES:
        allowed = {held} | (set(SCOPES) - {"sensitive"} if held == "admin" else set())
        for asked in SCOPES:
            if asked in allowed:
                who(held).require(asked)
            else:
                with pytest.raises(Forbidden, match=asked):
                    who(held).require(asked)


def test_models_limit_whatever_the_scope() -> None:
    limited = who("admin", models=frozenset({"a"}))
    limited.require("read", "a")
    limited.require("read")
    with pytest.raises(Forbidden, match="'b'"):
        limited.require("read", "b")
    with pytest.raises(Forbidden):
        who("read", models=frozenset()).require("read", "a")


def test_a_machine_is_no_person() -> None:
    with pytest.raises(Forbidden, match="machine"):
        who("admin").require_person()
    Principal("ana", "person", frozenset(), None).require_person()


def test_a_key_verified_a_moment_ago_is_known_until_it_may_have_changed(
    keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [50.0]
    monkeypatch.setattr(access.time, "monotonic", lambda: at[0])
    token = keys.create("x", "machine", frozenset({"read"}), expires_at=to_micros(NOW + timedelta(hours=1)))
    assert keys.recent(token) is None, "it was never verified"
    found = keys.verify(token)
    assert keys.recent(token) == found
    at[0] += 1.1
    assert keys.recent(token) is None, "the first to come then is to verify it"
    assert keys.recent(token) == found, "and does so for the others"
    at[0] += 5
    assert keys.recent(token) is None
    assert keys.recent(token) is None, "after so long nobody is let in before it is verified"
    keys.verify(token)
    clock.at = NOW + timedelta(hours=1)
    assert keys.recent(token) is None, "it has expired"
    clock.at = NOW
    keys.verify(token)
    keys.revoke(token.split("_")[1])
    assert keys.recent(token) is None, "revoked here, at once"
    with pytest.raises(Unauthenticated):
        keys.verify(token)
    assert keys.recent(token) is None


def test_a_key_that_another_process_revoked_is_taken_nowhere_once_the_command_is_done(
    keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service asks as the API does: of what it knows first, then of the database."""
    at, waited = [100.0], list[float]()
    monkeypatch.setattr(access.time, "monotonic", lambda: at[0])
    monkeypatch.setattr(admin.time, "sleep", waited.append)
    monkeypatch.setattr(admin, "open_keys", lambda _settings: Keys(keys.engine, clock))
    for asked_every in (0.1, 0.7, 1.9):
        token = keys.create("x", "machine", frozenset({"read"}))
        keys.verify(token)
        prefix, began = token.split("_")[1], at[0]
        said = CliRunner().invoke(vigil, ["keys", "revoke", prefix], prog_name="vigil")
        assert said.exit_code == 0, said.output
        while at[0] < began + waited[-1]:
            at[0] += asked_every
            if keys.recent(token) is None:
                with pytest.raises(Unauthenticated):
                    keys.verify(token)
        assert keys.recent(token) is None
