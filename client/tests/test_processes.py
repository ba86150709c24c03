"""Forks, children and ends of processes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from scripted import KEY, answer

from vigil_client import Client

PACKAGE = str(Path(__file__).parents[1])


def run(code: str, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": PACKAGE, "VIGIL_URL": url, "VIGIL_KEY": KEY}
    command = [sys.executable, "-W", "error", "-c", code, *more]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_sends_its_own_rows_and_the_parent_its_own(service: Any, make: Any) -> None:
    client = make(flush_every=60.0)
    client.log("before", {"age": 1}, 0.5)      # as gunicorn with --preload: the thread is running
    assert client.flush()
    client.log("waiting", {"age": 1}, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)      # newer Pythons warn of threads and fork
        child = os.fork()
    if child == 0:
        code = 1
        try:
            empty = client.stats.logged == 0
            client.log("child", {"age": 1}, 0.5)
            code = 0 if empty and client.flush(10) and client.stats.sent == 1 else 2
        finally:
            os._exit(code)
    client.log("parent", {"age": 1}, 0.5)
    assert client.flush()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sorted(service.ids) == ["before", "child", "parent", "waiting"]
    assert client.stats.sent == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_while_others_log_and_the_lock_is_held(service: Any, make: Any) -> None:
    client = make()
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            client.log(None, {"age": 1}, 0.5)
            time.sleep(0.0005)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(10):
            with client._sender.queue._lock, warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                client.log(f"child{i}", {"age": 1}, 0.5)
                os._exit(0 if client.flush(10) else 3)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert client.flush()
    assert len([name for name in service.ids if name.startswith("child")]) == 10
    assert client.stats.sent == len(service.ids) - 10


LOGS = "import vigil_client; c = vigil_client.Client(model='churn', flush_every=60, exit_timeout=float(EXIT));"


def test_the_end_of_the_interpreter_sends_what_waits(service: Any) -> None:
    done = run(LOGS.replace("EXIT", "5") + "[c.log(f'p{i}', {'age': i}, 0.5) for i in range(1500)]", service.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(service.ids) == sorted(f"p{i}" for i in range(1500))


def test_what_other_exit_handlers_log_is_sent_too(service: Any) -> None:
    code = LOGS.replace("EXIT", "5") + "import atexit; c.log('a'); atexit.register(c.log, 'b', {'age': 1}, 0.5)"
    done = run(code, service.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(service.ids) == ["a", "b"]


def test_the_end_sends_what_no_thread_could(service: Any) -> None:
    code = (
        "import threading\n"
        "def refuse(_): raise RuntimeError(\"can't start new thread\")\n"
        "threading.Thread.start = refuse\n"
    )
    done = run(code + LOGS.replace("EXIT", "5") + "c.log('a', {'age': 1}, 0.5)", service.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert service.ids == ["a"]


def test_an_end_by_an_error_sends_too(service: Any) -> None:
    done = run(LOGS.replace("EXIT", "5") + "c.log('a', {'age': 1}, 0.5); 1 / 0", service.url)
    assert done.returncode == 1
    assert service.ids == ["a"]


@pytest.mark.parametrize("slow", [True, False])
def test_an_end_is_bounded_in_time(service: Any, slow: bool) -> None:
    service.answers[:] = [answer(202, after=8.0)] if slow else []
    began = time.monotonic()
    done = run(LOGS.replace("EXIT", "0.5") + "c.log('a', {'age': 1}, 0.5)", service.url if slow else "http://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 6.0


def test_a_child_of_multiprocessing_sends_at_its_end(service: Any) -> None:
    code = LOGS.replace("EXIT", "5") + (
        "import multiprocessing as m; p = m.get_context('fork').Process(target=c.log, args=('a', {'age': 1}, 0.5));"
        "p.start(); p.join(); assert p.exitcode == 0"
    )
    done = run(code, service.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert service.ids == ["a"]


def test_importing_starts_nothing(service: Any) -> None:
    code = (
        "import sys, threading, vigil_client;"
        "assert threading.active_count() == 1;"
        "assert not {'numpy', 'pandas', 'pyarrow', 'multiprocessing'} & set(sys.modules)"
    )
    done = run(code, service.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_client_that_is_forgotten_sends_and_ends(service: Any) -> None:
    client = Client(service.url, KEY, "churn", flush_every=60.0)
    client.log("a", {"age": 1}, 0.5)
    thread = client._sender._thread
    del client
    gc.collect()
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert service.ids == ["a"]


def test_a_signal_handler_may_log(service: Any) -> None:
    code = LOGS.replace("EXIT", "5") + (
        "import signal; signal.signal(signal.SIGALRM, lambda *_: c.log(None, {'age': 1}, 0.5));"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001);"
        "[c.log(None, {'age': 1}, 0.5) for _ in range(8_000)];"
        "signal.setitimer(signal.ITIMER_REAL, 0); assert c.flush(30), c.stats; s = c.stats; assert not s.waiting, s"
    )
    done = run(code, service.url)
    assert (done.returncode, done.stderr) == (0, "")
