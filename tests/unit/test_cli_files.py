"""Files as request bodies: what columns are called on the wire, the three shapes of JSON, pieces and their keys."""

from __future__ import annotations

import base64
import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.cli.failure import USAGE, Failure
from monitor.cli.files import (
    ARROW,
    EVENTS,
    Declared,
    File,
    Piece,
    bare_columns,
    column_names,
    files_of,
    format_of,
    pieces,
    to_wire,
)
from monitor.codecs import decode

TABLE = pa.table({"prediction_id": list("abcde"), "timestamp": ["2026-01-01T00:00:00Z"] * 5, "age": [1, 2, 3, 4, 5],
                  "sex": list("12121"), "score": [0.5] * 5, "year": [2016] * 5})  # fmt: skip
DECLARED = Declared(("age", "sex"), ("sex",))
RENAME = {"score": "prediction_score"}
WIRE = ["prediction_id", "timestamp", "features.age", "features.sex", "protected.sex", "prediction_score"]


def read(piece: Piece) -> pa.Table:
    with pa.ipc.open_stream(piece.body) as reader:
        return reader.read_all()


def write(folder: Path, name: str) -> Path:
    file = folder / name
    if file.suffix == ".parquet":
        pq.write_table(TABLE, file)
    elif file.suffix == ".arrows":
        with pa.ipc.new_stream(str(file), TABLE.schema) as writer:
            writer.write_table(TABLE)
    else:
        with pa.ipc.new_file(str(file), TABLE.schema) as writer:
            writer.write_table(TABLE)
    return file


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.arrows", "rows.feather"])
def test_a_table_goes_in_pieces_under_the_names_of_the_wire(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, name)
    assert column_names(file) == TABLE.column_names
    found = list(pieces(file, "predictions", 2, DECLARED, RENAME))
    assert [(p.first, p.rows, p.content_type) for p in found] == [(0, 2, ARROW), (2, 2, ARROW), (4, 1, ARROW)]
    assert pa.concat_tables([read(p) for p in found]).equals(to_wire(TABLE, "predictions", DECLARED, RENAME))
    assert read(found[0]).column_names == WIRE


def test_without_declared_features_every_other_column_is_one() -> None:
    assert "features.year" in to_wire(TABLE, "reference", Declared(), RENAME).column_names


def test_only_columns_that_are_no_field_need_the_declaration() -> None:
    assert bare_columns(TABLE.column_names, "predictions", RENAME) == ["age", "sex", "year"]
    assert bare_columns(WIRE, "predictions", {}) == []


def test_outcomes_have_no_features() -> None:
    table = pa.table({"prediction_id": ["a"], "label": [1], "age": [3]})
    assert to_wire(table, "outcomes", DECLARED, {"label": "actual_label"}).column_names == [
        "prediction_id",
        "actual_label",
    ]


@pytest.mark.parametrize(
    ("name", "text", "beside"),
    [
        ("a.json", '[{"x": 1}, {"x": 2}, {"x": 3}]', {}),
        ("a.json", '{"rows": [{"x": 1}, {"x": 2}, {"x": 3}], "source": "s"}', {"source": "s"}),
        ("a.json", '{"columns": {"x": [1, 2, 3]}, "source": "s"}', {"source": "s"}),
    ],
)
def test_each_shape_of_json_keeps_its_rows_and_its_envelope(
    tmp_path: Path, name: str, text: str, beside: dict[str, str]
) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    found = [json.loads(p.body) for p in pieces(file, "outcomes", 2, Declared(), {"x": "y"})]
    assert found == [{**beside, "rows": [{"y": 1}, {"y": 2}]}, {**beside, "rows": [{"y": 3}]}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "is not JSON"),
        ("a.json", b"3", "holds no rows"),
        ("a.json", b'{"columns": {"x": [1], "y": []}}', "holds no rows"),
        ("a.parquet", b"PAR1 no", "cannot be read"),
        ("a.arrow", b"nothing", "cannot be read"),
        ("a.jsonl.gz", b"\x1f\x8b\x08", "cannot be read"),
        ("a.jsonl.gz", b"plain", "cannot be read"),
        ("a.jsonl.zst", b"plain", "cannot be read"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b'a,b\n1,"2\n', "never closed"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(Failure, match=message) as caught:
        list(pieces(file, "outcomes", None, Declared(), {}))
    assert caught.value.exit_code == USAGE
    assert caught.value.mend


def test_an_unknown_ending_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"a.xlsx' has none of the known endings") as caught:
        column_names(tmp_path / "a.xlsx")
    assert ".parquet" in caught.value.mend


def test_the_key_of_a_piece_follows_from_what_is_in_it(tmp_path: Path) -> None:
    file, same = write(tmp_path, "a.parquet"), write(tmp_path, "b.parquet")

    def keys(of: Path, rows: int | None = 2, kind: str = "predictions") -> list[str]:
        return [p.key for p in pieces(of, kind, rows, DECLARED, RENAME)]      # type: ignore[arg-type]

    assert keys(file) == keys(same)
    assert len({*keys(file), *keys(file, 3), *keys(file, kind="reference")}) == 3 + 2 + 3
    assert all(len(k) <= 128 for k in keys(file))


def test_lines_go_as_they_stand_and_blank_ones_do_not(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"x": 1}\n\n{"x": 2}\r\n{"x": 3}', "utf-8")
    found = list(pieces(file, "outcomes", 2, Declared(), {}))
    assert [(p.first, p.rows, p.body) for p in found] == [(0, 2, b'{"x": 1}\n{"x": 2}'), (2, 1, b'{"x": 3}')]
    assert found[-1].share == 1.0
    renamed = list(pieces(file, "outcomes", 2, Declared(), {"x": "y"}))
    assert renamed[1].body == b'{"y": 3}'


CSV = 'prediction_id,age,sex,note\na,1,1,"x, ""y""\nz"\nb,,2,\nc,3,,""\n'


@pytest.mark.parametrize("declared", [DECLARED, Declared(("age", "sex", "note"))])
def test_csv_keeps_what_is_quoted_and_what_is_missing(tmp_path: Path, declared: Declared) -> None:
    """With every column once its lines go as they stand; with one left out, or twice, they are written anew."""
    file = tmp_path / "a.csv"
    file.write_text(CSV, "utf-8")
    assert column_names(file) == ["prediction_id", "age", "sex", "note"]
    found = [decode(p.content_type, p.body, "predictions", {}) for p in pieces(file, "predictions", 2, declared, {})]
    assert [c.n_rows for c in found] == [2, 1]

    def column(name: str) -> list[Any]:
        return [value for c in found for value in c.data[name].to_pylist()]  # type: ignore[union-attr]

    assert column("prediction_id") == ["a", "b", "c"]
    assert column("features.age") == ["1", None, "3"]
    if declared is DECLARED:
        assert column("protected.sex") == column("features.sex") == ["1", "2", None]
        assert "features.note" not in found[0].data
    else:
        assert column("features.note") == ['x, "y"\nz', None, ""]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["a.parquet", "a.arrows", "a.jsonl", "a.csv", "a.json"])
def test_a_packed_file_gives_the_pieces_of_the_plain_one(tmp_path: Path, name: str, ending: str) -> None:
    plain = tmp_path / name
    if name.endswith((".parquet", ".arrows")):
        write(tmp_path, name)
    else:
        text = {"a.jsonl": '{"x": 1}\n{"x": 2}\n', "a.csv": "prediction_id,x\na,1\nb,2\n", "a.json": '[{"x": 1}]'}[name]
        plain.write_text(text, "utf-8")
    packed = tmp_path / (name + ending)
    if ending == ".gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        with pa.CompressedOutputStream(str(packed), "zstd") as out:
            out.write(plain.read_bytes())
    asked = [[(p.body, p.key) for p in pieces(f, "predictions", 2, DECLARED, {})] for f in (plain, packed)]
    assert asked[0] == asked[1] != []


def test_wide_rows_go_in_smaller_requests(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"prediction_id": [str(i) for i in range(64)], "features.e": [[0.5] * 65_536] * 64}), file)
    found = list(pieces(file, "predictions", 10_000, Declared(), {}))
    assert sum(p.rows for p in found) == 64
    assert max(len(p.body) for p in found) < 9 << 20


def test_folders_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    for hour in ("18", "17"):
        folder = tmp_path / "churn" / "AllTraffic" / "2022" / "02" / "14" / hour
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text('{"groundTruthData": {}, "eventMetadata": {}}\n')
        (folder / "_SUCCESS").write_text("")
    found = files_of((tmp_path,))
    assert [f.parent.name for f in found] == ["17", "18"]
    assert format_of(File.of(found[0])) == "sagemaker"
    [piece] = pieces(found[0], "outcomes", 10, Declared(), {}, "sagemaker")
    assert piece.query == {
        "format": "sagemaker", "endpoint": "churn", "variant": "AllTraffic", "timestamp": "2022-02-14T17:00:00Z",
    }  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(Failure, match="no file with a known ending"):
        files_of((tmp_path / "empty",))


def test_rows_of_two_sampling_fractions_share_no_request(tmp_path: Path) -> None:
    rates = [0.5, 0.5, 1.0, 1.0, 1.0]
    lines = [json.dumps({"databricks_request_id": str(i), "sampling_fraction": r}) for i, r in enumerate(rates)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    table = pa.table({"databricks_request_id": list("abcde"), "sampling_fraction": rates})
    pq.write_table(table, tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        found = pieces(tmp_path / name, "predictions", 10, Declared(), {}, "databricks")
        assert [p.rows for p in found] == [2, 3]


def test_the_rows_of_one_request_of_bentoml_stay_together(tmp_path: Path) -> None:
    lines = [json.dumps({"request_id": request, "x": i}) for i, request in enumerate("aabbbc")]
    rotated = tmp_path / "data.1.log.2022-11-09"
    rotated.write_text("\n".join(lines))
    assert [p.rows for p in pieces(rotated, "predictions", 1, Declared(), {}, "bentoml")] == [2, 3, 1]


def test_kserve_s_blob_records_become_events(tmp_path: Path) -> None:
    """Traps: each form has names of its own, and none has a time."""
    body = b'{"instances": [[1]]}'
    named = {"ContentType": "application/json", "ReqType": "org.kubeflow.serving.inference.request", "Id": "0123",
             "Namespace": "ns", "InferenceService": "census", "Component": "predictor", "Endpoint": ""}  # fmt: skip
    go = {"Url": None, "Bytes": base64.b64encode(body).decode(), **named, "SourceUri": None, "Metadata": None,
          "Annotations": {"model-version": "3"}, "CertName": "", "TlsSkipVerify": False}  # fmt: skip
    (tmp_path / "0123-request.json").write_text(json.dumps([go]))
    snake = {"content_type": "ContentType", "req_type": "ReqType", "id": "Id", "namespace": "Namespace",
             "inference_service": "InferenceService", "component": "Component", "endpoint": "Endpoint"}  # fmt: skip
    kind = pa.map_(pa.string(), pa.string())
    columns = {name: [named[of]] for name, of in snake.items()} | {"bytes": [body]}
    columns["annotations"] = pa.array([[("model-version", "3")]], kind)
    pq.write_table(pa.table(columns), tmp_path / "0123-request.parquet")
    # Newer ones write text alone to Parquet and CSV, under other names again.
    camel = {"contentType": "ContentType", "reqType": "ReqType", "inferenceService": "InferenceService"}
    text = {new: named[of] for new, of in ({k: v for k, v in snake.items() if "_" not in k} | camel).items()}
    text |= {"bytes": go["Bytes"], "annotations": json.dumps(go["Annotations"], separators=(",", ":")), "metadata": ""}
    pq.write_table(pa.table({name: [value] for name, value in text.items()}), tmp_path / "new.parquet")
    flat = {**go, "Annotations": text["annotations"], "Bytes": json.dumps(go["Bytes"])}
    for name, record in {"new.csv": text, "old.csv": flat}.items():
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, record)
            writer.writeheader()
            writer.writerow(record)
    asked = []
    for name in ("0123-request.json", "0123-request.parquet", "new.parquet", "new.csv", "old.csv"):
        assert format_of(File.of(tmp_path / name)) == "kserve"
        [piece] = pieces(tmp_path / name, "predictions", 10, Declared(), {}, "kserve")
        assert piece.content_type == EVENTS
        [event] = json.loads(piece.body)
        assert base64.b64decode(event["data_base64"]) == body
        asked.append({key: value for key, value in event.items() if value is not None})
    assert asked == asked[:1] * 5
    assert "time" not in asked[0]
    assert asked[0]["inferenceservicename"] == "census"
