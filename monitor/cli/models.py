"""``vigil model``: declare, list and read models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import yaml

from monitor.cli.client import Client
from monitor.cli.command import on_service
from monitor.cli.out import Out
from monitor.cli.root import model
from monitor.model import parse_declaration


@on_service(model, "apply", example="vigil model apply data/census/model.yaml")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def apply(out: Out, client: Client, file: Path) -> None:
    """Declare a model from FILE, YAML or JSON; '-' reads it from stdin.

    The same declaration again changes nothing; another becomes the model's next version.
    """
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    kind = "application/json" if file.suffix == ".json" else "application/yaml"
    name = parse_declaration(body, "json" if "json" in kind else "yaml").model
    answer = client.send("PUT", f"/v1/models/{name}", content=body, headers={"Content-Type": kind}).json()
    out.value(answer)
    out.line(f"{name} is declared, version {answer['version']}")


@on_service(model, "list", example="vigil model list")
def list_models(out: Out, client: Client) -> None:
    """List the models, and where their data stand."""
    found = client.get("/v1/models")["models"]
    out.value({"models": found})
    columns = ("model", "reference", "predictions", "joined outcomes", "orphans", "rows to fold", "clock")
    out.table(columns, [_row(m) for m in found])


@on_service(model, "show", example="vigil model show census-employment")
@click.argument("name")
def show(out: Out, client: Client, name: str) -> None:
    """Show the declaration of model NAME, and where its data stand."""
    found = client.get(f"/v1/models/{name}")
    out.value(found)
    out.line(f"# version {found['version']}, declared {found['declared_at']} by {found['declared_by']}")
    out.line(yaml.safe_dump(found["declaration"], sort_keys=False, allow_unicode=True).rstrip())
    out.table(("", "rows"), [*found["counts"].items(), ("to fold", found["rows_to_fold"])])


def _row(m: dict[str, Any]) -> tuple[Any, ...]:
    counts = m["counts"]
    joined, orphans = counts.get("joined", 0), counts.get("orphans", 0)
    return (
        m["model"], m["reference"], counts.get("predictions", 0), joined, orphans, m["rows_to_fold"], m["clock"]
    )  # fmt: skip
