"""A chart as a PNG: a specification of the console's charts, drawn in the light theme by a process of its own.

The library that draws takes 150 MB, which end with that process; a picture that does not come in time is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import structlog

PATIENCE = 5.0          # seconds
WIDTH = 640             # pixels, where a specification would fill its container
MOST_BYTES = 500_000    # of a picture that is sent
_DRAW = (
    "import json, sys, vl_convert; "
    "sys.stdout.buffer.write(vl_convert.vegalite_to_png(json.load(sys.stdin), scale=1.5))"
)
_SOFT, _LINE, _VALUE, _BAD, _REFERENCE, _SIGNAL = "#566174", "#dde1e8", "#1f5fbf", "#b3261e", "#8a93a3", "#7a3fb0"
_AXIS = {
    "labelColor": _SOFT, "titleColor": _SOFT, "gridColor": _LINE, "domainColor": _LINE, "tickColor": _LINE,
    "labelFontSize": 11,
}  # fmt: skip
# What static/charts.js makes of the page's variables when it is light.
LIGHT: dict[str, Any] = {
    "background": "white",
    "view": {"stroke": None},
    "axis": _AXIS,
    "style": {
        "value": {"color": _VALUE, "strokeWidth": 1.5},
        "interval": {"color": _VALUE, "opacity": 0.18},
        "limit": {"color": _BAD, "strokeWidth": 1.3, "strokeDash": [5, 3]},
        "reference": {"color": _REFERENCE, "strokeWidth": 1.6, "strokeDash": [1, 3]},
        "breach-band": {"color": _BAD, "opacity": 0.1},
        "selected": {"color": _SOFT, "opacity": 0.2},
        "estimate": {"color": _VALUE, "strokeWidth": 1.5, "strokeDash": [6, 4], "opacity": 0.65},
        "estimate-interval": {"color": _VALUE, "opacity": 0.09},
        "settled": {"color": _VALUE, "size": 9, "opacity": 1},
        "provisional": {"color": _VALUE, "strokeWidth": 1.2, "size": 26, "opacity": 1},
        "breach": {"color": _BAD, "size": 30, "opacity": 1},
        "incident": {"color": _BAD, "size": 110, "opacity": 1},
        "incident-line": {"color": _BAD, "strokeWidth": 1.2},
        "signal": {"color": _SIGNAL, "size": 70, "opacity": 1},
        "signal-line": {"color": _SIGNAL, "strokeWidth": 1, "strokeDash": [2, 3]},
        "hover": {"opacity": 0},
        "empty": {"color": _SOFT, "fontSize": 11},
    },
}

logger = structlog.get_logger("vigil.notifier")


def draw(spec: dict[str, Any], patience: float = PATIENCE) -> bytes | None:
    """The picture of a specification; ``None`` where it cannot be drawn, takes longer than ``patience`` seconds, or is
    too large to be sent. It never raises: a notice without its picture is told all the same."""
    whole = json.dumps({**spec, "width": WIDTH, "config": LIGHT}).encode()
    try:
        made = subprocess.run([sys.executable, "-c", _DRAW], input=whole, capture_output=True, timeout=patience)
    except (subprocess.TimeoutExpired, OSError) as error:
        logger.warning("a notice goes without its picture", why=type(error).__name__)
        return None
    if made.returncode or not 0 < len(made.stdout) <= MOST_BYTES:
        logger.warning("a notice goes without its picture", exit=made.returncode, bytes=len(made.stdout))
        return None
    return made.stdout
