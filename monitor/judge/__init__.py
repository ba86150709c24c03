"""Judge: points and verdicts from summaries, and what they mean for incidents. Pure."""
