"""Everything that Vigil refuses, as one tree. Errors carry no HTTP status: one table in ``api/problems.py`` has those.

::

    VigilError
    ├── InvalidInput            what was sent cannot be taken; says where and how to mend it
    │   ├── MalformedBody       the bytes are not what their content type says
    │   ├── UnsupportedFormat   a content type or encoding not known here
    │   ├── TooLarge            over a limit that the settings name
    │   ├── NoGoodRow           every row of a batch was rejected
    │   └── InvalidDeclaration  a model's declaration; lists each key, line and mend
    ├── NotFound                a model, incident, batch or key that is not there
    ├── Conflict                it contradicts what is there
    ├── Unauthenticated         no key, or one that is not valid
    ├── Forbidden               the key lacks the scope, the model, or is not a person's
    ├── Overloaded              the fold is too far behind; come back later
    │   └── BeingRebuilt        what was asked for is being made again from the log
    ├── TooSlow                 a body that trickles
    ├── NotDurable              the log cannot be written now (disk full, database gone)
    └── InvalidSettings         an environment variable or file that cannot be used
"""

from __future__ import annotations


class VigilError(Exception):
    """Base of all. ``detail`` says what is wrong, ``mend`` what to do about it."""

    def __init__(self, detail: str, mend: str = "") -> None:
        super().__init__(f"{detail}. {mend}" if mend else detail)
        self.detail = detail
        self.mend = mend


class InvalidInput(VigilError):
    pass


class MalformedBody(InvalidInput):
    pass


class UnsupportedFormat(InvalidInput):
    pass


class TooLarge(InvalidInput):
    pass


class NoGoodRow(InvalidInput):
    """Carries the rejects, so that the answer can list them."""

    def __init__(self, detail: str, mend: str, rejects: list[dict[str, object]]) -> None:
        super().__init__(detail, mend)
        self.rejects = rejects


class InvalidDeclaration(InvalidInput):
    """``faults`` lists each: key, line (1-based, where the text is known), what is wrong, the mend."""

    def __init__(self, faults: list[dict[str, object]]) -> None:
        self.faults = faults
        lines = [f"{f['key']}" + (f" (line {f['line']})" if f.get("line") else "") + f": {f['reason']}" for f in faults]
        super().__init__("; ".join(lines), "See docs/models.md for every key")


class NotFound(VigilError):
    pass


class Conflict(VigilError):
    pass


class Unauthenticated(VigilError):
    pass


class Forbidden(VigilError):
    pass


class Overloaded(VigilError):
    def __init__(self, detail: str, mend: str = "", retry_after: int = 5) -> None:
        super().__init__(detail, mend)
        self.retry_after = retry_after


class BeingRebuilt(Overloaded):
    pass


class TooSlow(VigilError):
    pass


class NotDurable(VigilError):
    pass


class InvalidSettings(VigilError):
    pass
