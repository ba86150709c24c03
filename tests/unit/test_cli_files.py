"""Files as request bodies: what columns are called on the wire, the three shapes of JSON, pieces and their keys."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.cli.failure import USAGE, Failure
from monitor.cli.files import ARROW, Declared, Piece, bare_columns, column_names, pieces, to_wire

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
        ("a.jsonl", '{"x": 1}\n\n{"x": 2}\n{"x": 3}\n', {}),
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
    with pytest.raises(Failure, match=r"a.csv' has none of the known endings") as caught:
        column_names(tmp_path / "a.csv")
    assert ".parquet" in caught.value.mend


def test_the_key_of_a_piece_follows_from_what_is_in_it(tmp_path: Path) -> None:
    file, same = write(tmp_path, "a.parquet"), write(tmp_path, "b.parquet")

    def keys(of: Path, rows: int | None = 2, kind: str = "predictions") -> list[str]:
        return [p.key for p in pieces(of, kind, rows, DECLARED, RENAME)]      # type: ignore[arg-type]

    assert keys(file) == keys(same)
    assert len({*keys(file), *keys(file, 3), *keys(file, kind="reference")}) == 3 + 2 + 3
    assert all(len(k) <= 128 for k in keys(file))
