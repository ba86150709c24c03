"""The tables of the state: all can be deleted and rebuilt from the log. Times are microseconds since 1970, UTC."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from monitor.database.shape import PACKED
from monitor.store.digests import digest_column

metadata = MetaData()

_ID = BigInteger().with_variant(Integer, "sqlite")

# One row a model: how far its lanes are folded, its clock, and the counts that the exactly-once law speaks of.
models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("cursor", BigInteger, nullable=False, default=0),
    Column("command_cursor", BigInteger, nullable=False, default=0),
    Column("tick_cursor", BigInteger, nullable=False, default=0),
    Column("clock", BigInteger, nullable=False, default=0),
    Column("event_clock", Boolean, nullable=False, default=False),
    Column("last_prediction", BigInteger, nullable=False, default=0),
    Column("declaration", Integer, nullable=False, default=0),
    Column("reference_seq", BigInteger, nullable=False, default=0),
    Column("reference", LargeBinary, info=PACKED),
    Column("judged_from", BigInteger, nullable=False, default=0),
    Column("measured_from", BigInteger, nullable=False, default=0),
    Column("blind_upto", BigInteger, nullable=False, default=0),
    Column("joins_at", BigInteger, nullable=False, default=0),
    Column("features", JSON, nullable=False, default=dict),
    Column("counts", JSON, nullable=False, default=dict),
    Column("evaluated_at", BigInteger),
    Column("seen", JSON, nullable=False, default=list),
)

# What the join keeps under a prediction_id: entries of predictions and outcomes. Rows lie in the order they came, from
# ``start`` on, and ``seq`` is the segment of the last; a run finds those from ``base`` on by hash, see
# monitor/store/keys.
key_rows = Table(
    "key_rows",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False, info=PACKED),
    Index("key_rows_by_seq", "model", "kind", "seq"),
)

key_runs = Table(
    "key_runs",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), primary_key=True),
    Column("base", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
    Column("filter", LargeBinary, nullable=False, info=PACKED),
    Column("firsts", LargeBinary, nullable=False, info=PACKED),
    Column("sizes", LargeBinary, nullable=False, info=PACKED),
)

key_pages = Table(
    "key_pages",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), primary_key=True),
    Column("base", BigInteger, primary_key=True, autoincrement=False),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False, info=PACKED),
)

# One mergeable summary for each bucket of event time, version, role, sampling rate and kind (predictions, outcomes).
# ``seq``: no segment behind it has rows in it.
summaries = Table(
    "summaries",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("version", String(128), primary_key=True),
    Column("role", String(12), primary_key=True),
    Column("rate", Float, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False, info=PACKED),
    Index("summaries_by_seq", "model", "seq"),
    sqlite_with_rowid=False,
)

# The serving role's summaries of a longer stretch in one, so that a long window reads few rows. Where ``data`` is null
# it is still to be made: a bucket of it was written since. Such a row has the rate 0 and outdates the stretch's others.
rollups = Table(
    "rollups",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), primary_key=True),
    Column("length", BigInteger, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("rate", Float, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("data", LargeBinary, info=PACKED),
    sqlite_with_rowid=False,
)

streams = Table(
    "streams",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("stream", String(600), primary_key=True),
    Column("state", LargeBinary, nullable=False),
)

signals = Table(
    "signals",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("model", Integer, nullable=False),
    Column("stream", String(600), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("signals_by_model", "model", "at"),
)

# A window of one family of metrics (drift, performance, fairness): which revision stands, and how complete it is.
windows = Table(
    "windows",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("family", String(32), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("end", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("coverage", Float),
    Column("step", Integer, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("dirty", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

points = Table(
    "points",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("model", Integer, nullable=False),
    Column("family", String(32), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("scope", String, nullable=False),
    digest_column("scope"),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("p_value", Float),
    Column("n", BigInteger, nullable=False),
    Column("reason", String(32)),
    Column("coverage", Float),
    Column("provisional", Boolean, nullable=False),
    Index("points_by_series", "model", "metric", "scope_digest", "start"),
    Index("points_by_window", "model", "family", "start", "revision"),
)

# Several monitors may judge one point.
verdicts = Table(
    "verdicts",
    metadata,
    Column("point", BigInteger, ForeignKey("points.id"), primary_key=True, autoincrement=False),
    Column("monitor", String, primary_key=True),
    Column("verdict", String(12), nullable=False),
    Column("reason", String(48)),
    Column("limit", Float),
    Column("severity", String(16), nullable=False),
)

rule_states = Table(
    "rule_states",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("monitor", String, primary_key=True),
    Column("state", JSON, nullable=False),
)

# ``body`` has all of an incident; the columns are what lists look for, put in order and show.
incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", Integer, nullable=False),
    Column("fingerprint", String, nullable=False),
    digest_column("fingerprint"),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("title", String, nullable=False),
    Column("clock", String(8), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("assignee", String),
    Column("disposition", String(16)),
    Column("merged_into", String(64)),
    Column("active", Boolean, nullable=False),
    Column("body", JSON, nullable=False),
    Index("incidents_by_model", "model", "opened_at"),
    Index("incidents_in_order", "active", "opened_at", "id"),
    Index("incidents_by_urgency", "active", "rank", "opened_at", "id"),
    Index("incidents_by_fingerprint", "fingerprint_digest", "opened_at"),
)

# Which live incident (open or acknowledged) holds a fingerprint: its own, or one that joined it. At most one does,
# whoever writes.
live_fingerprints = Table(
    "live_fingerprints",
    metadata,
    digest_column("fingerprint", primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("incident", String(64), nullable=False),
    Column("model", Integer, nullable=False),
    Index("live_fingerprints_by_model", "model", "incident"),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("incident", String(64), ForeignKey("incidents.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("body", JSON, nullable=False),
)

# What became of a batch in the fold. ``skipped``: the rows of which nothing is kept under their ids, null where there
# are none.
folded = Table(
    "folded",
    metadata,
    Column("batch_id", String(64), primary_key=True),
    Column("model", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("conflicts", JSON, nullable=False),
    Column("skipped", LargeBinary),
    Index("folded_by_model", "model", "seq"),
)

# Requests and responses that payload loggers sent one by one: the half that waits for the other, or no payload where
# both came, so that one that comes again is told for a duplicate. Both are forgotten when they are old.
halves = Table(
    "halves",
    metadata,
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String(128), primary_key=True),
    Column("node", String(128), primary_key=True),
    Column("side", String(8), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("payload", LargeBinary),
    Index("halves_by_age", "model", "at"),
    sqlite_with_rowid=False,
)

# Rows that were taken, and that the fold could not take or found to contradict what is there (``kind``: refused,
# conflict). The log has the rejects that were known at once.
refusals = Table(
    "refusals",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("model", Integer, nullable=False),
    Column("batch_id", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("row", Integer, nullable=False),
    Column("field", String, nullable=False),
    Column("reason", String, nullable=False),
    Index("refusals_by_model", "model", "id"),
    Index("refusals_by_batch", "batch_id"),
)

# What the worker that has the lease last said of itself: one row, of which nothing follows. ``folds``: the times of its
# folds as a cumulative histogram.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("worker", String(32), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("last_round", BigInteger),
    Column("folds", JSON, nullable=False),
)

# What is worth telling, until it is taken over into the log: in a model's own order, with the entry of the log
# (``lane``, ``seq``) that made it.
notices = Table(
    "notices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("model", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("incident", String(64), nullable=False),
    Column("lane", String(8), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    Index("notices_in_order", "model", "number"),
    Index("notices_by_incident", "incident", "lane", "seq"),
)
