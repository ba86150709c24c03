"""The examples of the formats in docs/ingest.md are read, and all of them to the same batch."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.codecs import FORMATS, decode, normalise
from monitor.model import ModelSpec, Schema

PAGE = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text()
SPEC = ModelSpec.from_dict({
    "model": "m", "task": "binary_classification",
    "features": {"age": "numeric", "zip": "categorical", "member": "categorical"},
})  # fmt: skip
MEDIA = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}


def examples() -> list[tuple[str, bytes]]:
    section = PAGE[PAGE.index("\n## Formats\n") : PAGE.index("\n## What is refused\n")]
    found = []
    for language, text in re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL):
        if language == "python":
            names: dict[str, Any] = {}
            exec(text, names)
            found.append(("application/vnd.apache.arrow.stream", names["stream"].getvalue()))
            found.append(("application/vnd.apache.parquet", names["file"].getvalue()))
        else:
            found.append((MEDIA[language], text.encode()))
    return found


def test_each_example_is_read_to_the_same_batch() -> None:
    schema, now = Schema(SPEC, SPEC.features), datetime(2026, 7, 1, tzinfo=UTC)
    columns = [decode(media, body, "predictions", {}) for media, body in examples()]
    batches = [normalise(sent, schema, "predictions", "B", now) for sent in columns]
    assert len(batches) == 6
    for batch in batches:
        assert (batch.accepted, batch.rejects, batch.notes) == (2, [], {})
        assert batch.table.equals(batches[0].table)
    row = batches[0].table.to_pylist()[0]
    assert (row["prediction_id"], row["model_version"], row["features.zip"]) == ("0042", "1.10", "02139")
    assert (row["features.age"], row["features.member"]) == (46.0, "true")


def test_every_content_type_is_named() -> None:
    assert [media for media in FORMATS if f"`{media}`" not in PAGE] == []
