"""HTTP to the issuer at which people sign in: its discovery document, its keys, and codes in exchange for ID tokens.

Everything is read when a person signs in, so that an unavailable issuer costs a running console nothing. Answers are
bounded in size and time, redirects are not followed, and no error quotes a code or a token. The library authlib has an
async client for httpx only, and its ID token checks stand in an integration for Starlette's own sessions; what it has
besides is shorter here (flow.py), on joserfc by the same author.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from console.access.oidc.flow import (
    Client,
    Login,
    Provider,
    SignInFailed,
    error_code,
    identity_in,
    provider_of,
    token_request,
)
from schemas.urls import require_private_url
from serving.clock import Clock
from serving.outage import Outage
from serving.outgoing.issuer import basic_authorization, body_of, reason
from serving.outgoing.proxies import proxy_of
from serving.tokens.identity import BadToken, ClaimRules, Identity, Unchecked
from serving.tokens.keys import IssuerKeys
from serving.tokens.metrics import TokenMetrics
from serving.tokens.signed import is_signed_by, read_signed

_NONE: Final[Mapping[str, str]] = {}

ANSWER_SECONDS: Final = 10
"""For one answer. A person waits for it."""
DISCOVERY_SECONDS: Final = 3_600
KEYS_SECONDS: Final = 300
"""After this the issuer's keys are read again before an ID token is checked: one may have been withdrawn."""
MAX_ANSWER_BYTES: Final = 256 << 10
BAD_GATEWAY_CODE: Final = 502
REFUSALS: Final = ("invalid_grant", "invalid_client", "unauthorized_client", "access_denied")
"""Error codes of an issuer that works: it refuses the code or the client. Any other answer is not as it should be."""


class OidcIssuer:
    """The issuer, for one client."""

    def __init__(self, client: Client, rules: ClaimRules, clock: Clock, metrics: TokenMetrics) -> None:
        """`rules`: those of bearer tokens, with this issuer, and with the client as the audience."""
        self.client = client
        self._rules = rules
        self._clock = clock
        self._metrics = metrics
        self._outage = Outage("issuer")
        self._provider: Provider | None = None
        self._provider_seconds = 0.0
        self._keys: IssuerKeys | None = None

    async def provider(self) -> Provider:
        """What the issuer's discovery document says. Raises SignInFailed."""
        now_seconds = self._clock.monotonic_seconds()
        if self._provider is None or now_seconds - self._provider_seconds > DISCOVERY_SECONDS:
            url = f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = _private(await self._answer("GET", url), self.client.issuer)
            if self._provider is None or self._provider.keys != found.keys:
                self._keys = IssuerKeys(found.keys, ANSWER_SECONDS, self._clock, self._metrics)
            self._provider, self._provider_seconds = found, now_seconds
        return self._provider

    async def identity(self, code: str, login: Login, now_seconds: float) -> Identity:
        """Who the code stands for. Raises SignInFailed, BadToken, Unchecked."""
        provider = await self.provider()
        form, secret = token_request(self.client, provider, code, login)
        basic = {"authorization": basic_authorization(self.client.client_id, secret)} if secret else {}
        answer = await self._answer("POST", provider.token, form, basic)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise BadToken("malformed", "the issuer sent no ID token")
        signed = read_signed(token)
        identity = identity_in(signed.claims, answer.get("scope"), login, self._rules, now_seconds)
        keys = await self._current_keys()
        tried = keys.named(signed.key_id)
        if not is_signed_by(signed, tried) and not (
            signed.key_id is not None and is_signed_by(signed, await keys.refresh(signed.key_id, tried))
        ):
            raise BadToken("signature", "not signed by the issuer")
        return identity

    async def _current_keys(self) -> IssuerKeys:
        if self._keys is None:
            raise Unchecked("not read yet")
        if not self._keys.age_seconds() < KEYS_SECONDS:  # also NaN: never read
            await self._keys.read()
        return self._keys

    async def _answer(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] = _NONE
    ) -> Mapping[str, Any]:
        """The JSON object that the issuer answers. An outage has two lines in the log. Raises SignInFailed."""
        try:
            answer = await _answer(method, url, form, headers)
        except SignInFailed as error:
            if error.status == BAD_GATEWAY_CODE:
                self._outage.lost("sign_in", error.reason)
            raise
        self._outage.back("sign_in")
        return answer


async def _answer(
    method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
) -> Mapping[str, Any]:
    """The JSON object that the issuer answers. Raises SignInFailed."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), aiohttp.ClientSession() as session:
            # Redirects are not followed: the request may carry the client's secret.
            sent = session.request(
                method,
                url,
                data=form,
                headers={"accept": "application/json", **headers},
                allow_redirects=False,
                proxy=proxy_of(url),
            )
            async with sent as response:
                answer = await body_of(response, MAX_ANSWER_BYTES)
                if response.status != 200:  # noqa: PLR2004 HTTP's OK
                    raise _refusal(answer, response.status)
                return _object(answer)
    except (OSError, TimeoutError, aiohttp.ClientError, ValueError, RecursionError) as error:
        raise SignInFailed(f"The issuer does not answer as it should: {reason(error)}", BAD_GATEWAY_CODE) from error


def _object(answer: bytes) -> Mapping[str, Any]:
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 the answer of another server
    return found


def _private(document: Mapping[str, Any], issuer: str) -> Provider:
    """What the discovery document says, if all of it can be used over TLS. Raises SignInFailed."""
    try:
        found = provider_of(document, issuer)
        for address in (found.authorization, found.token, found.keys):
            require_private_url(address)
    except ValueError as error:
        raise SignInFailed(f"The issuer's discovery document can't be used: {error}", BAD_GATEWAY_CODE) from error
    return found


def _refusal(answer: bytes, status: int) -> SignInFailed:
    """Why the token endpoint refused, by its error code (RFC 6749, section 5.2), which is one of a few words."""
    try:
        code = error_code(_object(answer).get("error"))
    except (ValueError, RecursionError):
        code = None
    reason = f"The issuer refused the sign-in: {code or f'HTTP {status}'}"
    return SignInFailed(reason) if code in REFUSALS else SignInFailed(reason, BAD_GATEWAY_CODE)
