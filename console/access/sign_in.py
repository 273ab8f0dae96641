"""The routes of signing in and out: `/login`, `/callback`, `/logout` and `/v1/session`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import structlog
from pydantic import SecretStr

from console.access.body import json_body
from console.access.caller import Caller
from console.access.callers import Callers
from console.access.links import SUBJECT, Links
from console.access.notes import failed_page
from console.access.oidc import flow
from console.access.oidc.flow import Login, SignInFailed
from console.access.oidc.issuer import OidcIssuer
from console.access.sealed import Seal
from console.access.sessions import KEPT_SCOPES, CookieSessions
from console.access.site import Site
from console.metrics import CALLBACK, LOGIN, LOGOUT, SESSION
from schemas.errors.table import Refusal
from schemas.records.signing import bytes_of
from schemas.wire.console_access import LinkCode, SessionReply, SignedOut
from serving.headers import RawHeader
from serving.http.query import BadQuery, parameter_pairs
from serving.http.reply import JSON, Reply
from serving.http.request import Endpoint, Request
from serving.refused import Refused
from serving.tokens.identity import BadToken, Unchecked

log = structlog.get_logger()

SEE_OTHER_CODE: Final = 303
UNAVAILABLE_CODE: Final = 503
# An issuer sends five parameters, some a few more.
MAX_PARAMETERS: Final = 20
_COOKIE: Final = "login"


@dataclass(frozen=True, slots=True)
class Routes:
    """Endpoints by path: those of GET, and those of POST."""

    reads: Mapping[str, Endpoint]
    writes: Mapping[str, Endpoint]


@dataclass(frozen=True, slots=True)
class Signing:
    """What signing in needs. `login_seal` seals the sign-ins that have begun at the issuer."""

    site: Site
    sessions: CookieSessions
    links: Links
    login_seal: Seal
    issuer: OidcIssuer | None

    def renew(self, keys: Iterable[SecretStr]) -> None:
        """Use these keys from now on."""
        secrets = bytes_of(keys)
        for one in (self.sessions.seal, self.links, self.login_seal):
            one.renew(secrets)


def sign_in_routes(callers: Callers, signing: Signing | None) -> Routes:
    """Without `signing` one can only ask who one is, by a bearer token."""
    session = _Session(callers, signing)
    if signing is None:
        return Routes({SESSION: session.get}, {})
    writes: dict[str, Endpoint] = {SESSION: session.open_link, LOGOUT: session.end}
    if signing.issuer is None:
        return Routes({SESSION: session.get}, writes)
    oidc = _Oidc(signing, signing.issuer)
    return Routes({SESSION: session.get, LOGIN: oidc.login, CALLBACK: oidc.callback}, writes)


class _Session:
    def __init__(self, callers: Callers, signing: Signing | None) -> None:
        self._callers = callers
        self._signing = signing

    async def get(self, request: Request) -> Reply:
        """Who asks. Without a token and a session that is no error."""
        try:
            return self._reply(await self._callers.of(request))
        except Refused as refused:
            if refused.refusal is not Refusal.NO_TOKEN:
                raise
            return self._reply(None)

    async def open_link(self, request: Request) -> Reply:
        """A session in exchange for the code of a link."""
        signing = self._signing
        code = (await json_body(request, LinkCode)).code
        if signing is None or not signing.site.is_from_page(request.headers):
            raise Refused(Refusal.NOT_THE_PAGE)
        now_seconds = request.wall_millis / 1000
        app = signing.links.use(code, now_seconds)
        if app is None:
            raise Refused(Refusal.LINK_USED)
        caller, cookie = signing.sessions.begin(SUBJECT, app, KEPT_SCOPES, now_seconds)
        log.info("signed_in", who=SUBJECT, app=app)
        return self._reply(caller, cookie)

    async def end(self, request: Request) -> Reply:
        """Signs out. A session is ended only by its own page."""
        signing = self._signing
        if signing is None:
            raise Refused(Refusal.NOT_FOUND)
        caller = signing.sessions.caller(request)
        if caller:
            signing.sessions.check_write(request, caller)
        url = await _end_session_url(signing.issuer) if caller and signing.issuer else None
        return _json(SignedOut(end_session_url=url)).having(signing.sessions.end())

    def _reply(self, caller: Caller | None, *headers: RawHeader) -> Reply:
        way_in = ("oidc",) if self._signing and self._signing.issuer else ()
        known = SessionReply(signed_in=False, sign_in=(*way_in, "token"))
        if caller:
            ends = caller.expires_seconds
            known = known.model_copy(
                update={
                    "signed_in": True,
                    "subject": caller.subject,
                    "app": caller.app,
                    "scopes": tuple(sorted(caller.scopes & KEPT_SCOPES)),
                    "expires_at": datetime.fromtimestamp(ends, UTC) if ends < _END_OF_TIME else None,
                    "way": caller.way,
                    "csrf_token": caller.csrf,
                }
            )
        return _json(known).having(*headers)


# The end of the year 9999: datetime knows none later. A token may have no end.
_END_OF_TIME: Final = 253_402_300_799


async def _end_session_url(issuer: OidcIssuer) -> str | None:
    """Where to sign out at the issuer, if it has such a page and says so now."""
    try:
        provider = await issuer.provider()
    except SignInFailed:
        return None
    if provider.end_session is None:
        return None
    query = urlencode({"client_id": issuer.client.client_id, "post_logout_redirect_uri": issuer.client.home})
    return f"{provider.end_session}{'&' if '?' in provider.end_session else '?'}{query}"


def _json(model: SessionReply | SignedOut) -> Reply:
    return Reply(200, model.model_dump_json().encode(), (JSON,))


class _Oidc:
    def __init__(self, signing: Signing, issuer: OidcIssuer) -> None:
        self._signing = signing
        self._issuer = issuer

    async def login(self, request: Request) -> Reply:
        """Begins a sign-in: the browser goes to the issuer, and keeps what ends it."""
        try:
            login = flow.begin(_parameters(request).get("to", flow.PAGE))
            provider = await self._issuer.provider()
        except SignInFailed as failed:
            return failed_page(failed.reason, failed.status)
        sealed = self._signing.login_seal.seal(login.fields(), request.wall_millis / 1000 + flow.LOGIN_SECONDS)
        # Lax: the browser comes back by a link of the issuer's site.
        cookie = self._signing.site.cookie(_COOKIE, sealed, flow.LOGIN_SECONDS, "Lax")
        return _to(flow.authorization_url(self._issuer.client, provider, login), cookie)

    async def callback(self, request: Request) -> Reply:
        """Ends a sign-in, with a session or with the reason why there is none."""
        over = self._signing.site.cookie(_COOKIE, "", 0, "Lax")
        try:
            cookie, to = await self._signed_in(request)
        except SignInFailed as failed:
            return failed_page(failed.reason, failed.status).having(over)
        except BadToken as error:
            log.warning("sign_in_refused", reason=str(error))
            return failed_page(f"The issuer's ID token is not accepted: {error}", 403).having(over)
        except Unchecked as error:
            return failed_page(f"The ID token can't be checked now: {error}", UNAVAILABLE_CODE).having(over)
        return _to(to, over, cookie)

    async def _signed_in(self, request: Request) -> tuple[RawHeader, str]:
        """The session's cookie, and where to go. Raises SignInFailed, BadToken, Unchecked."""
        now_seconds = request.wall_millis / 1000
        login = self._login(request, now_seconds)
        if login is None:
            raise SignInFailed(flow.NOT_BEGUN)
        code = flow.code_of(_parameters(request), login, self._issuer.client.issuer)
        found = await self._issuer.identity(code, login, now_seconds)
        _, cookie = self._signing.sessions.begin(found.player, found.app, found.scopes, now_seconds)
        log.info("signed_in", who=found.player, app=found.app)
        return cookie, login.to

    def _login(self, request: Request, now_seconds: float) -> Login | None:
        sealed = self._signing.site.read_cookie(_COOKIE, request.headers)
        fields = self._signing.login_seal.open(sealed, now_seconds) if sealed else None
        return Login(fields["state"], fields["nonce"], fields["verifier"], fields["to"]) if fields else None


def _parameters(request: Request) -> dict[str, str]:
    """The query. Raises SignInFailed if it names a parameter twice, or is no query."""
    try:
        pairs = parameter_pairs(request.target.query_string, MAX_PARAMETERS)
    except BadQuery as error:
        raise SignInFailed("The address is not valid", 400) from error
    if len(dict(pairs)) < len(pairs):
        raise SignInFailed("The address names a parameter twice", 400)
    return dict(pairs)


def _to(url: str, *cookies: RawHeader) -> Reply:
    return Reply(SEE_OTHER_CODE, b"", ((b"location", url.encode()), *cookies))
