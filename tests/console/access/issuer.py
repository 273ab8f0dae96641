"""An OpenID provider in the test's own process. It holds clients to OpenID Connect, PKCE included.

Its people consent at once. What it says can be made wrong, one thing at a time.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT_ID, SECRET = "tallymill console", "s3cret: with/odd?characters"


def _new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})


@dataclass
class Issuer:
    """`claims` and `answer` change the ID token's claims and the token endpoint's answer; None takes one out."""

    url: str = ""
    key: ECKey = field(default_factory=lambda: _new_key("i1"))
    signs_with: ECKey | None = None
    claims: dict[str, object] = field(default_factory=dict)
    answer: dict[str, object] = field(default_factory=dict)
    document: dict[str, object] = field(default_factory=dict)
    back: dict[str, str | None] = field(default_factory=dict)
    """Changes the parameters with which the browser comes back."""
    fails_with: int | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths of requests."""
    forms: list[dict[str, str]] = field(default_factory=list)
    """Of the token endpoint."""

    def authorize(self, query: Mapping[str, str]) -> str:
        """Where the browser goes next."""
        assert ("code", "S256") == (query["response_type"], query.get("code_challenge_method"))
        assert len(query["code_challenge"]) == 43
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(query)
        back = {"code": code, "state": query["state"], "iss": self.url} | self.back
        given = {name: value for name, value in back.items() if value is not None}
        return f"{query['redirect_uri']}?{urlencode(given)}"

    def exchange(self, form: Mapping[str, str], authorization: str | None) -> tuple[int, dict[str, object]]:
        """The token endpoint."""
        self.forms.append(dict(form))
        if self.fails_with:
            return self.fails_with, {"error": "server_error"}
        if self._client(form, authorization) != (CLIENT_ID, SECRET):
            return 401, {"error": "invalid_client"}
        begun = self.codes.pop(form["code"], None)
        if begun is None or form["redirect_uri"] != begun["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != begun["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.url,
            "aud": begun["client_id"],
            "sub": "ann",
            "app": "demo",
            "iat": now,
            "exp": now + 60,
            "nonce": begun["nonce"],
        }
        key = self.signs_with or self.key
        token = jwt.encode({"alg": "ES256", "kid": "i1"}, _changed(claims, self.claims), key, algorithms=["ES256"])
        answer = {"access_token": "opaque", "token_type": "Bearer", "id_token": token, "scope": begun["scope"]}
        return 200, _changed(answer, self.answer)

    def _client(self, form: Mapping[str, str], authorization: str | None) -> tuple[str, str]:
        if authorization is None:
            return form.get("client_id", ""), form.get("client_secret", "")
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return unquote(name.replace("+", " ")), unquote(secret.replace("+", " "))

    def discovery(self) -> dict[str, object]:
        paths = {"authorization_endpoint": "/authorize?x=1", "token_endpoint": "/token", "jwks_uri": "/keys"}
        document = {"issuer": self.url, **{name: self.url + path for name, path in paths.items()}}
        return _changed({**document, "end_session_endpoint": f"{self.url}/bye"}, self.document)

    # Over HTTP.

    async def _discovery(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response(self.discovery())

    async def _authorize(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(self.authorize(request.query))

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        form = {name: str(value) for name, value in (await request.post()).items()}
        status, answer = self.exchange(form, request.headers.get("authorization"))
        return web.json_response(answer, status=status)

    async def _keys(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Issuer"]:
        """On a port of this machine."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


def new_key(kid: str = "i1") -> ECKey:
    """Another key."""
    return _new_key(kid)


def _changed(good: dict[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in {**good, **changes}.items() if value is not None}
