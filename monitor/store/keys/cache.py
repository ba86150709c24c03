"""What was read and unpacked lately, up to so many bytes: the rest is read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Cache:
    """Values by key, those used longest ago forgotten first.

    >>> cache = Cache(10)
    >>> [cache.get(key, lambda: "x" * 4, len) for key in (1, 2, 3)]
    ['xxxx', 'xxxx', 'xxxx']
    >>> sorted(cache.held)
    [2, 3]
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0
        self.held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """The value under a key, made where it is not held."""
        found = self.held.get(key)
        if found is not None:
            self.held.move_to_end(key)
            return found[0]
        value = make()
        self.held[key] = value, size(value)
        self.bytes += size(value)
        while self.bytes > self.most and len(self.held) > 1:
            _, (_, freed) = self.held.popitem(last=False)
            self.bytes -= freed
        return value
