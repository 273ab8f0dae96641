"""An OAuth token endpoint for tests: client credentials (RFC 6749, section 4.4), tokens signed with a key of its own.

It can refuse, hang, and fail, and gives tokens that live as long as a test wants.
"""

import base64
import json
import math
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://issuer.test"
AUDIENCE = "kafka"


@dataclass
class TokenEndpoint:
    """`clients`: secret by id. `lifetime_seconds` of the tokens. `mode`: how it answers, also `text`."""

    clients: Mapping[str, str]
    lifetime_seconds: float = 3600
    mode: Literal["give", "refuse", "fail", "hang", "rubbish", "text"] = "give"
    status: int = 200
    text: str = ""
    given: int = 0
    scopes: list[str | None] = field(default_factory=list)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "test", "use": "sig"}))
    url: str = ""
    ended: Event = field(default_factory=Event)

    @property
    def jwks_url(self) -> str:
        return self.url.replace("/token", "/jwks")

    def token(self, client: str) -> str:
        now = time.time()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": client,
            "iat": int(now),
            # Whole seconds. Rounded down, a token would end up to a second before `expires_in` says so.
            "exp": math.ceil(now + self.lifetime_seconds),
        }
        return jwt.encode({"alg": "ES256", "kid": "test"}, claims, self.key)

    def answer(self, authorization: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body for a request."""
        self.scopes.append(form.get("scope"))
        if self.mode == "hang":
            self.ended.wait()
        if self.mode == "fail":
            return 503, b"upstream error"
        if self.mode == "rubbish":
            return 200, b"<html>sign in</html>"
        if self.mode == "text":
            return self.status, self.text.encode()
        client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        client, secret = urllib.parse.unquote_plus(client), urllib.parse.unquote_plus(secret)
        if self.mode == "refuse" or not secret or self.clients.get(client) != secret:
            return 401, b'{"error": "invalid_client", "error_description": "Client authentication failed"}'
        if form.get("grant_type") != "client_credentials":
            return 400, b'{"error": "unsupported_grant_type"}'
        self.given += 1
        answer = {
            "access_token": self.token(client),
            "token_type": "Bearer",
            "expires_in": int(self.lifetime_seconds),
        }
        return 200, json.dumps(answer).encode()


@contextmanager
def token_endpoint(clients: Mapping[str, str]) -> Iterator[TokenEndpoint]:
    """An endpoint on loopback for as long as the block lasts."""
    endpoint = TokenEndpoint(clients)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys = {"keys": [endpoint.key.as_dict(private=False)]}
            self._send(200, json.dumps(keys).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = dict(urllib.parse.parse_qsl(body))
            answer = endpoint.answer(self.headers.get("authorization", ""), form)
            with suppress(ConnectionError):  # the client of a request that hung has gone
                self._send(*answer)

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("location", endpoint.jwks_url)  # of a redirect
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}/token"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
