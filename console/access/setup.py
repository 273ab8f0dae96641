"""Makes what signing in needs from the settings of a console."""

from dataclasses import replace
from typing import Final

from console.access.links import Links
from console.access.oidc.flow import Client
from console.access.oidc.issuer import OidcIssuer
from console.access.sealed import Seal
from console.access.sessions import CookieSessions
from console.access.sign_in import Signing
from console.access.site import Site
from console.config import ConsoleConfig
from schemas.records.signing import bytes_of
from serving.clock import Clock
from serving.tokens.check import claim_rules
from serving.tokens.metrics import TokenMetrics

LOGIN_PURPOSE: Final = "login"


def signing_of(config: ConsoleConfig, port: int, clock: Clock, metrics: TokenMetrics) -> Signing | None:
    """None without keys, or on an address that others reach without TLS: then only bearer tokens are accepted."""
    console = config.console
    if not console.session_keys or not (console.public_url or console.is_private):
        return None
    keys = bytes_of(console.session_keys)
    site = Site(console.public_url, port)
    issuer = _issuer(config, clock, metrics)
    return Signing(
        site,
        CookieSessions(site, keys, console.session_seconds),
        # Where people sign in at an issuer, there is no other way in.
        Links(() if issuer else keys, clock.wall_millis() / 1000),
        Seal(keys, LOGIN_PURPOSE),
        issuer,
    )


def _issuer(config: ConsoleConfig, clock: Clock, metrics: TokenMetrics) -> OidcIssuer | None:
    """The issuer, with the same rules for claims as bearer tokens have. An ID token's audience is the client."""
    oidc, url = config.oidc, config.console.public_url
    if not (oidc.issuer and oidc.client_id and url):
        return None
    client = Client(oidc.issuer, oidc.client_id, oidc.client_secret, url, oidc.scopes)
    rules = replace(claim_rules(config.tokens), issuer=oidc.issuer, audience=oidc.client_id, partial=False)
    return OidcIssuer(client, rules, clock, metrics)
