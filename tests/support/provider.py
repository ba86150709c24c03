"""A small provider of OpenID Connect on a real socket, with a key of its own, which can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Header, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "vigil", "a secret of the client"


@dataclass
class Provider:
    """``claims`` are those of the person who signs in; ``lies`` overwrite parts of what is signed, ``...`` takes one
    away. ``forge`` makes the token in the place of an honest signature."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    forge: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    other: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    exchanges: int = 0

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": f"new{time.monotonic_ns()}", "use": "sig"})

    def token(self, nonce: str) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce} | self.claims | self.lies
        claims = {k: v for k, v in said.items() if v is not ...}
        match self.forge:
            case "none":
                head, body = (base64.urlsafe_b64encode(_json(part)).decode().rstrip("=") for part in
                              ({"alg": "none", "kid": self.key.kid}, claims))  # fmt: skip
                return f"{head}.{body}."
            case "hs256":       # with the public key, which everybody has, as the secret
                key = OctKey.import_key(self.key.as_pem(private=False))
                return jwt.encode({"alg": "HS256", "kid": self.key.kid}, claims, key, algorithms=["HS256"])
            case "other key":
                return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.other)
            case "changed":
                head, _, mac = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key).split(".")
                more = base64.urlsafe_b64encode(_json(claims | {"groups": ["ml-admins"]})).decode().rstrip("=")
                return f"{head}.{more}.{mac}"
            case _:
                return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


def _json(value: Any) -> bytes:
    return bytes(JSONResponse(value).body)


def application(provider: Provider) -> FastAPI:
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        found = {
            "issuer": provider.url, "authorization_endpoint": f"{provider.url}/authorize",
            "token_endpoint": f"{provider.url}/token", "jwks_uri": f"{provider.url}/jwks",
        }  # fmt: skip
        return found | provider.discovery

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return {"keys": [provider.key.as_dict(private=False)]}

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        """Everybody who comes is the person of ``claims``, at once."""
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code{len(provider.codes)}"
        provider.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    @app.post("/token")
    def token(
        code: str = Form(), code_verifier: str = Form(), redirect_uri: str = Form(), authorization: str = Header()
    ) -> Response:
        provider.exchanges += 1
        asked = provider.codes.pop(code, None)
        known = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
        good = asked and asked["redirect_uri"] == redirect_uri and asked["code_challenge"] == challenge
        if not good or asked is None or authorization != known:
            return JSONResponse({"error": "invalid_grant"}, 400)
        body = {"access_token": "x", "token_type": "Bearer", "id_token": provider.token(asked["nonce"])}
        return JSONResponse(body)

    return app


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    provider = Provider()
    server = uvicorn.Server(uvicorn.Config(application(provider), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until, "the provider did not start"
        time.sleep(0.01)
    provider.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield provider
    server.should_exit = True
    thread.join(30)
