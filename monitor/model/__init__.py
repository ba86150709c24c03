"""A model's declaration: its words, how it is read, and what it says."""

from monitor.model.declaration import FeatureType, ModelSpec, ProtectedAttribute, Schema, Task, Windows, dimensions
from monitor.model.monitors import Limit, MonitorSpec, RelativeTo, Severity
from monitor.model.parse import parse_declaration
from monitor.model.sources import Source, SourceKind
from monitor.model.words import canonical_label, format_duration, parse_duration

__all__ = [
    "FeatureType",
    "Limit",
    "ModelSpec",
    "MonitorSpec",
    "ProtectedAttribute",
    "RelativeTo",
    "Schema",
    "Severity",
    "Source",
    "SourceKind",
    "Task",
    "Windows",
    "canonical_label",
    "dimensions",
    "format_duration",
    "parse_declaration",
    "parse_duration",
]
