"""The rules of the sign-in (OpenID Connect Core, section 3.1; RFC 7636; RFC 9207). Pure.

Each sign-in has a state, a nonce and a code verifier of its own. The browser keeps them in an encrypted cookie, so that
only the browser that began a sign-in can end it, at any replica. They work once: the cookie is taken away at the end,
and the issuer takes a code once.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from serving.tokens.identity import BadToken, ClaimRules, Identity, identity_of

LOGIN_SECONDS: Final = 600
"""For a person to sign in at the issuer."""

# Of this site alone: `//host` and `/\\host` would lead to another.
_is_own_path = re.compile(r"/(?![/\\])[!-\[\]-~]*\Z").match
_is_error_code = re.compile(r"[a-z_]{1,40}\Z").match

PAGE: Final = "/"
NOT_BEGUN: Final = "The sign-in took too long, or did not begin in this browser"


class SignInFailed(Exception):
    """The sign-in has failed, for a reason that is shown to the person. `status`: of the reply."""

    def __init__(self, reason: str, status: int = 403) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Client:
    """The console at the issuer."""

    issuer: str
    client_id: str
    client_secret: SecretStr | None
    site: str
    """The origin of the page."""
    scopes: str

    @property
    def redirect_uri(self) -> str:
        return f"{self.site}/callback"

    @property
    def home(self) -> str:
        return f"{self.site}/"


@dataclass(frozen=True, slots=True)
class Provider:
    """What the issuer's discovery document says."""

    authorization: str
    token: str
    keys: str
    end_session: str | None
    secret_in_body: bool
    """Whether the token endpoint takes the client's secret in the body only."""


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in that has begun. `to`: where it ends."""

    state: str
    nonce: str
    verifier: str
    to: str

    def fields(self) -> Mapping[str, str]:
        return asdict(self)


def begin(to: str) -> Login:
    """`to`: a path of this site; anything else becomes the page."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Login(state, nonce, verifier, to if _is_own_path(to) else PAGE)


def challenge_of(verifier: str) -> str:
    """RFC 7636, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorization_url(client: Client, provider: Provider, login: Login) -> str:
    """Where the person signs in."""
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": client.redirect_uri,
            "scope": client.scopes,
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": challenge_of(login.verifier),
            "code_challenge_method": "S256",
        }
    )
    return f"{provider.authorization}{'&' if urlsplit(provider.authorization).query else '?'}{query}"


def code_of(answer: Mapping[str, str], login: Login, issuer: str) -> str:
    """The code that the issuer's answer carries. Raises SignInFailed."""
    if not hmac.compare_digest(answer.get("state", "").encode(), login.state.encode()):
        raise SignInFailed("The answer belongs to another sign-in")
    if answer.get("iss", issuer) != issuer:
        raise SignInFailed("The answer comes from another issuer")
    if "error" in answer:
        raise SignInFailed(f"The issuer refused the sign-in: {error_code(answer['error']) or 'no reason given'}")
    if not answer.get("code"):
        raise SignInFailed("The issuer's answer has no code")
    return answer["code"]


def error_code(said: object) -> str | None:
    """An error code as RFC 6749 has them; None for any other text, which is not shown."""
    return said if isinstance(said, str) and _is_error_code(said) else None


def token_request(client: Client, provider: Provider, code: str, login: Login) -> tuple[dict[str, str], str | None]:
    """The form for the token endpoint, and the secret to send as Basic authentication (RFC 6749, section 2.3.1)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": login.verifier,
    }
    secret = client.client_secret.get_secret_value() if client.client_secret else None
    if secret and not provider.secret_in_body:
        return form, secret
    given = {"client_secret": secret} if secret else {}
    return {**form, "client_id": client.client_id, **given}, None


def identity_in(claims: Mapping[str, Any], granted: object, login: Login, rules: ClaimRules, now: float) -> Identity:
    """Who has signed in, by the claims of the ID token and the rules of bearer tokens. Raises BadToken.

    `granted`: the scope of the token endpoint's answer. It counts where the ID token has no claim of scopes, because
    few issuers put one there.
    """
    nonce = claims.get("nonce")
    if not (isinstance(nonce, str) and hmac.compare_digest(nonce.encode(), login.nonce.encode())):
        raise BadToken("claim", "nonce is another sign-in's")
    if claims.get("azp", rules.audience) != rules.audience:
        raise BadToken("audience", "azp is another client")
    scopes = {} if rules.scope_claim in claims else {rules.scope_claim: granted}
    return identity_of({**claims, **scopes}, rules, now)


def provider_of(document: Mapping[str, Any], issuer: str) -> Provider:
    """What a discovery document says. Raises ValueError if it is another issuer's, or is not whole."""
    if document.get("issuer") != issuer:
        raise ValueError("it names another issuer")
    found = {name: document.get(f"{name}_endpoint") for name in ("authorization", "token", "end_session")}
    wanted = (found["authorization"], found["token"], document.get("jwks_uri"))
    if not all(isinstance(url, str) for url in wanted):
        raise ValueError("it lacks an endpoint")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    end = found["end_session"]
    return Provider(
        str(wanted[0]),
        str(wanted[1]),
        str(wanted[2]),
        end if isinstance(end, str) else None,
        secret_in_body="client_secret_basic" not in methods,
    )
