"""Whose an event is: the declarations in force, as those who send events without naming a model meet them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.access import Principal
from monitor.errors import Unauthenticated
from monitor.events.route import Routes
from monitor.log.sql import SqlLog
from monitor.model import ModelSpec

FRESH = 1.0             # seconds for which the declarations are taken to be in force: another replica may make new ones


@dataclass(frozen=True, slots=True)
class Directory:
    """``declared``: the version and the declaration of each model; ``identities``: the models that each identity may
    send events of."""

    declared: Mapping[str, tuple[int, ModelSpec]] = field(default_factory=dict)
    routes: Routes = field(default_factory=lambda: Routes({}))
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, declared: Mapping[str, tuple[int, ModelSpec]]) -> Directory:
        """
        >>> spec = ModelSpec.from_dict({"model": "m", "task": "regression",
        ...     "sources": [{"kind": "kserve", "value": 0, "identity": "spiffe://a/m"}]})
        >>> Directory.of({"m": (1, spec)}).identities
        {'spiffe://a/m': frozenset({'m'})}
        """
        found: dict[str, set[str]] = defaultdict(set)
        for model, (_, spec) in declared.items():
            for source in spec.sources:
                if source.identity is not None:
                    found[source.identity].add(model)
        routes = Routes({model: spec.sources for model, (_, spec) in declared.items()})
        return cls(declared, routes, {identity: frozenset(models) for identity, models in found.items()})

    def identified(self, identity: str) -> Principal:
        """Who may send events under an identity that a certificate or a mesh vouches for: of the models whose sources
        declare it, and nothing else. ``Unauthenticated`` where none does."""
        models = self.identities.get(identity)
        if models is None:
            raise Unauthenticated(
                f"no source declares the identity {identity[:200]!a}",
                "Declare it with the model: sources: [{kind: kserve, ..., identity: ...}]",
            )
        return Principal(identity, "machine", frozenset({"ingest"}), models)


class Declarations:
    """The directory of now; read anew when it may have changed, and only what has."""

    def __init__(self, log: SqlLog) -> None:
        self.log = log
        self._until = 0.0
        self._known = Directory()

    def peek(self) -> Directory | None:
        """What ``read`` would return, where that is known without asking the database."""
        return self._known if time.monotonic() < self._until else None

    def read(self) -> Directory:
        until = time.monotonic() + FRESH
        latest = {name: found for name in self.log.models() if (found := self.log.declaration(name)) is not None}
        before = self._known.declared
        if {name: d.version for name, d in latest.items()} != {name: version for name, (version, _) in before.items()}:
            declared = {
                name: before[name] if name in before and before[name][0] == d.version
                else (d.version, ModelSpec.from_dict(d.body))
                for name, d in latest.items()
            }  # fmt: skip
            self._known = Directory.of(declared)
        self._until = until
        return self._known

    def forget(self) -> None:
        """Look anew the next time: a declaration was made."""
        self._until = 0.0
