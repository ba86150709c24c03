"""Waiting for the fold: what was answered with 202 is durable, and is counted a little later."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from monitor.cli.client import Client
from monitor.cli.failure import Failure

STUCK = 120.0       # seconds without a row folded at which waiting is given up
PAUSE = 0.1


def rows_to_fold(client: Client, models: Sequence[str]) -> int:
    """How many rows of these models are logged and not folded yet."""
    return sum(int(client.get(f"/v1/models/{name}")["rows_to_fold"]) for name in models)


def wait_folded(client: Client, models: Sequence[str], tell: Callable[[int], None] = lambda _left: None) -> None:
    """Wait until nothing is left, telling now and then how much is; a ``Failure`` where nothing moves any more."""
    before, since = -1, time.monotonic()
    while left := rows_to_fold(client, models):
        tell(left)
        if left != before:
            before, since = left, time.monotonic()
        if time.monotonic() - since > STUCK:
            mend = "See that a worker runs: the service's log, and 'vigil doctor', say more"
            raise Failure(f"nothing was folded for {STUCK:.0f} s, and {left:,} rows wait", mend)
        time.sleep(PAUSE)
    tell(0)
