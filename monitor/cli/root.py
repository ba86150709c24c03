"""The command ``vigil`` and its groups."""

from __future__ import annotations

from importlib.metadata import version

import click

from monitor.cli.failure import EXIT_CODES

_CODES = "\b\nExit codes:\n" + "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())
_START = "\b\nExamples:\n  vigil demo --once\n  vigil keys create ana --scope read\n  vigil incident list"


@click.group(epilog=f"{_START}\n\n{_CODES}", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("vigil-ml"), prog_name="vigil")
def vigil() -> None:
    """Watch machine-learning models in production: drift, data quality, performance, fairness, incidents.

    Commands that ask a service find it at --url (VIGIL_URL, or http://127.0.0.1:8000) and send --key (VIGIL_KEY).
    """


def _group(name: str, doc: str, example: str) -> click.Group:
    group = click.Group(name, help=doc, epilog=f"\b\nExample:\n  {example}")
    vigil.add_command(group)
    return group


audit = _group("audit", "The audit trail: who did what. On the database itself.", "vigil audit verify")
config = _group("config", "The settings in force.", "vigil config show")
incident = _group("incident", "Incidents: list them, and say what was done.", "vigil incident list")
erase = _group("erase", "Erasure: a person's right. On the database itself.", "vigil erase list --model credit")
keys = _group("keys", "Keys: who may do what. On the database itself.", "vigil keys list")
metrics = _group("metrics", "The metrics that Vigil measures.", "vigil metrics list")
model = _group("model", "Models: declare, list, read.", "vigil model list")
notify = _group("notify", "Notifications: try a channel, see what was sent.", "vigil notify test slack")
retention = _group("retention", "What is kept how long. On the database itself.", "vigil retention show")
reference = _group("reference", "The data that production is compared with.", "vigil reference load credit jan.parquet")
silence = _group("silence", "Silences: for so long nobody is called.", "vigil silence list --state on")
users = _group("users", "People: accounts to sign in with. On the database itself.", "vigil users list")
