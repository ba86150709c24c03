"""Posting a recording: declare, load the reference, send every batch in order, and wait until all of it is folded."""

from __future__ import annotations

import time
from datetime import datetime

from monitor.batch import Kind
from monitor.cli.client import Client
from monitor.cli.failure import REFUSED, Failure
from monitor.cli.files import ARROW, arrow_body
from monitor.cli.replay.progress import Watcher
from monitor.cli.replay.streams import Post, Recording, Stream, in_order
from monitor.cli.waiting import rows_to_fold, wait_folded

ROWS = 2_000            # a request: twice as many cost 10 % less, and event time would move three weeks at a time
LOOK_EVERY = 0.5        # seconds between two questions of how far the fold is


def replay(client: Client, recording: Recording, watcher: Watcher, rows: int = ROWS) -> None:
    """Replay a recording; every batch declares ``clock: event``. What was sent before counts once."""
    for stream in recording.streams:
        _declare(client, stream)
        _post(client, stream, "reference", arrow_body(stream.reference))
    posting = _Posting(client, recording, watcher)
    for post in in_order(recording.streams, rows):
        _post(client, post.stream, post.kind, arrow_body(post.table))
        posting.sent(post)
    posting.wait()


class _Posting:
    """Where the replay stands; the service is asked now and then."""

    def __init__(self, client: Client, recording: Recording, watcher: Watcher) -> None:
        self.client, self.watcher = client, watcher
        self.names = [s.spec.model for s in recording.streams]
        self.posted = 0
        self.day: datetime | None = None
        self.looked = time.monotonic()

    def sent(self, post: Post) -> None:
        self.posted += post.table.num_rows
        self.day = post.at if self.day is None else max(self.day, post.at)
        if time.monotonic() - self.looked > LOOK_EVERY:
            self._look()

    def wait(self) -> None:
        """Until nothing is left to fold."""
        wait_folded(self.client, self.names, self._tell)

    def _look(self) -> None:
        self._tell(rows_to_fold(self.client, self.names))

    def _tell(self, left: int) -> None:
        self.looked = time.monotonic()
        self.watcher.at(self.posted, max(self.posted - left, 0), self.day)


def _declare(client: Client, stream: Stream) -> None:
    path = f"/v1/models/{stream.spec.model}"
    client.send("PUT", path, content=stream.declaration, headers={"Content-Type": "application/yaml"})


def _post(client: Client, stream: Stream, kind: Kind, body: bytes) -> None:
    path = f"/v1/models/{stream.spec.model}/{kind}"
    headers = {"Content-Type": ARROW}
    answer = client.send("POST", path, query={"clock": "event"}, content=body, headers=headers).json()
    if answer["rejected"]:
        mend = "A recording must be good as a whole: mend the files and run it again"
        raise Failure(f"{answer['rejected']} rows of {kind} were rejected", mend, REFUSED, answer["errors"])
