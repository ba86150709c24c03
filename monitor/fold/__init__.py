"""Fold: rows into summaries, predictions to their outcomes. Pure: what is stored comes in and goes out as values."""
