"""The state: everything that follows from the log, kept so that it need not be computed again."""
