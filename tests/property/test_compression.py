"""Compressed bodies: what was packed comes back, what is damaged is said, and nothing passes the limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.codecs.compression import encoding_of, unpack
from monitor.errors import InvalidInput, MalformedBody, TooLarge, UnsupportedFormat

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda plain: pa.compress(plain, codec="zstd", asbytes=True),
}
encodings = st.sampled_from(sorted(PACK))
content = st.binary(max_size=300) | st.builds(lambda piece, n: piece * n, st.binary(max_size=9), st.integers(0, 9_000))


@given(encoding=encodings, pieces=st.lists(content, min_size=1, max_size=4), over=st.integers(-2, 2))
def test_members_come_back_together_up_to_the_limit_alone(encoding: str, pieces: list[bytes], over: int) -> None:
    packed, plain = b"".join(map(PACK[encoding], pieces)), b"".join(pieces)
    limit = max(0, len(plain) - over)
    if len(plain) > limit:
        with pytest.raises(TooLarge, match=f"over {limit} bytes"):
            unpack(packed, encoding, limit)
    else:
        assert unpack(packed, encoding, limit) == plain


@given(encoding=encodings, piece=content, data=st.data())
def test_what_is_cut_off_is_never_taken_for_whole(encoding: str, piece: bytes, data: st.DataObject) -> None:
    packed = PACK[encoding](piece)
    cut = data.draw(st.integers(1, len(packed) - 1))
    for before in (b"", packed):
        with pytest.raises(MalformedBody, match="cannot be unpacked as"):
            unpack(before + packed[:cut], encoding, 10**6)


@settings(max_examples=200)
@given(encoding=encodings, piece=content, junk=st.binary(max_size=60), at=st.integers(0, 60), put=st.booleans())
def test_bytes_of_any_kind_are_taken_or_refused(encoding: str, piece: bytes, junk: bytes, at: int, put: bool) -> None:
    packed = PACK[encoding](piece)
    body = packed[:at] + junk + packed[at if put else at + len(junk) :]
    with suppress(InvalidInput):
        assert len(unpack(body, encoding, 10_000)) <= 10_000


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_a_bomb_takes_no_more_memory_than_the_limit(encoding: str) -> None:
    packer = zlib.compressobj(9, wbits=31)
    pieces = [*(packer.compress(bytes(10**6)) for _ in range(100)), packer.flush()]
    body = b"".join(pieces) if encoding == "gzip" else PACK["zstd"](bytes(10**8))
    assert len(body) < 10**5
    arrow, limit = pa.total_allocated_bytes(), 2 * 10**6
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpack(body, encoding, limit)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 3 * limit
    assert pa.total_allocated_bytes() - arrow < limit


def test_one_encoding_is_taken_and_no_chain_of_them() -> None:
    assert [encoding_of(h) for h in ("", "identity", "GZip", "x-gzip", " zstd")] == [
        "identity", "identity", "gzip", "gzip", "zstd",
    ]  # fmt: skip
    for header in ("br", "gzip, zstd", "gzip,", "identity, gzip"):
        with pytest.raises(UnsupportedFormat, match="is not taken here"):
            encoding_of(header)
