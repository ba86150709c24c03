"""Files of rows as request bodies, in pieces: Parquet and Arrow become Arrow streams, lines stay lines; what a model
service recorded goes as it was recorded."""

from monitor.cli.files.captures import FORMATS, files_of, format_of, has_times
from monitor.cli.files.names import Declared, bare_columns, to_wire, to_wire_names
from monitor.cli.files.opened import File
from monitor.cli.files.pieces import EVENTS, Piece, column_names, pieces
from monitor.cli.files.tables import ARROW, arrow_body

__all__ = [
    "ARROW",
    "EVENTS",
    "FORMATS",
    "Declared",
    "File",
    "Piece",
    "arrow_body",
    "bare_columns",
    "column_names",
    "files_of",
    "format_of",
    "has_times",
    "pieces",
    "to_wire",
    "to_wire_names",
]
