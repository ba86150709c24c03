"""Signing in at a provider of OpenID Connect, found by discovery: the authorization code flow with PKCE.

Authlib makes the requests, joserfc reads the ID token. What the browser brings back is believed only where it is
signed by the provider's key with an algorithm that we chose, for this client, for this very sign-in.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from monitor.clock import Now
from monitor.errors import Forbidden, InvalidSettings, VigilError
from monitor.people.accounts import checked_email, checked_name
from monitor.people.people import Vouched
from monitor.people.roles import Role, checked, highest

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_KEYS = frozenset({"RSA", "EC", "OKP"})      # a key of bytes would let whoever knows the client's secret sign
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_MOST = 2**20           # bytes of an answer
_FRESH = 3600.0         # seconds for which what was discovered holds
_LEAST = 60.0           # seconds between two readings of the keys, however many unknown ones come
_PAIRS = "Write VALUE=ROLE, with commas between"
_LEEWAY = 60            # seconds by which the clocks may differ


@dataclass(frozen=True, slots=True)
class Provider:
    """The settings: who the provider is, what it knows us by, and what its claim makes of people."""

    issuer: str
    client_id: str
    client_secret: str
    claim: str
    roles: Mapping[str, Role]

    @classmethod
    def of(cls, issuer: str, client_id: str, client_secret: str, claim: str, roles: str) -> Provider:
        """From the settings; ``InvalidSettings`` where they do not fit.

        >>> Provider.of("https://id.example.org", "vigil", "", "groups", "ml-admins=admin, cn=oncall=responder").roles
        {'ml-admins': 'admin', 'cn=oncall': 'responder'}
        """
        if not _is_safe(issuer):
            raise InvalidSettings("oidc_issuer is no https:// address", "Give the issuer as the provider writes it")
        if not client_id:
            raise InvalidSettings("oidc_issuer is given and oidc_client_id is not", "Register Vigil at the provider")
        found: dict[str, Role] = {}
        for pair in filter(None, (p.strip() for p in roles.split(","))):
            value, _, role = pair.rpartition("=")
            try:
                found[value.strip()] = checked(role.strip())
            except VigilError as error:
                raise InvalidSettings(f"oidc_roles: {error.detail}", _PAIRS) from error
        if "" in found:
            raise InvalidSettings("oidc_roles has a role without a value that gives it", _PAIRS)
        return cls(issuer, client_id, client_secret, claim, found)


class Oidc:
    """Sign-ins at one provider. Everything that it answers, and the browser brings, may be hostile: ``Forbidden`` says
    in a word what was wrong."""

    def __init__(self, provider: Provider, now: Now) -> None:
        self.provider = provider
        self.now = now
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(self, redirect_uri: str) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and what to remember of it until it comes back."""
        pending = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        url, _ = self._client(redirect_uri).create_authorization_url(
            self._discovered()["authorization_endpoint"], state=pending["state"], code_verifier=pending["verifier"],
            nonce=pending["nonce"],
        )  # fmt: skip
        return url, pending

    def finish(self, answer: Mapping[str, str], pending: Mapping[str, str], redirect_uri: str) -> Vouched:
        """Whom the provider vouches for: from the parameters that the browser brought, and what was remembered."""
        if not hmac.compare_digest(answer.get("state", "").encode(), pending["state"].encode()):
            raise _refused("the answer belongs to another sign-in")
        if answer.get("iss", self.provider.issuer) != self.provider.issuer:     # RFC 9207
            raise _refused("another provider answered")
        if "error" in answer:
            raise _refused(f"the provider says '{answer['error'][:60]!a}'")
        token = self._exchange(answer.get("code", ""), pending["verifier"], redirect_uri)
        claims = self._claims(token, pending["nonce"])
        return self._vouched(claims)

    def _client(self, redirect_uri: str) -> OAuth2Client:
        offered = self._discovered().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        return OAuth2Client(
            _Session(), self.provider.client_id, self.provider.client_secret or None, scope="openid profile email",
            token_endpoint_auth_method=method if self.provider.client_secret else "none",
            redirect_uri=redirect_uri, code_challenge_method="S256",
        )  # fmt: skip

    def _exchange(self, code: str, verifier: str, redirect_uri: str) -> str:
        endpoint = self._discovered()["token_endpoint"]
        try:
            found = self._client(redirect_uri).fetch_token(
                endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
            )
        except (AuthlibBaseError, httpx.HTTPError, ValueError) as error:
            raise _refused("the provider did not take the code") from error
        token = found.get("id_token")
        if not isinstance(token, str):
            raise _refused("the provider sent no ID token")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        p = self.provider
        registry = jwt.JWTClaimsRegistry(
            now=int(self.now().timestamp()), leeway=_LEEWAY, exp={"essential": True}, iat={"essential": True},
            iss={"essential": True, "value": p.issuer}, aud={"essential": True, "value": p.client_id},
            nonce={"essential": True, "value": nonce}, sub={"essential": True},
        )  # fmt: skip
        try:
            claims = self._decoded(token).claims
            registry.validate(claims)
        except (JoseError, ValueError) as error:
            raise _refused(f"the ID token does not hold: {type(error).__name__}") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != p.client_id:
            raise _refused("the ID token is for another client")
        if not 0 < len(claims["sub"]) <= 256:
            raise _refused("the ID token names nobody")
        return claims

    def _decoded(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._key_set(_FRESH), algorithms=ALGORITHMS)
        except InvalidKeyIdError:       # the provider has new keys
            return jwt.decode(token, self._key_set(_LEAST), algorithms=ALGORITHMS)

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        said = claims.get(self.provider.claim, [])
        values = said if isinstance(said, list) else [said]
        role = highest([self.provider.roles[v] for v in values if isinstance(v, str) and v in self.provider.roles])
        if role is None:
            raise Forbidden(
                f"nothing that {self.provider.issuer} says of you gives you a role here",
                "Ask an administrator which group does",
            )
        sure = claims.get("email_verified") is True and isinstance(claims.get("email"), str)
        try:
            email = checked_email(claims["email"]) if sure else None
        except VigilError:
            email = None
        return Vouched(self.provider.issuer, claims["sub"], _name(claims), email, role)

    def _discovered(self) -> dict[str, Any]:
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > _FRESH:
                self._known = (time.monotonic(), self._discover())
            return self._known[1]

    def _discover(self) -> dict[str, Any]:
        found = _json(self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.provider.issuer:
            raise _refused("the provider found calls itself otherwise")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(found.get(name), str) or not _is_safe(found[name]):
                raise _refused(f"the provider's '{name}' is no https:// address")
        return found

    def _key_set(self, fresh: float) -> KeySet:
        uri = self._discovered()["jwks_uri"]
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > fresh:
                self._keys = (time.monotonic(), _key_set(_json(uri).get("keys")))
            return self._keys[1]


class _Session:
    """What Authlib's client asks of an HTTP library: one POST. The adapter that it has is for another version."""

    def post(self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: Any) -> httpx.Response:
        url, sent, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _ask("POST", url, content=body, headers=sent)


def _key_set(listed: object) -> KeySet:
    usable = [k for k in listed if isinstance(k, dict)] if isinstance(listed, list) else []
    try:
        return KeySet.import_key_set({"keys": [k for k in usable if k.get("kty") in _KEYS and k.get("use") != "enc"]})
    except (JoseError, ValueError) as error:
        raise _refused("the provider's keys cannot be read") from error


def _json(url: str) -> dict[str, Any]:
    try:
        found = _ask("GET", url).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise _refused("the provider does not answer as it should") from error
    if not isinstance(found, dict):
        raise _refused("the provider does not answer as it should")
    return found


def _ask(method: str, url: str, **more: Any) -> httpx.Response:
    """An answer of bounded size; redirects are not followed."""
    with httpx.Client(timeout=_TIMEOUT) as http, http.stream(method, url, **more) as answer:
        body = b""
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > _MOST:
                raise _refused("the provider's answer is too long")
        return httpx.Response(answer.status_code, content=body, request=answer.request)


def _name(claims: Mapping[str, Any]) -> str:
    """The first of a person's names that an account can have."""
    for key in ("preferred_username", "email", "name", "sub"):
        try:
            return checked_name(str(claims.get(key) or ""))
        except VigilError:
            continue
    raise _refused("the ID token has no name that can be used")


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can read or change what is sent: https, or this very machine."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _refused(why: str) -> Forbidden:
    return Forbidden(f"you could not be signed in: {why}", "Try again; if it goes on, ask an administrator")
