"""How much memory an Arrow stream asks for once its compressed buffers are unpacked, read from its headers alone.

A compressed buffer begins with its unpacked length (int64, -1: stored as it is), and a reader allocates that much
before it unpacks; so a few bytes may ask for terabytes. pyarrow has no limit to set, hence this look ahead. It follows
the flatbuffers of https://github.com/apache/arrow/blob/main/format/Message.fbs: a table's first field is an int32 back
to its vtable, which lists the offset of each of its slots.
"""

from __future__ import annotations

import struct

import pyarrow as pa

# Slots of the tables, by their place in Message.fbs.
_MESSAGE_HEADER_TYPE, _MESSAGE_HEADER = 1, 2
_DICTIONARY_BATCH_DATA = 1
_RECORD_BATCH_BUFFERS, _RECORD_BATCH_COMPRESSION = 2, 3
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


def unpacked_size(body: bytes) -> int:
    """Bytes that all compressed buffers of a stream say they unpack to; 0 for a stream without compression."""
    total = 0
    with pa.BufferReader(body) as stream:
        reader = pa.ipc.MessageReader.open_stream(stream)
        while True:
            try:
                message = reader.read_next_message()
            except StopIteration:
                return total
            total += _message_size(message.metadata.to_pybytes(), memoryview(message.body or b""))


def _message_size(meta: bytes, body: memoryview) -> int:
    try:
        root = _int32(meta, 0)
        kind_at = _slot(meta, root, _MESSAGE_HEADER_TYPE)
        kind = meta[kind_at] if kind_at else 0
        if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH):
            return 0
        batch = _table(meta, root, _MESSAGE_HEADER)
        if kind == _DICTIONARY_BATCH:
            batch = _table(meta, batch, _DICTIONARY_BATCH_DATA)
        if not _slot(meta, batch, _RECORD_BATCH_COMPRESSION):
            return 0
        vector = _table(meta, batch, _RECORD_BATCH_BUFFERS)
        total = 0
        for i in range(_int32(meta, vector)):
            offset, length = struct.unpack_from("<qq", meta, vector + 4 + 16 * i)
            if length:
                total += max(0, struct.unpack_from("<q", body, offset)[0])
        return total
    except (struct.error, IndexError):
        raise ValueError("a message's header points outside of it") from None


def _slot(meta: bytes, table: int, slot: int) -> int:
    """Where a table's slot lies, or 0 where the table does not have it."""
    vtable = table - _int32(meta, table)
    size = struct.unpack_from("<H", meta, vtable)[0]
    at = 4 + 2 * slot
    offset: int = struct.unpack_from("<H", meta, vtable + at)[0] if at < size else 0
    return table + offset if offset else 0


def _table(meta: bytes, table: int, slot: int) -> int:
    """Where the table or vector that a slot refers to lies."""
    at = _slot(meta, table, slot)
    if not at:
        raise IndexError
    return at + _int32(meta, at)


def _int32(meta: bytes, at: int) -> int:
    number: int = struct.unpack_from("<i", meta, at)[0]
    return number
