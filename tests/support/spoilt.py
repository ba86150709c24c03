"""Bodies and headers that were good until a few of their bytes were changed."""

from __future__ import annotations

import gzip

import pyarrow as pa
from hypothesis import strategies as st

# What readers of numbers, texts, instants and lengths stumble over.
_PIECES = (
    b"1e999", b"NaN", b"null", b"-0", b"{", b"]", b",", b'"', b"\n", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"9" * 20,
    b"0001-01-01T00:00:00Z", b'"features"', b"\xff\xff\xff\x7f",
)  # fmt: skip
_PACKED = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": lambda body: pa.compress(body, "zstd", asbytes=True),
}


def spoilt(body: bytes, edits: int = 4) -> st.SearchStrategy[bytes]:
    """``body`` with up to so many pieces replaced, left out or put in; as it is, where there is none."""
    piece = st.one_of(st.binary(max_size=4), st.sampled_from(_PIECES))
    edit = st.tuples(st.integers(0, len(body)), st.integers(0, 8), piece)

    def edited(found: list[tuple[int, int, bytes]]) -> bytes:
        out = body
        for at, gone, put in found:
            out = out[:at] + put + out[at + gone :]
        return out

    return st.lists(edit, max_size=edits).map(edited)


@st.composite
def packed(draw: st.DrawFn, body: bytes) -> tuple[str, bytes]:
    """A spoilt body in some content encoding, whose own bytes may be spoilt as well: the encoding's name, and it."""
    coding = draw(st.sampled_from(sorted(_PACKED)))
    whole = _PACKED[coding](draw(spoilt(body)))
    return coding, draw(spoilt(whole, 1)) if coding != "identity" else whole


def sendable(value: bytes) -> bytes:
    """A header's value as a server hands it on: none has a line break or a NUL in it, or space around it."""
    return value.translate(None, b"\r\n\0").strip()
