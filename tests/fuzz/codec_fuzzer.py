"""Mutated bodies through the codecs, guided by what they reach: ``codec_fuzzer.py CODEC... [libFuzzer's options]``.

Whatever the bytes are, a codec gives columns that ``normalise`` takes, or an error of Vigil's own. Anything else, or
memory beyond the limit, is a finding: the input is written to the working folder, and the exit code is not 0.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]
with atheris.instrument_imports(include=["monitor.codecs"], enable_loader_override=False):
    from monitor.codecs import decode, from_ipc, normalise, to_ipc

import wire_bodies  # noqa: E402

from monitor.batch import Kind  # noqa: E402
from monitor.errors import VigilError  # noqa: E402
from monitor.model import ModelSpec, Schema  # noqa: E402

CODECS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
}
KINDS: tuple[Kind, ...] = ("predictions", "outcomes", "reference")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SPECS = [
    ModelSpec.from_dict({"model": "m", "features": {"n": "numeric", "c": "categorical", "v": "embedding[2]"}, **task})
    for task in (
        {"task": "binary_classification", "favourable": 1, "protected_attributes": {"sex": {}}},
        {"task": "multiclass_classification", "classes": ["a", "b"]},
        {"task": "regression"},
        {"task": "ranking"},
    )
]


def seeds() -> list[wire_bodies.Row]:
    at = datetime(2026, 6, 1, 12, 0, 0, 500)  # noqa: DTZ001  (the bodies write it as UTC)
    return [
        {
            "prediction_id": f"p{i}", "timestamp": at, "prediction_label": i % 2, "prediction_score": i / 4,
            "prediction_value": i * 1.5, "actual_label": 1, "actual_value": 2.5, "model_version": "v1",
            "role": "shadow" if i else None, "features.n": i * 1e3 if i else None, "features.c": "02139",
            "features.v": [0.5, 1.0], "tags.state": 'M,"A', "protected.sex": "f", "latency_ms": 3,
        }
        for i in range(4)
    ]  # fmt: skip


def one_input(media: str, data: bytes) -> None:
    """The first byte chooses the kind of batch and the model, the others are the body."""
    if not data:
        return
    kind, spec, body = KINDS[data[0] % 3], SPECS[data[0] // 3 % len(SPECS)], data[1:]
    try:
        batch = normalise(decode(media, body, kind, {}), Schema(spec, spec.features), kind, "B", NOW)
    except VigilError as error:
        str(error).encode()     # what is answered must be text
        return
    for reject in batch.rejects:
        reject.reason.encode()
    batch.table.validate(full=True)
    assert from_ipc(to_ipc(batch.table)).equals(batch.table)


def main(arguments: list[str]) -> None:
    names = [a for a in arguments if a in CODECS]
    media = [CODECS[name] for name in names]
    options = [a for a in arguments if a not in CODECS]
    bodies = wire_bodies.bodies(seeds())
    with tempfile.TemporaryDirectory() as corpus:
        for i, kind in enumerate(media):
            for choice in range(3 * len(SPECS)):
                first = bytes([choice]) if len(media) == 1 else bytes([i, choice])
                (Path(corpus) / f"{i}-{choice}").write_bytes(first + bodies[kind])

        def test(data: bytes) -> None:
            if len(media) == 1:
                one_input(media[0], data)
            elif data:
                one_input(media[data[0] % len(media)], data[1:])

        atheris.Setup([sys.argv[0], *options, "-rss_limit_mb=1500", corpus], test)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
