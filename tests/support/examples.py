"""How many examples an oracle is asked for: 1,000 a metric in CI, 100 elsewhere."""

from __future__ import annotations

import os

from hypothesis import settings

ORACLE = settings(max_examples=1_000 if os.environ.get("CI") else 100, deadline=None)
