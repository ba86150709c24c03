"""Vigil's own floor: what joins the two libraries, see docs/architecture.md."""

import os

# One row of products at a time is too little to share: two threads of BLAS wait for each other, and a fold beside a
# busy API took 11 us of processor time a row where one thread takes 4.6. Read by NumPy when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
