"""Explain: what tells the rows of a window from the reference's, read from a bounded sample of the raw log."""

from monitor.explain.answer import explain

__all__ = ["explain"]
