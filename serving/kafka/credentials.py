"""What a process signs in to Kafka with. Each new connection reads it, so that a process need not restart to change it.

- Files of certificates are read again when they have changed.
- Passwords and client secrets change with renew(), for example after a signal.
- Tokens are fetched again before they expire.
"""

import ssl
from functools import lru_cache

import structlog
from aiokafka.abc import AbstractTokenProvider

from schemas.settings import KafkaSettings
from serving.kafka.oauth import TokenSource, no_token
from serving.kafka.tls import client_subject, tls_context
from serving.kafka.words import NoToken, UnusableFile

log = structlog.get_logger()

# The settings that renew() takes over. A process keeps the others until it restarts.
RENEWED = (
    "sasl_username",
    "sasl_password",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_key_password",
    "oauth_token_url",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
)


class Credentials(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Of one process: all its clients share them."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self._tokens = TokenSource()
        self._usable: ssl.SSLContext | None = None
        self._told = ""

    def renew(self, newer: KafkaSettings) -> None:
        """Sign in with these from now on. Connections that are open stay open."""
        self.kafka = self.kafka.model_copy(update={name: getattr(newer, name) for name in RENEWED})
        self._tokens.forget()

    def refused(self) -> None:
        """Kafka refused them. A token may have been revoked: the next connection gets another."""
        self._tokens.forget()

    def tls_context(self) -> ssl.SSLContext | None:
        """Raises UnusableFile, but not while the process runs: files that were usable stay in use until new ones are.

        A certificate and its key are seldom replaced at the same moment.
        """
        try:
            self._usable, self._told = tls_context(self.kafka), ""
        except UnusableFile as error:
            if self._usable is None:
                raise
            if self._told != str(error):
                self._told = str(error)
                log.error("certificate_not_renewed", reason=str(error))  # noqa: TRY400 the reason says it
        return self._usable

    def any_tls_context(self) -> ssl.SSLContext | None:
        """One that no connection uses; None for a protocol without TLS."""
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if self.kafka.security_protocol.endswith("SSL") else None

    @property
    def user(self) -> str | None:
        """The user, or the client id of OAUTHBEARER."""
        return self.kafka.oauth_client_id if self.kafka.sasl_mechanism == "OAUTHBEARER" else self.kafka.sasl_username

    @property
    def password(self) -> str:
        return self.kafka.sasl_password.get_secret_value() if self.kafka.sasl_password else ""

    @property
    def principal(self) -> str:
        """The user as Kafka's ACLs name it, unless the broker has rules of its own for names."""
        if self.kafka.security_protocol.startswith("SASL_"):
            return f"User:{self._tokens.subject or self.user}"
        subject = client_subject(self.kafka) if self.kafka.security_protocol == "SSL" else None
        return f"User:{subject or 'ANONYMOUS'}"

    @property
    def servers(self) -> str:
        return self.kafka.bootstrap_servers or ""

    def unanswered(self, seconds: float) -> NoToken | None:
        """Why a connection was not complete after so many seconds, if it waited for a token."""
        url = self.kafka.oauth_token_url or ""
        return no_token(url, f"no answer in {seconds:g} s") if self._tokens.is_awaited else None

    async def token(self) -> str:
        """A valid token. Raises NoToken."""
        return await self._tokens.token(self.kafka)


@lru_cache(maxsize=64)  # a process has one; the tests of a run have many
def credentials_of(kafka: KafkaSettings) -> Credentials:
    """The same object for the same settings, so that clients share tokens and what renew() has changed."""
    return Credentials(kafka)


def renew(kafka: KafkaSettings, newer: KafkaSettings) -> None:
    """Give new secrets to the clients that were made with `kafka`, the settings the process started with."""
    credentials_of(kafka).renew(newer)
