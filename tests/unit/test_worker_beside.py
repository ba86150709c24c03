"""The pipe between a service and the worker beside it, and when the service counts its worker as missing."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from monitor.settings import Settings, load_settings
from monitor.worker import beside
from monitor.worker.beside import WorkerBeside, heed


def test_calls_that_come_together_wake_once_and_the_end_of_the_pipe_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "GATHER", 0.0)
    ours, theirs = os.pipe()
    woken, stop = threading.Semaphore(0), threading.Event()
    os.write(theirs, b"." * 1_000)
    heed(ours, lambda: woken.release(), stop)
    assert woken.acquire(timeout=20)
    os.write(theirs, b".")
    assert woken.acquire(timeout=20)
    assert not stop.is_set()
    os.close(theirs)
    assert stop.wait(20)
    assert not woken.acquire(blocking=False)
    os.close(ours)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorkerBeside:
    """One whose process is a stand-in, which ends at once with a code of its own."""
    stand_in = tmp_path / "python"
    stand_in.write_text('#!/bin/sh\necho "$VIGIL_PORT" >> "$VIGIL_DATA_DIR/starts"\nexit 3\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(beside.sys, "executable", str(stand_in))
    monkeypatch.setattr(beside, "AGAIN", 0.01)
    monkeypatch.setenv("VIGIL_PORT", "1")
    return WorkerBeside(Settings(data_dir=tmp_path, port=7777))


def test_one_that_ends_is_started_again_with_the_settings_of_its_service_and_is_missing_meanwhile(
    quick: WorkerBeside, tmp_path: Path
) -> None:
    assert quick.missing() == 0
    quick.wake()        # there is nobody to wake
    quick.start()
    starts = tmp_path / "starts"
    deadline = time.monotonic() + 20
    while not starts.exists() or len(starts.read_text().split()) < 3:
        assert time.monotonic() < deadline
        quick.wake()    # whether it lives or not
        time.sleep(0.01)
    assert quick.missing() > 0
    quick.stop()
    assert not quick.is_alive()
    assert set(starts.read_text().split()) == {"7777"}


def test_one_that_lasts_is_missing_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    once = '"$VIGIL_DATA_DIR/once"'
    stand_in.write_text(f'#!/bin/sh\n[ -e {once} ] || {{ touch {once}; exit 1; }}\nread x\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(beside.sys, "executable", str(stand_in))
    monkeypatch.setattr(beside, "AGAIN", 0.01)
    running = WorkerBeside(Settings(data_dir=tmp_path))
    running.start()
    deadline = time.monotonic() + 20
    while not (tmp_path / "once").exists() or running.missing() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.setattr(beside, "LASTING", 0.0)
    while running.missing() > 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.stop()      # the end of its pipe ends it
    assert not running.is_alive()


def test_the_variables_of_settings_make_the_same_settings(tmp_path: Path) -> None:
    url = "postgresql://vigil:secret@db/vigil?sslmode=require"
    some = Settings(data_dir=tmp_path, database_url=url, worker="none", metrics=False, trusted_proxies="10.0.0.0/8")
    for settings in (Settings(), some):
        assert load_settings(settings.environment()) == settings
