"""Laws of events: pairing depends neither on the order nor on the cuts, and nothing that is sent stops the fold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import pytest
from events import SOURCES
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, select

from monitor.codecs.segment import to_ipc
from monitor.errors import VigilError
from monitor.events.cloudevents import decode
from monitor.events.pairing import WAIT, Half, Key, pair
from monitor.events.stored import to_rows
from monitor.log.port import Part, Segment
from monitor.model import ModelSpec
from monitor.store.models import ModelState
from monitor.store.tables import halves as halves_table
from monitor.store.tables import metadata, refusals
from monitor.times import span_micros
from monitor.worker.exchanges import take_events

NOW = 1_782_900_000_000_000


# An id, a part of the service, a side, and the minutes that passed since the event before it.
halves = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from(("request", "response")),
              st.sampled_from((0, 0, 1, 9, 10, 11))),
    max_size=25,
)  # fmt: skip
MINUTE = 60 * 10**6


def arriving(sent: list[tuple[str, str, Any, int]]) -> list[Half]:
    at = accumulate(minutes for *_, minutes in sent)
    return [Half(id_, node, side, NOW + t * MINUTE) for (id_, node, side, _), t in zip(sent, at, strict=True)]


def forget(known: dict[Key, Half], now: int) -> int:
    """What the store does with what is old; how many halves of it had waited."""
    old = [key for key, half in known.items() if half.at <= now - span_micros(WAIT)]
    return sum(known.pop(key).side != "both" for key in old)


@given(halves, st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=6))
def test_pairs_and_orphans_are_the_same_however_the_log_is_cut_and_whenever_old_halves_are_forgotten(
    sent: list[tuple[str, str, Any, int]], cuts: list[tuple[int, bool]]
) -> None:
    new = arriving(sent)
    whole = pair(new, {})
    known: dict[Key, Half] = {}
    pairs, duplicates, orphans = [], 0, 0
    ends = {0: False, **{cut: forgets for cut, forgets in sorted(cuts) if cut < len(new)}, len(new): False}
    for start, end in pairwise(sorted(ends)):
        if ends[start]:
            orphans += forget(known, new[start].at)
        found = pair(new[start:end], known)
        known |= found.known
        pairs += found.pairs
        duplicates += found.duplicates.total()
        orphans += found.orphans.total()
    assert pairs == whole.pairs
    assert duplicates == whole.duplicates.total()
    last = NOW + 10**9 * MINUTE
    assert orphans + forget(known, last) == whole.orphans.total() + forget(dict(whole.known), last)
    for one in pairs:
        assert (one.request.side, one.response.side) == ("request", "response")
        assert one.request.key == one.response.key
        assert abs(one.request.at - one.response.at) < span_micros(WAIT)


@given(halves, st.randoms())
def test_halves_that_come_at_once_pair_in_any_order(sent: list[tuple[str, str, Any, int]], random: Any) -> None:
    new = arriving([(*rest, 0) for *rest, _ in sent])  # type: ignore[misc]
    shuffled = list(new)
    random.shuffle(shuffled)
    first, second = pair(new, {}), pair(shuffled, {})
    assert {p.request.key for p in first.pairs} == {p.request.key for p in second.pairs}
    assert len(new) == 2 * len(first.pairs) + first.duplicates.total() + sum(
        h.side != "both" for h in first.known.values()
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
headers = st.lists(
    st.tuples(
        st.sampled_from([b"ce-id", b"ce-type", b"ce-source", b"ce-specversion", b"ce-time", b"ce-datacontentencoding",
                         b"ce-x", b"content-type"]),
        st.binary(max_size=12) | st.sampled_from([b"1.0", b"0.3", b"2026-07-01T12:00:00Z", b"base64",
                                                  b"application/cloudevents+json"]),
    ),
    max_size=8,
)  # fmt: skip


@given(headers, st.binary(max_size=50) | json_values.map(lambda v: json.dumps(v).encode()))
def test_whatever_is_sent_is_an_event_or_refused(given_headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    try:
        events, refused = decode(given_headers, body, 10)
    except VigilError:
        return
    assert len(events) + len(refused) == 1
    for event in events:
        assert event.id
        event.id.encode()


core = st.fixed_dictionaries(
    {"specversion": st.sampled_from(["1.0", "0.3"]), "id": st.text(min_size=1, max_size=5), "type": st.text(max_size=5),
     "source": st.just("/s")},
    optional={"data": json_values, "time": json_values, "data_base64": json_values, "note": json_values},
)  # fmt: skip


@given(st.lists(core | json_values, max_size=5))
def test_every_event_of_a_batch_is_taken_or_refused_and_its_place_told(sent: list[Any]) -> None:
    media = b"application/cloudevents-batch+json"
    events, refused = decode([(b"content-type", media)], json.dumps(sent).encode(), 10)
    assert sorted([e.place for e in events] + [r.row for r in refused]) == list(range(len(sent)))


@pytest.fixture(scope="module")
def state() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


SPEC = ModelSpec.from_dict({
    "model": "churn", "task": "binary_classification", "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1, "protected_attributes": {"sex": {}}, "sources": SOURCES,
})  # fmt: skip
cells = (
    st.floats() | st.integers() | st.text(max_size=3) | st.none() | st.booleans() | st.lists(st.floats(), max_size=2)
)
bodies = st.one_of(
    json_values,
    st.builds(lambda rows: {"instances": rows}, st.lists(st.lists(cells, min_size=3, max_size=3), max_size=3)),
    st.builds(lambda rows: {"predictions": rows}, st.lists(cells | st.lists(cells, max_size=2), max_size=3)),
    st.builds(
        lambda shape, data: {"inputs": [{"name": "age", "shape": shape, "datatype": "FP64", "data": data}]},
        json_values, json_values,
    ),
).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)  # fmt: skip
media_types = st.sampled_from(["", "application/json", "text/csv"])
exchanges = st.lists(st.tuples(bodies, bodies, st.integers(0, 1), media_types), min_size=1, max_size=4)


@settings(max_examples=150)
@given(exchanges)
def test_nothing_that_a_body_holds_stops_the_fold(state: Engine, sent: list[tuple[bytes, bytes, int, str]]) -> None:
    new = []
    for n, (asked, told, source, media) in enumerate(sent):
        for side, data in (("request", asked), ("response", told)):
            new.append(Half(f"r{n}", "", side, NOW, None, "{}", media, data, source, place=len(new)))  # type: ignore[arg-type]
    rows, data_of = to_rows(new)
    segment = Segment("churn", "events", NOW, False, 1, to_ipc(rows), (Part("b", len(new)),), to_ipc(data_of))
    with state.connect() as db, db.begin() as transaction:
        taken = take_events(db, ModelState(1, "churn"), SPEC, [segment])
        reasons = db.execute(select(refusals.c.reason)).scalars().all()
        transaction.rollback()
    (counts,) = taken.counts
    assert counts["exchanges"] == len(sent)
    assert not [reason for reason in reasons if "Vigil's own" in reason]
    good = sum(one.batch.accepted for one in taken.predictions)
    assert all((one.parts == 0).all() for one in taken.predictions)
    assert good + counts["refused"] >= len(sent), "each exchange gives rows or a refusal"


def times(arrival: int) -> st.SearchStrategy[int]:
    return st.sampled_from([arrival - 3600 * 10**6, arrival + 299 * 10**6, arrival + 301 * 10**6])


@settings(max_examples=60)
@given(st.data())
def test_to_take_segments_together_is_the_same_as_one_after_another(state: Engine, data: st.DataObject) -> None:
    sent = data.draw(halves.filter(bool))
    new = [
        replace(h, data=_body(h.side, n), time=data.draw(times(h.at)), place=0) for n, h in enumerate(arriving(sent))
    ]
    segments = [_segment([h], h.at) for h in new]
    found = []
    for groups in ([segments], [[one] for one in segments]):
        with state.connect() as db, db.begin() as transaction:
            model = ModelState(1, "churn", counts={"events": 1})
            rows: list[dict[str, Any]] = []
            counts: Counter[str] = Counter()
            for group in groups:
                taken = take_events(db, model, SPEC, group)
                counts += taken.total
                rows += [row for one in taken.predictions for row in one.batch.table.to_pylist()]
            named = ("batch_id", "at", "kind", "row", "field")
            refused = [tuple(row[k] for k in named) for row in db.execute(select(refusals)).mappings()]
            waiting = sorted(tuple(row) for row in db.execute(select(halves_table)))
            transaction.rollback()
        plain = [(r["prediction_id"], r["timestamp"], r["features.age"], r["prediction_score"]) for r in rows]
        found.append((plain, counts, model.counts, sorted(refused), waiting))
    assert found[0] == found[1]


def _body(side: str, n: int) -> bytes:
    value = {"instances": [[n, "a", "f"]]} if side == "request" else {"predictions": [[n % 10 / 10]]}
    return json.dumps(value).encode()


def _segment(new: list[Half], at: int) -> Segment:
    rows, data_of = to_rows(new)
    parts = tuple(Part(f"b{at}-{new[0].data!r}"[:60], 1) for _ in new)
    return Segment("churn", "events", at, False, 1, to_ipc(rows), parts, to_ipc(data_of))
