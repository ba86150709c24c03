"""Roles: what each lets a person do. ``sensitive`` is in none of them: it is given to a person by name."""

from __future__ import annotations

from typing import Literal, get_args

from monitor.errors import InvalidInput
from monitor.log.people import Account

Role = Literal["viewer", "responder", "manager", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)        # each may do what those before it may

_MORE: dict[Role, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "responder": frozenset({"operate"}),
    "manager": frozenset({"approve", "export"}),
    "admin": frozenset({"admin"}),
}


def checked(role: str) -> Role:
    """A role by its name; ``InvalidInput`` names those there are."""
    for known in ROLES:
        if known == role:
            return known
    raise InvalidInput(f"'{role[:40]}' is no role", f"Give one of {', '.join(ROLES)}")


def scopes(account: Account) -> frozenset[str]:
    """What an account may do, as a key's scopes would say it.

    >>> sorted(_of("manager"))
    ['approve', 'export', 'operate', 'read']
    """
    return _of(checked(account.role)) | ({"sensitive"} if account.sensitive else frozenset())


def highest(roles: list[Role]) -> Role | None:
    """The one that lets a person do most; ``None`` of none.

    >>> highest(["viewer", "manager", "responder"])
    'manager'
    """
    return max(roles, key=ROLES.index, default=None)


def _of(role: Role) -> frozenset[str]:
    return frozenset().union(*(_MORE[r] for r in ROLES[: ROLES.index(role) + 1]))
