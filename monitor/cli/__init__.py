"""The command line: ``vigil``. Commands that ask a service speak HTTP, as any other client does."""

from __future__ import annotations

from monitor.cli import (
    admin,
    demo,
    doctor,
    figures,
    incidents,
    keeping,
    models,
    notify,
    onboard,
    questions,
    rows,
    service,
    silences,
    users,
)
from monitor.cli.root import vigil

__all__ = [
    "admin", "demo", "doctor", "figures", "incidents", "keeping", "main", "models", "notify", "onboard", "questions",
    "rows", "service", "silences", "users",
]  # fmt: skip


def main() -> None:
    """The entry point of ``vigil``. The modules above register their commands as they are imported."""
    vigil(prog_name="vigil")
