"""Streaming detection: River's detectors over the values of one stream, with a state that outlives a kill.

``step`` takes an array of values to a new state and the signals found. ADWIN is the default. docs/streams.md has each
detector's false-alarm rate and delay, at these settings and at River's own.
"""

from detectors.streams.settings import DETECTORS, DOMAIN, SETTINGS, Settings, check_settings, river_settings
from detectors.streams.signal import Signal
from detectors.streams.state import UnreadableState
from detectors.streams.step import step

__all__ = [
    "DETECTORS",
    "DOMAIN",
    "SETTINGS",
    "Settings",
    "Signal",
    "UnreadableState",
    "check_settings",
    "river_settings",
    "step",
]
