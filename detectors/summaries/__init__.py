"""Mergeable summaries: what a window is made of, at the cost of its cells and never of its rows."""
