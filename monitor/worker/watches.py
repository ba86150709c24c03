"""Declarations and references as they are read from log and state once, and held for each model."""

from __future__ import annotations

from detectors.reference import Reference
from monitor.judge.watch import Watch
from monitor.log.sql import SqlLog
from monitor.model import ModelSpec
from monitor.store.models import ModelState


class Watches:
    """The last one asked for of each model. The clock and the API look here from their threads."""

    def __init__(self, log: SqlLog) -> None:
        self.log = log
        self._specs: dict[str, tuple[int, ModelSpec]] = {}
        self._watches: dict[tuple[str, int, int], Watch] = {}

    def watch(self, model: ModelState) -> Watch:
        """A model as it is watched since its reference."""
        key = (model.name, model.reference_seq, model.declaration)
        watch = self._watches.get(key)
        if watch is None:
            assert model.reference is not None, "only a model with a reference is watched"
            watch = Watch(self.spec(model.name, model.declaration), Reference.from_bytes(model.reference))
            others = {k: w for k, w in self._watches.items() if k[0] != model.name}
            self._watches = {**others, key: watch}      # in one go, for the other threads
        return watch

    def spec(self, name: str, version: int) -> ModelSpec:
        """A version of a model's declaration, which never changes."""
        held = self._specs.get(name)
        if held is None or held[0] != version:
            declaration = self.log.declaration(name, version)
            assert declaration is not None, "a segment names a declaration that was made before it"
            held = self._specs[name] = (version, ModelSpec.from_dict(declaration.body))
        return held[1]
