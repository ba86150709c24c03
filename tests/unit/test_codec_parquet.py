"""Parquet: whole files are read; forged, swollen, deep and encrypted ones are refused before memory is asked for."""

from __future__ import annotations

import io
import struct
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from monitor.batch import Envelope
from monitor.codecs import decode, parquet_size, tables, thrift
from monitor.codecs.columns import Columns
from monitor.errors import MalformedBody, TooLarge

TABLE = pa.table({
    "prediction_id": ["a", "b", "c"],
    "timestamp": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
    "features.x": [1.5, None, 3.0],
    "features.plan": pa.array(["u", "v", "u"]).dictionary_encode(),
})  # fmt: skip


def file(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read(body: bytes, **query: str) -> Columns:
    return decode("application/vnd.apache.parquet", body, "predictions", query)


def plain(found: Columns) -> dict[str, list[Any]]:
    return {name: array.to_pylist() for name, array in found.data.items()}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "options",
    [
        {}, {"row_group_size": 1}, {"compression": "zstd"}, {"compression": "gzip"}, {"data_page_version": "2.0"},
        {"use_dictionary": False}, {"store_schema": False}, {"version": "1.0"}, {"data_page_size": 1},
        {"write_page_index": True}, {"use_dictionary": False, "column_encoding": {
            "prediction_id": "DELTA_LENGTH_BYTE_ARRAY", "timestamp": "DELTA_BINARY_PACKED",
            "features.x": "BYTE_STREAM_SPLIT"}},
    ],
)  # fmt: skip
def test_files_however_written(options: dict[str, Any]) -> None:
    found = read(file(TABLE, **options), clock="event")
    assert plain(found) == TABLE.to_pydict()
    assert (found.n_rows, found.envelope) == (3, Envelope(clock="event"))


def test_structs_lists_and_maps() -> None:
    table = pa.table({
        "features": pa.array([{"x": 1, "v": [1.0, 2.0], "y": "a"}, None]), "tags": pa.array([{"state": "MA"}, None]),
        "prediction_score": pa.array([[("a", 1.0)], None], pa.map_(pa.string(), pa.float64())),
    })  # fmt: skip
    assert plain(read(file(table))) == {
        "features.x": [1, None], "features.v": [[1.0, 2.0], None], "features.y": ["a", None],
        "tags.state": ["MA", None], "prediction_score": [[("a", 1.0)], None],
    }  # fmt: skip


def test_no_rows_and_no_columns() -> None:
    assert read(file(TABLE.slice(0, 0))).n_rows == read(file(pa.table({}))).n_rows == 0
    assert list(read(file(TABLE.slice(0, 0))).data) == TABLE.column_names


def test_every_cut_is_refused() -> None:
    body = file(TABLE)
    for end in range(0, len(body), 7):
        with pytest.raises(MalformedBody):
            read(body[:end])


@pytest.mark.parametrize(
    "body", [b"", b"PAR1", b"PAR1" * 3, b"[]", b"\xff" * 64, b"PAR1\xff\xff\xff\x7fPAR1", b"\0" * 64]
)
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read(body)


def test_flipped_bytes_never_escape_as_another_error() -> None:
    body = file(TABLE, compression="zstd")
    refused = 0
    for at in range(0, len(body), 3):
        forged = bytearray(body)
        forged[at] ^= 0xFF
        try:
            read(bytes(forged))
        except (MalformedBody, TooLarge):
            refused += 1
    assert refused > 50


def test_a_forged_statistic_of_a_column_is_refused_and_does_not_end_the_process() -> None:
    """pyarrow's own metadata of a column chunk ends the process here: found by the fuzzer. A histogram of the four
    levels of a list is given a fifth count."""
    body = file(pa.table({"x": pa.array([[1], None])}))
    at = body.rindex(b"\x19\x46\x02\x00\x00\x02")
    forged = body[:at] + b"\x19\x56\x02\x00\x00\x02\x00" + body[at + 6 :]
    size = int.from_bytes(body[-8:-4], "little") + 1
    with pytest.raises(MalformedBody):
        read(forged[:-8] + struct.pack("<I", size) + b"PAR1")


def test_a_file_that_swells_is_refused_by_the_headers_of_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    body = file(pa.table({"features.x": pa.array([0.5] * 100_000)}), use_dictionary=False, compression="zstd")
    assert len(body) < 20_000
    assert read(body).n_rows == 100_000
    monkeypatch.setattr(parquet_size, "MAX_UNPACKED", 799_999)
    with pytest.raises(TooLarge, match="unpacks"):
        read(body)


def test_a_long_word_in_many_rows_is_refused_before_it_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in (pa.table({"f": ["x" * 1_000] * 1_000}), pa.table({"f": [[{"a": "x" * 1_000}]] * 1_000})):
        body = file(table)
        assert len(body) < 6_000
        assert read(body).n_rows == 1_000
        monkeypatch.setattr(tables, "MAX_UNPACKED", 999_999)
        with pytest.raises(TooLarge, match="dictionaries"):
            read(body)
        monkeypatch.undo()


def test_a_few_bytes_that_would_fill_a_gigabyte() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int8()), pa.array(["x" * 1_000_000]))
    body = file(pa.table({"features.plan": words}), compression="zstd")
    assert len(body) < 1_000
    with pytest.raises(TooLarge, match="512 MiB"):
        read(body)


def test_a_list_of_many_values_is_counted_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    body = file(pa.table({"f": pa.array([[0] * 100_000])}))
    assert len(body) < 5_000
    monkeypatch.setattr(parquet_size, "MAX_UNPACKED", 700_000)
    with pytest.raises(TooLarge, match="unpacks"):
        read(body)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value, part in (
        ("MAX_ROWS", 2, "3 rows"), ("MAX_COLUMNS", 3, "4 columns"), ("MAX_CELLS", 11, "4 columns"),
        ("MAX_FOOTER", 100, "footer"), ("MAX_PAGES", 3, "pages"),
    ):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(parquet_size, limit, value)
            with pytest.raises(TooLarge, match=part):
                read(file(TABLE))


def test_deep_nesting_is_refused() -> None:
    array = pa.array([1])
    for _ in range(20):
        array = pa.StructArray.from_arrays([array], ["a"])
    with pytest.raises(MalformedBody, match="nested too deep"):
        read(file(pa.table({"features": array})))


def test_text_that_is_read_plain_must_not_be_in_a_dictionary_too() -> None:
    """A forged file may mix them; here one row group is put behind the other's pages."""
    plain_text = {"use_dictionary": False, "column_encoding": {"x": "DELTA_LENGTH_BYTE_ARRAY"}}
    table = pa.table({"x": ["abc"] * 9})
    assert plain(read(file(table, **plain_text))) == table.to_pydict()
    asked = parquet_size._Asked()
    for body in (file(table), file(table, **plain_text)):
        footer = parquet_size._footer(body)
        group = thrift.structs(footer, 4)[0]
        meta = thrift.inner(thrift.structs(group, 1)[0], 3)
        assert meta is not None
        parquet_size._check_chunk(body, meta, 0, 4, asked)
    assert asked.encodings[0] >= {6, 8}
    with pytest.raises(ValueError, match="both"):
        asked.plain()


def test_text_that_is_written_as_what_precedes_it_is_refused() -> None:
    body = file(pa.table({"x": ["abc"] * 9}), use_dictionary=False, column_encoding={"x": "DELTA_BYTE_ARRAY"})
    with pytest.raises(MalformedBody, match="write it plain or with a dictionary"):
        read(body)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_encrypted_files_are_refused_by_name(plaintext_footer: bool) -> None:
    class Kms(pe.KmsClient):  # type: ignore[misc]
        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
            return key_bytes

    factory = pe.CryptoFactory(lambda _: Kms())
    config = pe.EncryptionConfiguration(
        footer_key="k", column_keys={"k": ["prediction_id"]}, plaintext_footer=plaintext_footer
    )
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink, TABLE.schema, encryption_properties=factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    ) as writer:
        writer.write_table(TABLE)
    with pytest.raises(MalformedBody, match="encrypted"):
        read(sink.getvalue())


def test_bytes_that_are_no_utf8_are_refused() -> None:
    body = file(pa.table({"prediction_id": ["\xff-marked"]}), compression="none", use_dictionary=False)
    with pytest.raises(MalformedBody):
        read(body.replace("\xff-marked".encode(), b"\xff\xfe-marked"))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x15", b"\x18\x05ab", b"\x1c" * 40 + b"\0", b"\x0e\x02", b"\x15\x02\x05\x02\x02\0", b"\x16" + b"\xff" * 11],
)
def test_headers_that_are_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        thrift.read_struct(data, 0)


def test_headers_of_every_kind_are_passed_over() -> None:
    data = bytes.fromhex(
        "11 12 1305 1406 17 0000000000000000 18 026162 19 25 0204 1b 0185 0163 06 1b00 1c 150200 1a 31 010201"
        "05 c801 02 00"
    )
    assert thrift.read_struct(data, 0) == (
        {
            1: (1, None), 2: (2, None), 3: (3, 5), 4: (4, 3), 5: (7, None), 6: (8, None), 7: (9, [1, 2]), 8: (11, None),
            9: (11, None), 10: (12, {1: (5, 1)}), 11: (10, [1, 2, 1]), 100: (5, 1),
        },
        len(data),
    )  # fmt: skip
