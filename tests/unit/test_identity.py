"""A mesh's identity header: whom it is believed from, and what it says."""

from __future__ import annotations

import pytest

from monitor.errors import InvalidSettings, Unauthenticated
from monitor.identity import Mesh
from monitor.settings import Settings

ID = "spiffe://cluster.local/ns/prod/sa/census"
MESH = Mesh.of("X-Forwarded-Client-Cert", "10.0.0.0/8, fd00::/8, 127.0.0.6")


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd00::1", True), ("127.0.0.6", True), ("127.0.0.1", False),
     ("11.0.0.1", False), ("::1", False), ("testclient", False), ("", False), (None, False), ("10.1.2.3:80", False)],
)  # fmt: skip
def test_only_named_addresses_are_trusted(peer: str | None, trusted: bool) -> None:
    assert MESH.trusts(peer) is trusted
    assert (MESH.identity(peer, [f"URI={ID}"]) is not None) is trusted


def test_nobody_is_trusted_where_nobody_is_named() -> None:
    assert not Mesh.of("X-Forwarded-Client-Cert", "").trusts("127.0.0.1")
    assert Mesh.of("", "10.0.0.0/8").identity("10.0.0.1", [f"URI={ID}"]) is None


@pytest.mark.parametrize(
    ("values", "identity"),
    [
        ([f"By=spiffe://x/vigil;Hash=ab;URI={ID}"], ID),
        ([f'Hash=ab;Subject="";URI={ID};DNS=a.b;DNS=c.d'], ID),
        ([f'URI=spiffe://x/evil,By=b;Hash=c;Subject="CN=a,O=\\"b\\";URI=spiffe://x/y";URI={ID}'], ID),
        (["URI=spiffe://x/evil", f"URI={ID}"], ID),
        ([f"uri={ID}"], ID),
        (['Hash=ab;Subject="CN=census,O=prod";URI='], "CN=census,O=prod"),
        ([f"URI={ID},By=b;Hash=c"], None),
        (["Hash=ab;Subject=\"\";URI="], None),
        ([ID], None),
        ([","], None),
        ([""], None),
        ([], None),
        (["URI=" + "x" * 2_000], None),
    ],
)
def test_the_last_certificate_s_uri_or_else_its_subject_is_the_identity(
    values: list[str], identity: str | None
) -> None:
    assert MESH.identity("10.0.0.1", values) == identity


def test_a_certificate_with_two_uris_names_nobody() -> None:
    with pytest.raises(Unauthenticated, match="more than one URI"):
        MESH.identity("10.0.0.1", [f"URI={ID};URI=spiffe://x/y"])


def test_what_is_not_quoted_as_a_proxy_quotes_it_names_nobody() -> None:
    assert MESH.identity("10.0.0.1", [f'Subject="CN=a;URI={ID}']) is None
    assert MESH.identity("10.0.0.1", [f'URI="{ID}"x"']) is None
    assert MESH.identity("10.0.0.1", [f'URI=x"{ID}"']) is None
    assert MESH.identity("10.0.0.1", [f'Subject="a\\";URI={ID}']) is None, "an escaped quote closes nothing"


def test_settings_refuse_what_is_no_network() -> None:
    with pytest.raises(InvalidSettings, match="no address and no network"):
        Settings(trusted_proxies="10.0.0.0/8, proxy.example.com")
