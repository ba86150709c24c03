"""How much memory a Parquet file asks for, read from its headers alone, before anything of it is decoded.

The footer's sizes and counts are claims of the sender, and so are those in the header of each page, but a reader
allocates by the page headers and stops at them: so their sums are what it can ask for. pyarrow has no limit to set, and
its own view of a column's metadata ends the process where a footer is forged; hence this look ahead. It follows
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.codecs.columns import MAX_CELLS, MAX_COLUMNS, MAX_ROWS
from monitor.codecs.tables import MAX_UNPACKED
from monitor.codecs.thrift import I32, I64, Struct, inner, number, read_struct, structs
from monitor.errors import TooLarge

MAX_FOOTER = 2 * 1024 * 1024
MAX_LEVELS = 16             # of groups in each other; a list takes two
MAX_PAGES = 100_000

# Fields by their numbers in parquet.thrift.
_SCHEMA, _ROWS, _GROUPS, _ENCRYPTION = 2, 3, 4, 8       # of FileMetaData
_TYPE, _LENGTH, _CHILDREN = 1, 2, 5                     # of SchemaElement
_COLUMNS = 1                                            # of RowGroup
_ELSEWHERE, _META, _CRYPTO, _ENCRYPTED = 1, 3, 8, 9     # of ColumnChunk
_N, _SIZE, _AT, _DICTIONARY_AT = 5, 7, 9, 11            # of ColumnMetaData
_UNPACKED, _PACKED, _DATA, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8     # of PageHeader
_VALUES, _ENCODING, _ENCODING_V2 = 1, 2, 4              # of the headers of each kind of page

_DELTA_LENGTH, _DELTA_BYTE_ARRAY = 6, 7
_OF_DICTIONARY = {2, 8}
_WIDTHS = (1, 4, 8, 12, 4, 8, 4)     # by type; of text that of an index; the type behind them names its length
_SMALLER = "Send several smaller batches"


def check_memory(body: bytes) -> set[int]:
    """See that a file is whole, plain, not too deep, and unpacks to what memory has room for.

    Text is expected to be read as dictionaries: a word once, and an index for each row; but for the columns (by their
    places) that are given back, whose pages hold each text whole and have no dictionary. Raises ``TooLarge``, and
    ``ValueError`` for what is no such file, and for text that is written as what precedes it (DELTA_BYTE_ARRAY), where
    a short page may hold any length.
    """
    footer = _footer(body)
    widths = _widths(structs(footer, _SCHEMA))
    n_rows, groups = number(footer, _ROWS, I64) or 0, structs(footer, _GROUPS)
    if n_rows > MAX_ROWS:
        raise TooLarge(f"{n_rows} rows are over the {MAX_ROWS} of one batch", _SMALLER)
    if len(widths) > MAX_COLUMNS or len(widths) * n_rows > MAX_CELLS:
        raise TooLarge(f"{n_rows} rows of {len(widths)} columns are too many for one batch", _SMALLER)
    asked = _Asked()
    for group in groups:
        chunks = structs(group, _COLUMNS)
        if len(chunks) != len(widths):
            raise ValueError("a row group lacks some of the columns")
        for i, (chunk, width) in enumerate(zip(chunks, widths, strict=True)):
            meta = inner(chunk, _META)
            if _CRYPTO in chunk or _ENCRYPTED in chunk:
                raise ValueError("its columns are encrypted")
            if _ELSEWHERE in chunk or meta is None:
                raise ValueError("a column is in another file")
            _check_chunk(body, meta, i, width, asked)
    return asked.plain()


@dataclass(slots=True)
class _Asked:
    """Bytes that pages unpack to, bytes of the values in them, and pages so far; the encodings of each column."""

    unpacked: int = 0
    decoded: int = 0
    pages: int = 0
    encodings: dict[int, set[int | None]] = field(default_factory=dict)

    def plain(self) -> set[int]:
        """The columns whose text stands in their pages whole."""
        found = {i for i, used in self.encodings.items() if _DELTA_LENGTH in used}
        if any(self.encodings[i] & _OF_DICTIONARY for i in found):
            raise ValueError("a column's text is encoded both as DELTA_LENGTH_BYTE_ARRAY and with a dictionary")
        return found

    def check(self) -> None:
        if self.unpacked > MAX_UNPACKED or self.decoded > MAX_UNPACKED:
            raise TooLarge(f"The file unpacks to over {MAX_UNPACKED >> 20} MiB", _SMALLER)
        if self.pages > MAX_PAGES:
            raise TooLarge(f"The file has over {MAX_PAGES} pages", _SMALLER)


def _footer(body: bytes) -> Struct:
    if body[-4:] == b"PARE":
        raise ValueError("its footer is encrypted")
    if len(body) < 12 or body[:4] != b"PAR1" or body[-4:] != b"PAR1":
        raise ValueError("it does not begin and end with PAR1")
    size = int.from_bytes(body[-8:-4], "little")
    if size > len(body) - 12:
        raise ValueError("its footer does not fit in it")
    if size > MAX_FOOTER:
        raise TooLarge(f"The Parquet footer is over {MAX_FOOTER >> 20} MiB", _SMALLER)
    footer, _ = read_struct(body[-8 - size : -8], 0)
    if _ENCRYPTION in footer:
        raise ValueError("its columns are encrypted")
    return footer


def _widths(schema: list[Struct]) -> list[int]:
    """Bytes of a value of each column, from the tree of the schema in preorder."""
    widths = []
    waiting = [1]        # groups that are open, by the children they still lack
    for element in schema:
        while waiting and not waiting[-1]:
            waiting.pop()
        if not waiting or len(waiting) > MAX_LEVELS:
            raise ValueError("its schema is not one tree, or is nested too deep")
        waiting[-1] -= 1
        kind, children = number(element, _TYPE, I32), number(element, _CHILDREN, I32) or 0
        if children < 0 or (kind is not None and not 0 <= kind <= len(_WIDTHS)):
            raise ValueError("its schema has an element of no known type")
        waiting.append(children)
        if kind is not None:
            length = number(element, _LENGTH, I32) or 0
            widths.append(_WIDTHS[kind] if kind < len(_WIDTHS) else max(length, 16))
    if any(waiting):
        raise ValueError("its schema is not one tree")
    return widths


def _check_chunk(body: bytes, meta: Struct, column: int, width: int, asked: _Asked) -> None:
    wanted, values = number(meta, _N, I64), 0
    if wanted == 0:
        return
    at, size, first = number(meta, _AT, I64), number(meta, _SIZE, I64), number(meta, _DICTIONARY_AT, I64)
    if wanted is None or at is None or size is None:
        raise ValueError("a column has no place or size")
    at = first if first and 0 < first < at else at
    end = at + size
    if not 4 <= at <= end <= len(body):
        raise ValueError("a column lies outside of it")
    while at < end and values < wanted:
        header, at = read_struct(body, at)
        unpacked, packed = number(header, _UNPACKED, I32), number(header, _PACKED, I32)
        if unpacked is None or packed is None or unpacked < 0 or not 0 <= packed <= end - at:
            raise ValueError("a page does not fit in its column")
        at += packed
        n, encoding, is_data = _values(header)
        if is_data:
            asked.encodings.setdefault(column, set()).add(encoding)
        if not is_data and n > unpacked:
            raise ValueError("a dictionary has more words than bytes")
        values += n if is_data else 0
        asked.pages += 1
        asked.unpacked += unpacked
        asked.decoded += n * width
        asked.check()
    if values < wanted:
        raise ValueError("a column lacks some of its values")


def _values(header: Struct) -> tuple[int, int | None, bool]:
    """How many values a page says it has, how they are encoded, and whether they are a column's or a dictionary's."""
    for place, encoded in ((_DATA, _ENCODING), (_DATA_V2, _ENCODING_V2), (_DICTIONARY, _ENCODING)):
        page = inner(header, place)
        if page is not None:
            n = number(page, _VALUES, I32)
            if n is None or n < 0:
                raise ValueError("a page has no number of values")
            encoding = number(page, encoded, I32)
            if encoding == _DELTA_BYTE_ARRAY:
                raise ValueError("text is encoded as DELTA_BYTE_ARRAY; write it plain or with a dictionary")
            return n, encoding, place != _DICTIONARY
    return 0, None, False     # an index page, which readers pass over
