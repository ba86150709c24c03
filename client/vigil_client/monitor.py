"""Two ways to log without calling ``log``: a decorator, and a ``with`` block."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from vigil_client.rows import FIELDS, text_id

if TYPE_CHECKING:
    from vigil_client.client import Client

F = TypeVar("F", bound=Callable[..., Any])


class Prediction:
    """One prediction in the making. ``id`` is its id from the start; ``with`` logs it at the end of the block."""

    def __init__(self, client: Client, prediction_id: Any, more: Mapping[str, Any]) -> None:
        self._client = client
        self._fields: dict[str, Any] = dict(more)
        self._began = time.perf_counter()
        try:
            self.id = text_id(prediction_id)
        except Exception:       # an object that has no text; the prediction is another one then
            self.id = text_id(None)

    def features(self, values: Any = None, **more: Any) -> None:
        """Add features, as a map or by name."""
        self._merge("features", values, more)

    def tags(self, values: Any = None, **more: Any) -> None:
        """Add tags, as a map or by name."""
        self._merge("tags", values, more)

    def protected(self, values: Any = None, **more: Any) -> None:
        """Add protected attributes, as a map or by name."""
        self._merge("protected", values, more)

    def score(self, value: Any) -> None:
        """The positive label's probability, or a map from class to probability."""
        self._fields["prediction_score"] = value

    def label(self, value: Any) -> None:
        """The class that was predicted."""
        self._fields["prediction_label"] = value

    def value(self, value: Any) -> None:
        """The number that was predicted."""
        self._fields["prediction_value"] = value

    def set(self, **fields: Any) -> None:
        """Any other fields of a prediction: ``model_decision``, ``subject_key``, ``timestamp``."""
        self._fields.update(fields)

    def _merge(self, group: str, values: Any, more: Mapping[str, Any]) -> None:
        try:
            added = {} if values is None else dict(values)
            self._fields[group] = {**self._fields.get(group, {}), **added, **more}
        except Exception:
            self._fields[group] = values        # no map: the call of ``log`` counts it

    def __enter__(self) -> Prediction:
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            fields = {"latency_ms": _since(self._began), **self._fields}
            self._client.log(**{**fields, "prediction_id": self.id})


def monitored(
    client: Client,
    features: Callable[..., Any] | None,
    result: str | Callable[[Any], Mapping[str, Any]],
    prediction_id: str | None,
    batch: bool,
    more: Mapping[str, Any],
) -> Callable[[F], F]:
    """The decorator that ``Client.monitor`` describes."""

    def decorate(function: F) -> F:
        seen = _Arguments(function, features, prediction_id)

        def log(args: tuple[Any, ...], kwargs: dict[str, Any], found: Any, latency: float) -> None:
            try:
                name, values = seen.read(args, kwargs)
                fields = {"latency_ms": latency, **more, **_fields(found, result)}
                call = client.log_many if batch else client.log
                call(features=values, prediction_id=name, **fields)
            except Exception as error:
                client._failed(f"monitor of {getattr(function, '__name__', 'a function')}", error)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waiting(*args: Any, **kwargs: Any) -> Any:
                began = time.perf_counter()
                found = await function(*args, **kwargs)
                log(args, kwargs, found, _since(began))
                return found

            return cast(F, waiting)

        @functools.wraps(function)
        def calling(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            found = function(*args, **kwargs)
            log(args, kwargs, found, _since(began))
            return found

        return cast(F, calling)

    return decorate


class _Arguments:
    """Which arguments of a function are features, and which is the id."""

    def __init__(self, function: Callable[..., Any], made: Callable[..., Any] | None, id_name: str | None) -> None:
        self._made, self._id = made, id_name
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):     # some functions written in C tell nothing of their arguments
            self._signature = None

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The id, where an argument is it, and the features."""
        named = self._named(args, kwargs)
        name = named.pop(self._id, None) if self._id else None
        if self._made is not None:
            return name, self._made(*args, **kwargs)
        if len(named) == 1:
            alone = next(iter(named.values()))
            if isinstance(alone, Mapping) or hasattr(alone, "columns") or hasattr(alone, "column_names"):
                return name, alone
        return name, named

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if self._signature is None:
            return {**{str(i): value for i, value in enumerate(args)}, **kwargs}
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named: dict[str, Any] = {}
        for position, (name, value) in enumerate(bound.arguments.items()):
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                named.update(value)
            elif kind is not inspect.Parameter.VAR_POSITIONAL and not (position == 0 and name in ("self", "cls")):
                named[name] = value
        return named


def _fields(found: Any, result: str | Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that a result is."""
    if callable(result):
        return dict(result(found))
    if isinstance(found, Mapping) and found and FIELDS["predictions"].issuperset(found):
        return dict(found)
    return {result: found}


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1_000, 3)
