"""Mutated records of model services through their readers: ``source_fuzzer.py FORMAT... [libFuzzer's options]``.

Whatever the bytes are, a reader gives columns that ``normalise`` takes, or an error of Vigil's own; ``payload`` reads a
request's or a response's body. The seeds are the fixtures, in the real shape.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["monitor.sources"], enable_loader_override=False):
    from monitor.sources import Unreadable, decode, read_payload

from monitor.codecs import normalise
from monitor.errors import VigilError
from monitor.model import ModelSpec, Schema, Source

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
BODIES = {
    "sagemaker": ("sagemaker-capture.jsonl", "sagemaker-ground-truth.jsonl"),
    "databricks": ("databricks-legacy.jsonl", "databricks-gateway.jsonl"),
    "mlflow": ("mlflow.jsonl",),
    "bentoml": ("bentoml-data.log",),
    "payload": ("payloads.jsonl",),
}
MEDIA = ("application/json", "text/csv", "application/jsonlines", "")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SOURCES = tuple(
    Source(kind, columns=("age", "plan", "c"), score=score, classes=classes, actual="truth", time_zone="UTC")  # type: ignore[arg-type]
    for kind in ("sagemaker", "databricks", "mlflow", "bentoml")
    for score, classes in ((0, ()), ("score", ("a", "b")))
)
SPEC = ModelSpec("m", "binary_classification", features={"age": "numeric", "plan": "categorical"}, sources=SOURCES)


def one_input(name: str, data: bytes) -> None:
    """The first byte chooses what of, the others are the body."""
    choice, body = data[0], data[1:]
    try:
        if name == "payload":
            payload = read_payload(body, "outputs" if choice % 2 else "inputs", MEDIA[choice // 2 % 4], choice > 127)
            assert {len(column) for column in payload.laid_out().values()} <= {payload.n_rows}
            return
        kind = "outcomes" if choice % 4 == 0 else "predictions"
        query = {"timestamp": "2026-01-31T12:00:00Z"} if choice % 3 else {}
        columns = decode(name, "application/x-ndjson", body, kind, query, SPEC)
        normalise(columns, Schema(SPEC, SPEC.features), kind, "B", NOW)
    except (VigilError, Unreadable) as error:
        str(error).encode("utf-8", "backslashreplace")


def main(arguments: list[str]) -> None:
    names = [a for a in arguments if a in BODIES]
    options = [a for a in arguments if a not in BODIES]
    with tempfile.TemporaryDirectory() as corpus:
        for i, name in enumerate(names):
            for file in BODIES[name]:
                lines = (FIXTURES / file).read_bytes().splitlines()
                for k, body in enumerate([b"\n".join(lines), *lines]):
                    for choice in (0, 1, 2, 7):
                        (Path(corpus) / f"{file}-{k}-{choice}").write_bytes(bytes([i, choice]) + body)

        def test(data: bytes) -> None:
            if len(data) > 1:
                one_input(names[data[0] % len(names)], data[1:])

        atheris.Setup([sys.argv[0], *options, "-rss_limit_mb=1500", corpus], test)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
