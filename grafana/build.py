"""Writes the dashboards' JSON: ``python -m grafana.build``. The committed files are what it writes."""

from __future__ import annotations

import json
from pathlib import Path

from grafana import management, on_call

FOLDER = Path(__file__).resolve().parent / "dashboards"


def files() -> dict[str, str]:
    """Each file's name and text.

    >>> sorted(files())
    ['vigil-management.json', 'vigil-on-call.json']
    """
    return {f"{d['uid']}.json": json.dumps(d, indent=2) + "\n" for d in (on_call.build(), management.build())}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
