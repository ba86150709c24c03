"""The script that draws the charts: Vega, Vega-Lite and Vega-Embed in one, taken from vl-convert, so that the console
needs no other host and no build step."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import structlog

VERSION = version("vl-convert-python")

logger = structlog.get_logger("vigil.console")

_BUILD = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


class Bundle:
    """The script, gzipped: built once (1.5 s) and kept in ``folder``, under a name that carries its version."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"vega-{VERSION}.js.gz"
        self._lock = threading.Lock()
        self._bytes: bytes | None = None

    def warm(self) -> None:
        """Build it in the background, that the first page need not wait."""
        threading.Thread(target=self.read, name="vigil-vega", daemon=True).start()

    def read(self) -> bytes:
        """The gzipped script. It is built in a process of its own, whose 150 MB end with it."""
        with self._lock:
            if self._bytes is None:
                self._bytes = self.file.read_bytes() if self.file.exists() else self._build()
            return self._bytes

    def _build(self) -> bytes:
        made = subprocess.run([sys.executable, "-c", _BUILD], check=True, capture_output=True).stdout
        packed = gzip.compress(made, 9, mtime=0)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self.file.with_suffix(".draft")
            draft.write_bytes(packed)
            draft.replace(self.file)
        except OSError as error:        # a full or read-only disk costs the next start 1.5 s, and nothing else
            logger.warning("chart script not kept", file=str(self.file), error=str(error))
        return packed
