"""The client: what a model service calls. Nothing here raises but the constructor."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from vigil_client.batch import Record
from vigil_client.connection import checked, connector, nowhere
from vigil_client.many import block_of, column_weight
from vigil_client.monitor import Prediction, monitored
from vigil_client.queue import pieces
from vigil_client.rows import ROW_WEIGHT, Unclear, copied, keeps, known, text_id
from vigil_client.sender import Limits, Sender
from vigil_client.stats import Stats
from vigil_client.values import Now

F = TypeVar("F", bound=Callable[..., Any])


class Client:
    """Logs predictions and outcomes of a model.

    ``url`` and ``key`` default to the environment's ``VIGIL_URL`` and ``VIGIL_KEY``. ``log`` and its like return at
    once; a thread of the client's, started by the first row, sends batches. What goes wrong is counted in ``stats``
    and told in the log ``vigil_client``, at most once a minute. The other arguments are in the README's table.

    One client serves all threads, async code as well as any other, and lives through a fork: the child begins with an
    empty queue. Raises ``ValueError`` for arguments that can never work.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        model: str = "",
        *,
        model_version: str | None = None,
        role: str | None = None,
        sampling_rate: float = 1.0,
        source: str | None = None,
        environment: str | None = None,
        schema_version: str | None = None,
        flush_every: float = 1.0,
        batch_rows: int = 1_000,
        max_queue_rows: int = 50_000,
        max_queue_bytes: int = 64 * 2**20,
        timeout: float = 10.0,
        give_up_after: float = 3_600.0,
        exit_timeout: float = 5.0,
        compress: bool = False,
        enabled: bool = True,
        http_client: Callable[[], httpx.Client] | None = None,
    ) -> None:
        address, secret = url or os.environ.get("VIGIL_URL", ""), key or os.environ.get("VIGIL_KEY", "")
        self._model, self._rate, self._enabled = model, float(sampling_rate), enabled
        self._place = checked(address, secret, model, self._rate, enabled)
        self._always: Record = {
            name: value for name, value in (("model_version", model_version), ("role", role)) if value is not None
        }
        self._predictions, self._outcomes = (model, "predictions"), (model, "outcomes")
        envelope = {"source": source, "environment": environment, "schema_version": schema_version}
        envelope = {name: value for name, value in envelope.items() if value is not None}
        sampled = {**envelope, "sampling_rate": self._rate} if self._rate < 1.0 else envelope
        limits = Limits(
            flush_every=flush_every, batch_rows=batch_rows, max_queue_rows=max_queue_rows,
            max_queue_bytes=max_queue_bytes, give_up_after=give_up_after, exit_timeout=exit_timeout,
        )  # fmt: skip
        connect = connector(address, secret, timeout, http_client) if enabled else nowhere
        envelopes = {"predictions": sampled, "outcomes": envelope}
        self._sender = Sender(limits, connect, envelopes, secret, compress)
        weakref.finalize(self, self._sender.retire).atexit = False

    def log(
        self,
        prediction_id: Any = None,
        features: Mapping[str, Any] | None = None,
        prediction_score: Any = None,
        prediction_label: Any = None,
        prediction_value: Any = None,
        *excess: Any,
        timestamp: Any = None,
        tags: Mapping[str, Any] | None = None,
        protected: Mapping[str, Any] | None = None,
        model: str | None = None,
        **more: Any,
    ) -> str:
        """Log one prediction and return its id, a new one where none was given. ``more`` are the other fields of a
        prediction: ``model_version``, ``role``, ``model_decision``, ``latency_ms``, ``status``, ``subject_key``,
        ``request_id``, ``trace_id``. The id of a call that cannot be understood is ``""``.
        """
        try:
            name = prediction_id if type(prediction_id) is str and prediction_id else text_id(prediction_id)
            if not self._wants(name):
                return name
            record: Record = {"prediction_id": name, "timestamp": timestamp, **self._always}
            if timestamp is None:
                record["timestamp"] = Now(time.time_ns())
            if prediction_score is not None:
                record["prediction_score"] = prediction_score
            if prediction_label is not None:
                record["prediction_label"] = prediction_label
            if prediction_value is not None:
                record["prediction_value"] = prediction_value
            if more:
                record.update(self._known("predictions", more))
            if excess:
                self._sender.queue.note("log: more arguments without a name than it has")
            place = self._predictions if model is None else (str(model), "predictions")
            self._add(place, record, features, tags, protected)
            return name
        except Exception as error:
            return self._failed("log", error)

    def outcome(
        self,
        prediction_id: Any = None,
        actual_label: Any = None,
        actual_value: Any = None,
        *excess: Any,
        timestamp: Any = None,
        tags: Mapping[str, Any] | None = None,
        model: str | None = None,
        **more: Any,
    ) -> None:
        """Log what turned out to be true of a prediction. ``more``: ``actual_relevance``, ``final_decision``. That of a
        prediction which the sampling rate left out is left out too.
        """
        try:
            if prediction_id is None or prediction_id == "":
                raise Unclear("an outcome needs its prediction_id")
            name = text_id(prediction_id)
            if not self._wants(name):
                return
            record: Record = {"prediction_id": name, "timestamp": timestamp}
            if timestamp is None:
                record["timestamp"] = Now(time.time_ns())
            more.update(actual_label=actual_label, actual_value=actual_value)
            record.update(self._known("outcomes", more))
            if excess:
                self._sender.queue.note("outcome: more arguments without a name than it has")
            place = self._outcomes if model is None else (str(model), "outcomes")
            self._add(place, record, None, tags, None)
        except Exception as error:
            self._failed("outcome", error)

    def log_many(
        self,
        columns: Any = None,
        *,
        features: Any = None,
        tags: Any = None,
        protected: Any = None,
        model: str | None = None,
        **more: Any,
    ) -> list[str]:
        """Log predictions as columns and return their ids. ``columns`` and ``features`` are maps from name to column,
        data frames or Arrow tables; names in ``columns`` are those on the wire (``features.age``). ``more`` are fields
        of a prediction, each a column or one value for all rows. Takes about a microsecond for 25 values.
        """
        groups = {"features.": features, "tags.": tags, "protected.": protected}
        return self._many("log_many", "predictions", columns, groups, model, {**self._always, **more})

    def outcome_many(self, columns: Any = None, *, tags: Any = None, model: str | None = None, **more: Any) -> None:
        """Log outcomes as columns, as ``log_many`` does predictions."""
        self._many("outcome_many", "outcomes", columns, {"tags.": tags}, model, more)

    def keeps(self, prediction_id: Any) -> bool:
        """Whether the sampling rate keeps this prediction."""
        return keeps(text_id(prediction_id), self._rate)

    def prediction(self, prediction_id: Any = None, **more: Any) -> Prediction:
        """A prediction to be filled in a ``with`` block and logged at its end, with its latency. One that raises is
        not logged, since it has no result.

        >>> client = Client("http://127.0.0.1:8000", "vgl_key", model="churn", enabled=False)
        >>> with client.prediction("a") as p:
        ...     p.features(age=40)
        ...     p.score(0.7)
        """
        return Prediction(self, prediction_id, more)

    def monitor(
        self,
        *,
        features: Callable[..., Any] | None = None,
        result: str | Callable[[Any], Mapping[str, Any]] = "prediction_score",
        prediction_id: str | None = None,
        batch: bool = False,
        **more: Any,
    ) -> Callable[[F], F]:
        """A decorator that logs each call of a function, or of a coroutine function: its arguments as features, its
        result and its latency. A call that raises is not logged.

        ``features`` makes the features from the arguments; without it they are the arguments by name, or the one
        argument where that is a map or a table. ``result`` names the field that the result is, or makes fields from
        it; a result that is a map of fields is taken as such. ``prediction_id`` names the argument that is the id.
        ``batch``: the arguments and the result are columns.

        >>> client = Client("http://127.0.0.1:8000", "vgl_key", model="churn", enabled=False)
        >>> @client.monitor(prediction_id="request")
        ... def predict(request, age):
        ...     return 0.7
        >>> predict("a", age=40)
        0.7
        """
        return monitored(self, features, result, prediction_id, batch, more)

    @property
    def stats(self) -> Stats:
        """What became of the rows so far, in this process."""
        return self._sender.queue.stats()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was logged is answered, at most ``timeout`` seconds; whether it is."""
        return self._sender.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Send what waits, at most ``timeout`` seconds, and end; whether all was answered. What is logged later is
        dropped. Called by itself when the interpreter ends, with ``exit_timeout``.
        """
        return self._sender.close(timeout)

    async def aflush(self, timeout: float = 10.0) -> bool:
        """``flush`` beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sender.flush, timeout)

    async def aclose(self, timeout: float = 10.0) -> bool:
        """``close`` beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sender.close, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Client({self._place!r}, model={self._model!r})"

    def _wants(self, prediction_id: str) -> bool:
        if not self._enabled:
            return False
        if self._rate < 1.0 and not keeps(prediction_id, self._rate):
            self._sender.queue.sampled_out(1)
            return False
        return True

    def _add(self, place: tuple[str, str], record: Record, features: Any, tags: Any, protected: Any) -> None:
        record, size = copied(record)
        size += ROW_WEIGHT
        if features is not None:
            record["features"], more = copied(features)
            size += more
        if tags is not None:
            record["tags"], more = copied(tags)
            size += more
        if protected is not None:
            record["protected"], more = copied(protected)
            size += more
        self._sender.queue.put(place, (1, size, record))
        self._sender.ensure_thread()

    def _known(self, kind: str, more: Mapping[str, Any]) -> Record:
        fields, notes = known(kind, more)
        for note in notes:
            self._sender.queue.note(note)
        return fields

    def _many(
        self, call: str, kind: str, columns: Any, groups: Mapping[str, Any], model: str | None, more: Mapping[str, Any]
    ) -> list[str]:
        try:
            names, block = block_of(kind, columns, groups, self._known(kind, more), time.time_ns())
            if not self._enabled:
                return names
            if self._rate < 1.0:
                kept = block.only([i for i, name in enumerate(names) if keeps(name, self._rate)])
                self._sender.queue.sampled_out(block.rows - kept.rows)
                block = kept
            size = sum(map(column_weight, block.columns.values()))
            for item in pieces(block, size, self._sender.limits.batch_rows):
                self._sender.queue.put((model or self._model, kind), item)
            self._sender.ensure_thread()
            return names
        except Exception as error:
            self._failed(call, error)
            return []

    def _failed(self, call: str, error: Exception) -> str:
        """Count a call that could not be understood. Its values may be people's own, so only the type is told."""
        try:
            said = str(error) if isinstance(error, Unclear) else type(error).__name__
            self._sender.queue.failed_call(f"{call}: {said}")
        except Exception:       # nothing that a caller did may come back to it as an error
            return ""
        return ""
