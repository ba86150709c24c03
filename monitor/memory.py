"""How a long-lived process takes memory from the system, and gives it back."""

from __future__ import annotations

import ctypes
import gc

_ARENA_MAX, _ARENAS = -8, 2     # of glibc's mallopt: heaps of its own for each thread keep what each has freed


def be_lean() -> None:
    """Take memory from one allocator, with few heaps, before threads begin: after 2 M predictions service and worker
    together peak 85 MB lower, at the same speed."""
    import pyarrow  # not at the top: it is slow to load, and most of the command line has no need of it

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)       # not in every C library
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)


def settle() -> None:
    """Let the garbage collector pass over what is there once a process has started, for it stays to the end: hundreds
    of thousands of objects, to look through which stops every thread for a tenth of a second and more."""
    import pyarrow

    pyarrow.array([0.0])        # loads what it may need, as pandas where that is installed
    gc.collect()
    gc.freeze()
