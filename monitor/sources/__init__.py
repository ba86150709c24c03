"""What a model service already sends, by the model's declaration, as the columns of a batch."""

from monitor.model.sources import Source
from monitor.sources.decode import FORMATS, decode
from monitor.sources.exchange import Exchange, to_columns
from monitor.sources.outcomes import by_request
from monitor.sources.payload import Payload, Unreadable
from monitor.sources.protocols import read_payload
from monitor.sources.rows import Misfit

__all__ = [
    "FORMATS",
    "Exchange",
    "Misfit",
    "Payload",
    "Source",
    "Unreadable",
    "by_request",
    "decode",
    "read_payload",
    "to_columns",
]
