"""The replay of a recorded stream through the public API, for ``vigil demo``: data, posting, and what was found."""
