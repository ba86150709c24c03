"""Texts that people write in a request: taken without the space around them, and never blank."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo


def _bare(value: str) -> str:
    # Not Pydantic's own way, which leaves the control characters that Python's, and so the rooms below, call space; and
    # which measures what is left, where a schema measures what was sent.
    bare = value.strip()
    if not bare:
        raise ValueError("is blank; write a text")
    return bare


BARE = AfterValidator(_bare)
Remark = Annotated[str, Field(max_length=4000), AfterValidator(str.strip)]     # that may be left out
# Whatever is not space to Python: the class \s of a JSON Schema has neither the separators of ASCII nor U+0085.
_SOME = r"[^ \t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"


def some(most: int) -> FieldInfo:
    """The field of a text of 1 to ``most`` characters; to be followed by ``BARE``."""
    found: FieldInfo = Field(min_length=1, max_length=most, json_schema_extra={"pattern": _SOME})
    return found
