"""What all tests share: which tests need a program of Debian's, and that in CI nothing is left out."""

from __future__ import annotations

import os
import shutil

import pytest
from databases import deployment, migrated, on_postgres, postgres, pytest_generate_tests, state_db  # noqa: F401
from hypothesis import settings

settings.register_profile("vigil", deadline=None)      # a busy machine is no fault
settings.load_profile("vigil")

# marker: (the programs that the test runs, the Debian packages that have them)
PROGRAMS = {
    "needs_prometheus": (("prometheus", "promtool"), "prometheus"),
    "needs_alertmanager": (("prometheus-alertmanager", "amtool"), "prometheus-alertmanager"),
    "needs_chromium": (("chromium", "chromedriver"), "chromium chromium-driver"),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (programs, packages) in PROGRAMS.items():
        missing = [p for p in programs if shutil.which(p) is None]
        if missing and item.get_closest_marker(marker):
            pytest.skip(f"no {' and no '.join(missing)} here: apt-get install -y --no-install-recommends {packages}")


@pytest.fixture(scope="session")
def fault_runs() -> int:
    """How often a test of faults strikes: 10 times, and as often as ``FAULT_RUNS`` says in ``make faults``."""
    return int(os.environ.get("FAULT_RUNS", "10"))


def _left_out(config: pytest.Config) -> int:
    """In CI, how many tests were skipped: a green run there means that everything was run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if os.environ.get("CI") and reporter else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _left_out(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if skipped := _left_out(config):
        terminalreporter.write_line(f"ERROR: {skipped} skipped, and CI is set: in CI a skip fails the run")
