"""What the peers find of the same drifts, at their defaults and at the false-alarm rate that Vigil promises.

Their thresholds are raised, for each of their tests, to what one in a thousand of their own windows without drift
exceeds; that a threshold lies where a few hundred windows put it favours them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.alarms_power import RUN, Power
from bench.peers import FOLDER, REQUIREMENTS, answer, start

SCRIPTS = ("evidently_alarms", "nannyml_alarms")
FALSE_ALARMS = 0.001
WINDOWS = 2 * RUN                          # of each case; five times as many without drift


@dataclass(frozen=True)
class PeerPower:
    """One peer and case: what it finds at its defaults and at the matched rate, and its false alarms at its defaults
    where nothing moved."""

    peer: str
    case: str
    n: int
    default: Power
    matched: Power
    false_alarms: float
    seconds: float


def beside(quick: bool, sizes: Iterable[int]) -> list[PeerPower]:
    """Both peers side by side, one size after the other. Seeds and versions are fixed, so what a peer has said of a
    size once is kept: it takes Evidently minutes."""
    windows, out = RUN if quick else WINDOWS, []
    for n in sizes:
        kept = {script: _kept(script, n, windows) for script in SCRIPTS}
        running = {script: start(script, n, windows) for script, file in kept.items() if not file.exists()}
        for script, process in running.items():
            kept[script].parent.mkdir(parents=True, exist_ok=True)
            kept[script].write_text(json.dumps(answer(process)))
        for file in kept.values():
            out += _powers(json.loads(file.read_text()), n)
    return out


def _kept(script: str, n: int, windows: int) -> Path:
    version = REQUIREMENTS[script.split("_")[0]][0].replace("==", "-")
    return FOLDER / "alarms" / f"{version}-{n}-{windows}.json"


def _powers(said: dict[str, Any], n: int) -> list[PeerPower]:
    found: dict[str, list[tuple[str, str, float, bool]]] = said["found"]
    without = found.pop("null")
    tests = {test for _, test, _, _ in without}
    raised = {t: float(np.quantile([x for _, test, x, _ in without if test == t], 1 - FALSE_ALARMS)) for t in tests}
    usual = float(np.mean([alarm for _, _, _, alarm in without]))
    return [
        PeerPower(
            said["peer"], case, n, _power([alarm for _, _, _, alarm in rows]),
            _power([x > raised[test] for _, test, x, _ in rows]), usual, said["seconds"],
        )
        for case, rows in found.items()
    ]  # fmt: skip


def _power(flags: list[bool]) -> Power:
    """Windows come column by column, so that each ten in a row are a run."""
    return Power(tuple(tuple(flags[i : i + RUN]) for i in range(0, len(flags), RUN)))
