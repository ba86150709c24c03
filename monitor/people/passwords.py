"""Passwords: hashed by Argon2id with the parameters that RFC 9106 recommends where memory is short (64 MiB, 3 passes,
4 lanes). Two at a time are hashed: more would take the memory of the service."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from monitor.errors import InvalidInput, Overloaded

LEAST, MOST = 12, 256
_AT_ONCE = 2
_WAITING = 6            # sign-ins that wait for their turn: more would take the threads that answer everybody else


def check(password: str, name: str) -> None:
    """``InvalidInput`` for a password that is too short, too long, or the name itself. It says nothing of what it is.

    >>> check("correct horse battery", "ana")
    """
    said = normal(password)
    if not LEAST <= len(said) <= MOST:
        raise InvalidInput(
            f"the password has {len(said)} characters", f"Take one of {LEAST} to {MOST}; a few words are easy to keep"
        )
    if name and name in said.lower():
        raise InvalidInput("the password has the name in it", "Take one that has not")


def new_password() -> str:
    """One of 120 random bits, to be shown once."""
    return secrets.token_urlsafe(15)


def normal(password: str) -> str:
    """As it is hashed: keyboards write one letter in several ways (NFKC, as NIST SP 800-63B recommends).

    >>> normal("cafe\\u0301") == normal("caf\\u00e9")
    True
    """
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes passwords and compares them. ``Overloaded`` where too many wait for their turn already."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._queue = threading.BoundedSemaphore(_AT_ONCE + _WAITING)

    def hash(self, password: str) -> str:
        with self._turn():
            return self._hasher.hash(normal(password))

    def verify(self, known: str | None, password: str) -> bool:
        """Whether it is the password of a hash. Where there is none to compare with it takes as long."""
        reference = known or self._nobody
        with self._turn():
            try:
                good = self._hasher.verify(reference, normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return good and known is not None

    def is_outdated(self, known: str) -> bool:
        """Whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known)

    @cached_property
    def _nobody(self) -> str:
        return self.hash(secrets.token_urlsafe(15))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._queue.acquire(blocking=False):
            raise Overloaded("many people sign in at this moment", "Try again in a few seconds")
        try:
            with self._turns:
                yield
        finally:
            self._queue.release()
