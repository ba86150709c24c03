"""Who sent a request that carries no key: by a mesh's identity header, from proxies that the settings name, and from
nobody else.

The header is believed only where the connection itself comes from a named proxy: whoever can reach the service directly
can write any header. What a proxy passes on from further away is not believed either, so that of several elements of
``X-Forwarded-Client-Cert`` the last counts, which the proxy itself wrote of the one that it talked with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from monitor.errors import InvalidSettings, Unauthenticated

XFCC = "x-forwarded-client-cert"
MAX_IDENTITY = 1024


@dataclass(frozen=True, slots=True)
class Mesh:
    """``header`` holds the identity, in lower case; empty where none is believed. ``proxies`` may set it."""

    header: str = ""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, header: str, proxies: str) -> Mesh:
        """From the settings: a header's name, and addresses or networks with commas between them.

        >>> Mesh.of("X-Forwarded-Client-Cert", "127.0.0.6, 10.0.0.0/8").trusts("10.1.2.3")
        True
        """
        return cls(header.strip().lower(), networks(proxies))

    def trusts(self, peer: str | None) -> bool:
        """Whether the connection comes from a named proxy."""
        try:
            address = ip_address(peer or "")
        except ValueError:          # a Unix socket, or nothing known
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.proxies)

    def identity(self, peer: str | None, values: Iterable[str]) -> str | None:
        """The identity that a named proxy vouches for; ``None`` where there is none, or nobody to believe it from.
        ``values`` are those of the header, in their order.

        Raises ``Unauthenticated`` where a named proxy says two things.
        """
        said = list(values)
        if not self.header or not said or not self.trusts(peer):
            return None
        if self.header == XFCC:
            return _of_certificate(",".join(said))
        if len(said) > 1:
            raise _ambiguous(f"the header {self.header} came {len(said)} times")
        return _bounded(said[0].strip())


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks with commas between them; ``InvalidSettings`` for anything else.

    >>> networks("10.0.0.0/8, ::1")
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))
    """
    found = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(one, strict=False))
        except ValueError:
            raise InvalidSettings(
                f"trusted_proxies has '{one[:60]}', which is no address and no network",
                "Write addresses or networks with commas between them: 127.0.0.6, 10.0.0.0/8",
            ) from None
    return tuple(found)


def _of_certificate(text: str) -> str | None:
    """The identity in Envoy's ``X-Forwarded-Client-Cert``: the URI of the last certificate (a SPIFFE id), else its
    subject.

    >>> _of_certificate('By=spiffe://a/vigil;Hash=1;Subject="";URI=spiffe://a/ns/prod/sa/census')
    'spiffe://a/ns/prod/sa/census'
    """
    elements = _split(text, ",")
    fields = [field.strip().partition("=") for field in _split(elements[-1], ";")] if elements else []
    uris = [value for name, _, value in fields if name.lower() == "uri" and value]
    if len(uris) > 1:
        raise _ambiguous("the client's certificate names more than one URI")
    subjects = [_unquoted(value) for name, _, value in fields if name.lower() == "subject" and value]
    return _bounded(_unquoted((uris or subjects or [""])[0]))


def _split(text: str, mark: str) -> list[str]:
    """The parts between the marks that stand outside of quotes; none where a quote does not close.

    >>> _split('Subject="CN=a,O=b";URI=c', ";")
    ['Subject="CN=a,O=b"', 'URI=c']
    """
    parts, quoted, escaped = [""], False, False
    for c in text:
        if c == mark and not quoted:
            parts.append("")
            continue
        parts[-1] += c
        if c == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and c == "\\" and not escaped
    return [] if quoted else parts


def _unquoted(value: str) -> str:
    """A value without its quotes; nothing where quotes stand within it, which no proxy writes."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return "" if '"' in value else value


def _bounded(identity: str) -> str | None:
    return identity if 0 < len(identity) <= MAX_IDENTITY else None


def _ambiguous(why: str) -> Unauthenticated:
    return Unauthenticated(f"the sender cannot be told: {why}", "Let the proxy replace the header by its own")
