"""A broker with users: one listener for each way to sign in, certificates, and ACLs that refuse what no row allows.

| listener | protocol | a user is known by |
|---|---|---|
| SCRAM | SASL_SSL | SCRAM-SHA-256 or SCRAM-SHA-512 |
| PLAIN | SASL_SSL | PLAIN |
| MUTUAL | SSL | the common name of its certificate |
| OAUTH | SASL_SSL | OAUTHBEARER: the `sub` of a token of `tokens` |
| INSIDE | PLAINTEXT | nothing: it is the administrator's, a super user |

A user has the same name on each of them, and one password, which is also its client's secret at the token endpoint.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from schemas.settings import KafkaSettings
from tests.kafka.brokers import Broker, lone_broker
from tests.security.certificates import Authority
from tests.security.token_endpoint import AUDIENCE, ISSUER, TokenEndpoint, token_endpoint

Listener = Literal["SCRAM", "PLAIN", "MUTUAL", "OAUTH"]
LISTENERS: Final[Mapping[str, str]] = {"SCRAM": "SASL_SSL", "PLAIN": "SASL_SSL", "MUTUAL": "SSL", "OAUTH": "SASL_SSL"}

# One of each process and command of docs/security.md, and one that has all rights.
USERS: Final = (
    *("init", "ingress", "worker", "console", "canary"),
    *("definitions", "load", "verify", "doctor", "lineage", "dead-letters", "titles", "status"),
    "admin",
)

KEY_PASSWORD = "key file's password"

_SECURITY = "org.apache.kafka.common.security"


def password_of(user: str) -> str:
    return f"secret of {user}: 100%"


@dataclass(frozen=True)
class SecureKafka:
    """A running broker. `authority` signed its certificate; `strange` is another authority."""

    broker: Broker
    folder: Path
    authority: Authority
    strange: Authority
    tokens: TokenEndpoint

    def settings(self, listener: Listener, user: str = "admin", **changed: object) -> dict[str, object]:
        """The values of `[kafka]` with which this user signs in at this listener."""
        usual: dict[str, object] = {
            "bootstrap_servers": self.broker.address(listener),
            "security_protocol": LISTENERS[listener],
            "ssl_cafile": str(self.authority.cafile),
        }
        return usual | self._user(listener, user) | changed

    def model(self, listener: Listener, user: str = "admin", **changed: object) -> KafkaSettings:
        return KafkaSettings.model_validate(self.settings(listener, user, **changed))

    def _user(self, listener: Listener, user: str) -> dict[str, object]:
        if listener == "MUTUAL":
            pair = self.authority.issue(user, password=KEY_PASSWORD)
            files = {"ssl_certfile": str(pair.certfile), "ssl_keyfile": str(pair.keyfile)}
            return {**files, "ssl_key_password": KEY_PASSWORD}
        if listener == "OAUTH":
            return {
                "sasl_mechanism": "OAUTHBEARER",
                "oauth_token_url": self.tokens.url,
                "oauth_client_id": user,
                "oauth_client_secret": password_of(user),
            }
        mechanism = "PLAIN" if listener == "PLAIN" else "SCRAM-SHA-512"
        return {"sasl_mechanism": mechanism, "sasl_username": user, "sasl_password": password_of(user)}


@contextmanager
def secure_kafka(folder: Path, users: Sequence[str] = USERS, **own: str) -> Iterator[SecureKafka]:
    """A broker for as long as the block lasts. `own`: further settings of the broker (`_` for `.`)."""
    authority, strange = Authority(folder, "authority"), Authority(folder / "strange", "strange")
    passwords = {user: password_of(user) for user in users}
    with token_endpoint(passwords) as tokens:
        settings = _tls(authority) | _sasl(passwords, tokens) | _rights() | own
        # Kafka fetches keys from the URLs that this property lists only.
        options = [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={tokens.jwks_url}"]
        with lone_broker(folder, LISTENERS, passwords, java_options=options, **settings) as broker:
            yield SecureKafka(broker, folder, authority, strange, tokens)


def _tls(authority: Authority) -> dict[str, str]:
    return {
        "ssl_keystore_type": "PEM",
        "ssl_keystore_location": str(authority.issue("broker", "127.0.0.1").both),
        "ssl_truststore_type": "PEM",
        "ssl_truststore_location": str(authority.cafile),
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/",
    }


def _sasl(passwords: Mapping[str, str], tokens: TokenEndpoint) -> dict[str, str]:
    module = f"{_SECURITY}.scram.ScramLoginModule required;"
    plain = " ".join(f'user_{user}="{password}"' for user, password in passwords.items())
    oauth = "listener.name.oauth.oauthbearer"
    return {
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.scram.scram-sha-256.sasl.jaas.config": module,
        "listener.name.scram.scram-sha-512.sasl.jaas.config": module,
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": f"{_SECURITY}.plain.PlainLoginModule required {plain};",
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{oauth}.sasl.jaas.config": f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required;",
        f"{oauth}.sasl.server.callback.handler.class": (f"{_SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler"),
        "listener.name.oauth.sasl.oauthbearer.jwks.endpoint.url": tokens.jwks_url,
        "listener.name.oauth.sasl.oauthbearer.expected.audience": AUDIENCE,
        "listener.name.oauth.sasl.oauthbearer.expected.issuer": ISSUER,
        "listener.name.oauth.sasl.oauthbearer.clock.skew.seconds": "1",
        # A connection ends with the token that opened it (KIP-368).
        f"{oauth}.connections.max.reauth.ms": "3600000",
    }


def _rights() -> dict[str, str]:
    return {
        "authorizer_class_name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow_everyone_if_no_acl_found": "false",
        "super_users": "User:ANONYMOUS;User:admin",
    }
