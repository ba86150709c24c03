"""``application/vnd.apache.parquet``: flat columns named ``features.age``, or structs ``features``, ``tags``,
``protected``. The envelope comes in the query.

Source of the format: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.batch import Kind
from monitor.codecs.columns import MAX_ROWS, Columns, read_envelope
from monitor.codecs.parquet_size import check_memory
from monitor.codecs.tables import from_table
from monitor.errors import MalformedBody, TooLarge, VigilError

_MEND = "Send the file whole and not encrypted, as pyarrow.parquet.write_table writes it"
_ELEMENTS = 100_000     # of any one list in the footer


def decode_parquet(body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """One table of all row groups. Timestamps must be stored with a zone (``isAdjustedToUTC``); INT96 has none."""
    envelope = read_envelope({}, query)
    try:
        return from_table(_read(body, check_memory(body)), kind, envelope)
    except VigilError:
        raise
    except Exception as error:      # the reader throws errors of many types (RuntimeError, OSError, KeyError, ...)
        reason = str(error).split("\n")[0][:200]
        raise MalformedBody(f"The body is not a Parquet file that can be read: {reason}", _MEND) from None


def _read(body: bytes, plain: set[int]) -> pa.Table:
    options = {"thrift_string_size_limit": len(body), "thrift_container_size_limit": _ELEMENTS, "pre_buffer": False}
    with pq.ParquetFile(pa.BufferReader(body), **options) as file:
        # The schema alone: the metadata of a column chunk would end the process where it is forged.
        leaves = [file.schema.column(i) for i in range(len(file.schema))]
        words = [leaf.path for i, leaf in enumerate(leaves) if leaf.physical_type == "BYTE_ARRAY" and i not in plain]
    with pq.ParquetFile(pa.BufferReader(body), read_dictionary=words, **options) as file:
        groups, n_rows = [file.schema_arrow.empty_table()], 0
        for i in range(file.num_row_groups):
            groups.append(file.read_row_group(i, use_threads=False))
            n_rows += groups[-1].num_rows
            if n_rows > MAX_ROWS:
                raise TooLarge(f"Over {MAX_ROWS} rows in one batch", "Send several smaller batches")
        return pa.concat_tables(groups)
