"""Rows kept under an id, found by the thousand: sorted runs of hashes with filters before them, without a B-tree that
random ids make slower as it grows. What is kept lies in the state's own database, in the transaction of the fold."""
