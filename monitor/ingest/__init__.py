"""Batches from their bytes to the log: admitted, decoded, typed, gathered where they are small, and answered."""

from monitor.ingest.admission import Admission
from monitor.ingest.events import EventIntake
from monitor.ingest.intake import Intake
from monitor.ingest.receipt import Receipt

__all__ = ["Admission", "EventIntake", "Intake", "Receipt"]
