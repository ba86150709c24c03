"""The names, types, helps and labels of ``/metrics``, which dashboards and alerts stand on: a contract.

A change here is a change of the interface: write the file anew with ``python tests/golden/test_metrics_page.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from prometheus_client.core import Metric

from monitor.app import App
from monitor.metrics.names import NAMES
from monitor.settings import Settings

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "metrics_page.txt"
DOCS = HERE.parents[1] / "docs" / "prometheus.md"
BY_GROUP = {"group", "value", "id", "prediction_id", "subject_key", "incident", "batch_id", "key", "path"}


def families(folder: Path) -> Iterable[Metric]:
    """Every family of an empty Vigil, each of the process's used once."""
    app = App(Settings(data_dir=folder, worker="none"))
    process = app.metrics.process
    process.count_batch("m", "predictions", 1, 1, 1)
    process.requests.labels("GET", "/metrics", "200").inc()
    process.request_seconds.labels("GET", "/metrics").observe(0.1)
    found = list(app.metrics.registry.collect())
    app.stop()
    return found


def write_lines(folder: Path) -> list[str]:
    labels = {n.name: n.labels for n in NAMES}
    found = []
    for family in families(folder):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        seen = [k for s in family.samples[:1] for k in s.labels if k != "le"]
        found.append(f"{name} {family.type} {','.join(labels.get(name, seen)) or '-'} {family.documentation}")
    return found


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_lines(tmp_path_factory.mktemp("vigil"))


def test_the_page_is_the_committed_one(lines: list[str]) -> None:
    assert lines == GOLDEN.read_text("utf-8").splitlines()


def test_names_keep_the_rules_of_prometheus(lines: list[str]) -> None:
    for line in lines:
        name, kind, labels, _help = line.split(" ", 3)
        assert re.fullmatch(r"(vigil|process)_[a-z0-9_]+", name), line
        assert (kind == "counter") == name.endswith("_total"), line
        assert not re.search(r"_(ms|millis|minutes|hours|percent|kb|mb)(_|$)", name), line
        if re.search(r"_(duration|age|lag|length)(_|$)", name):
            assert name.endswith("_seconds"), line
        assert not BY_GROUP & set(labels.split(",")), line


def test_the_documentation_has_every_name_and_no_other(lines: list[str]) -> None:
    rows = re.findall(r"^\| `((?:vigil|process)_\w+)` \| (\w+) \| ([^|]*) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    said = {name: (kind, re.sub(r"[` ]", "", labels) or "-") for name, kind, labels in rows}
    assert len(said) == len(rows), "a name stands twice"
    is_ = {name: (kind, labels) for name, kind, labels, *_ in (line.split(" ", 3) for line in lines)}
    assert said == is_


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        GOLDEN.write_text("\n".join(write_lines(Path(folder))) + "\n", "utf-8")
