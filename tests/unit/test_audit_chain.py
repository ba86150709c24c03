"""The chain of the audit trail: what was changed, taken out or cut off is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import folk
import pytest
from folk import Clock
from sqlalchemy import delete, update

from monitor.database import reading, writing
from monitor.log.audit import audit, note, verify
from monitor.people import People


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[People]:
    with folk.opened(tmp_path, clock) as found:
        yield found


@pytest.mark.parametrize("field", ["at", "who", "what", "subject", "before", "after", "source", "prev_hash", "hash"])
def test_an_entry_that_was_changed_is_found(people: People, field: str) -> None:
    trail(people)
    changed = {"at": 7, "who": {"id": "eve"}, "before": None, "after": {"n": 99}}.get(field, "x")
    with writing(people.engine) as db:
        db.execute(update(audit).where(audit.c.seq == 3).values({field: changed}))
        found = verify(db)
    assert (found.broken, found.entries) == (3, 2)


def test_an_entry_that_was_taken_out_is_found_and_a_cut_at_the_end_by_the_hash_that_was_seen(people: People) -> None:
    trail(people)
    with reading(people.engine) as db:
        head = verify(db).head
        assert verify(db, head).why == ""
    trail(people)
    with writing(people.engine) as db:
        assert (verify(db, head).why, verify(db).entries) == ("", 10)
        db.execute(delete(audit).where(audit.c.seq >= 5))
        assert (verify(db).why, verify(db).entries) == ("", 4), "it cannot be seen without that hash"
        assert "cut off" in verify(db, head).why
        db.execute(delete(audit).where(audit.c.seq == 2))
        assert verify(db).broken == 3


def trail(people: People) -> None:
    with writing(people.engine) as db:
        for n in range(5):
            note(db, n, {"id": "ana", "kind": "person"}, "x.do", f"s{n}", {"n": n}, {"n": n + 1}, "console")
