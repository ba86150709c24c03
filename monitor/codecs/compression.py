"""``Content-Encoding``: gzip and zstd, unpacked in pieces and never beyond a limit, whatever the bytes promise.

Sources of the formats: https://www.rfc-editor.org/rfc/rfc1952 and https://www.rfc-editor.org/rfc/rfc8878. Both allow
several members or frames, one behind the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa

from monitor.errors import MalformedBody, TooLarge, UnsupportedFormat

_PIECE = 2**20
_GZIP = 16 + zlib.MAX_WBITS     # zlib's word for "with a gzip header and its checksum"


def encoding_of(header: str) -> str:
    """The encoding that a header names, ``identity`` where it is empty; ``UnsupportedFormat`` for any other.

    >>> encoding_of(" GZIP "), encoding_of("")
    ('gzip', 'identity')
    """
    name = header.strip().lower() or "identity"
    if name == "x-gzip":        # an old name of the same, RFC 9110 section 8.4.1.3
        name = "gzip"
    if name != "identity" and name not in _UNPACKERS:
        raise UnsupportedFormat(
            f"the content encoding {header.strip()[:40]!a} is not taken here", "Send the body plain, as gzip or as zstd"
        )
    return name


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain bytes of a body. ``encoding`` is one that ``encoding_of`` returned; ``limit`` in bytes.

    Raises ``TooLarge`` as soon as they pass ``limit``, and ``MalformedBody`` for what is cut off or damaged.

    >>> unpack(zlib.compress(b"hello", wbits=31), "gzip", 100)
    b'hello'
    >>> unpack(zlib.compress(bytes(10**6), wbits=31), "gzip", 1_000)
    Traceback (most recent call last):
    monitor.errors.TooLarge: the body unpacks to over 1000 bytes. Send it in smaller parts, or raise
    VIGIL_MAX_UNPACKED_BYTES
    """
    if encoding == "identity":
        return body
    pieces, size = [], 0
    try:
        for piece in _UNPACKERS[encoding](body, min(_PIECE, limit + 1)):
            size += len(piece)
            if size > limit:
                mend = "Send it in smaller parts, or raise VIGIL_MAX_UNPACKED_BYTES"
                raise TooLarge(f"the body unpacks to over {limit} bytes", mend)
            pieces.append(piece)
    except (zlib.error, EOFError, OSError) as error:
        why = "is cut off" if isinstance(error, EOFError) or "Truncated" in str(error) else "is damaged"
        raise MalformedBody(f"The body {why}: it cannot be unpacked as {encoding}", "Send the whole of it") from None
    return b"".join(pieces)


def _gunzip(body: bytes, most: int) -> Iterator[bytes]:
    while body:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            piece = member.decompress(body, most)
            if not piece and not member.eof and not member.unconsumed_tail:
                raise EOFError
            body = member.unconsumed_tail
            yield piece
        body = member.unused_data


def _unzstd(body: bytes, most: int) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
        while piece := stream.read(most):
            yield piece


_UNPACKERS: dict[str, Callable[[bytes, int], Iterator[bytes]]] = {"gzip": _gunzip, "zstd": _unzstd}
