"""``python -m monitor.cli``: the same as ``vigil``."""

from monitor.cli import main

main()
