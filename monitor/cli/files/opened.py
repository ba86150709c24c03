"""Files on disk: what form they have by their ending, gzip and zstd undone as they are read, never held whole."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.cli.failure import USAGE, Failure

Form = Literal["parquet", "arrow", "json", "ndjson", "csv"]
ENDINGS: dict[str, Form] = {
    ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".ipc": "arrow", ".feather": "arrow",
    ".json": "json", ".jsonl": "ndjson", ".ndjson": "ndjson", ".log": "ndjson", ".csv": "csv",
}  # fmt: skip
_ROTATED = re.compile(r"\.\d{4}-\d\d-\d\d\S*")
PACKED = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
MAX_DOCUMENT = 256 << 20        # bytes of a JSON file that is one document: it can only be read whole


@dataclass(frozen=True, slots=True)
class File:
    path: Path
    form: Form
    packed: str | None = None

    @classmethod
    def of(cls, path: Path) -> File:
        """
        >>> File.of(Path("june.csv.gz")).form, File.of(Path("june.csv.gz")).packed
        ('csv', 'gzip')
        """
        bare = bare_of(path)
        if bare.suffix not in ENDINGS:
            mend = f"Name it {', '.join(ENDINGS)}, with or without {', '.join(PACKED)} behind it"
            raise Failure(f"'{path}' has none of the known endings", mend, USAGE)
        return cls(path, ENDINGS[bare.suffix], PACKED.get(path.suffix))

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """Its bytes, unpacked as they are read."""
        with self._faults():
            if self.packed == "gzip":
                with gzip.open(self.path, "rb") as unpacked:
                    yield unpacked  # type: ignore[misc]    # reads as any file does
            elif self.packed == "zstd":
                with pa.CompressedInputStream(pa.OSFile(str(self.path)), "zstd") as unpacked:
                    yield io.BufferedReader(unpacked, 1 << 20)
            else:
                with self.path.open("rb", buffering=1 << 20) as plain:
                    yield plain

    @contextmanager
    def seekable(self) -> Iterator[Any]:
        """What Arrow can seek in: the file, or a copy on disk of what was packed."""
        if self.packed is None:
            with self._faults(), pa.OSFile(str(self.path)) as source:
                yield source
            return
        with self.stream() as unpacked, tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(unpacked, copy, 1 << 20)
            copy.seek(0)
            yield copy

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            mend = "See that it is whole, and that its ending is the right one"
            raise Failure(f"{self.path} cannot be read: {reason}", mend, USAGE) from error
        except OSError as error:
            if error.filename is not None:
                raise
            mend = "See that it is whole, and that its ending is the right one"
            raise Failure(f"{self.path} cannot be read: {error}", mend, USAGE) from error

    def names(self) -> list[str]:
        """The columns of a table; none for JSON, whose rows are sent under their own names."""
        if self.form == "parquet":
            with self.seekable() as source:
                return list(pq.read_schema(source).names)
        if self.form == "arrow":
            with self.seekable() as source:
                return list(arrow_reader(source).schema.names)
        return []

    def document(self) -> Any:
        """The value of a JSON file."""
        with self.stream() as stream:
            text = stream.read(MAX_DOCUMENT + 1)
        mend = "A file of one object a line is named .jsonl"
        if len(text) > MAX_DOCUMENT:
            raise Failure(f"{self.path} is one JSON document of over {MAX_DOCUMENT >> 20} MiB", mend, USAGE)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Failure(f"{self.path} is not JSON: {error}", mend, USAGE) from error


def bare_of(path: Path) -> Path:
    """A file's name without what says that it is packed, or that a log was rotated.

    >>> bare_of(Path("june.csv.gz")).name, bare_of(Path("data.1.log.2022-11-09")).name
    ('june.csv', 'data.1.log')
    """
    if _ROTATED.fullmatch(path.suffix):
        return path.with_suffix("")
    return path.with_suffix("") if path.suffix in PACKED else path


def arrow_reader(source: Any) -> Any:
    """A reader of an Arrow file or stream."""
    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)
