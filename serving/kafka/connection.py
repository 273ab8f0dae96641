"""A connection to a broker. It differs from aiokafka's in how it signs in.

- It reads certificates, password and token when it connects (credentials.py), not when its client is made.
- It signs in again before its session ends (KIP-368). A broker with connections.max.reauth.ms, or whose tokens expire,
  otherwise closes the connection with the requests that are on their way. Requests of others wait meanwhile, as the
  protocol demands.
- It says why Kafka refuses to let it in, and which setting to change.
- It reads no answer of another protocol. aiokafka takes its first bytes for a length, and waits for gigabytes.
"""

import asyncio
import struct
import weakref
from collections.abc import Awaitable
from typing import Any

import aiokafka.client
from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.protocol.admin import SaslAuthenticateRequest, SaslHandShakeRequest
from aiokafka.protocol.api import Request

from serving.kafka.credentials import Credentials
from serving.kafka.rights import DENIALS
from serving.kafka.words import NotKafka, NotSignedIn, why

# Of a session, after which the connection signs in again. Brokers count from the answer, so some of it must be left for
# the way there and for requests that are answered first.
RENEW_SHARE = 0.8

# A broker accepts one sign-in a second (KIP-368).
SHORTEST_SECONDS = 1.1

# The first answer lists the versions of requests: less than a kilobyte. The length that is read from another protocol
# is far larger: "HTTP" is 1.2 GB, an alert of TLS 0.3 GB.
MAX_FIRST_ANSWER_BYTES = 1 << 20

# What aiokafka raises for an answer that is no step of the mechanism.
SENSELESS = (ValueError, KeyError, OverflowError, AssertionError)

REFUSED_CODES = (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError)


def install() -> None:
    """Make all of aiokafka's clients connect in this way. They have no option for it."""
    aiokafka.client.create_conn = create_connection


async def create_connection(host: str, port: int, **options: Any) -> AIOKafkaConnection:  # noqa: ANN401 aiokafka's own
    connection = Connection(host, port, **options)
    await connection.connect()
    return connection


class Connection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """The option sasl_oauth_token_provider takes its Credentials, for every mechanism and for TLS."""

    def __init__(self, host: str, port: int, **options: Any) -> None:  # noqa: ANN401 the same
        super().__init__(host, port, **options)
        provider = self._sasl_oauth_token_provider
        self._credentials = provider if isinstance(provider, Credentials) else None
        self._renewal: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._is_signing_in_again = False
        self._signed_in = asyncio.Event()
        self._closing: asyncio.WriteTransport | None = None

    async def connect(self) -> Any:  # noqa: ANN401 the same
        if self._credentials:
            self._ssl_context = self._credentials.tls_context()
        return await super().connect()

    def send(self, request: Request[Any], expect_response: bool = True) -> Awaitable[Any]:  # noqa: FBT001, FBT002 the same
        if self._is_signing_in_again and asyncio.current_task() is not self._renewing:
            return self._send_later(request, expect_response=expect_response)
        return self._noted(request, super().send(request, expect_response))

    async def _send_later(self, request: Request[Any], *, expect_response: bool) -> Any:  # noqa: ANN401 the same
        await self._signed_in.wait()
        return await self._noted(request, super().send(request, expect_response))

    async def _noted(self, request: Request[Any], sent: Awaitable[Any]) -> Any:  # noqa: ANN401 the same
        """The answer. Rights that it denies are noted, for the words of the error that follows."""
        answer = await sent
        if answer is not None and self._credentials:
            DENIALS.note(request, answer, self._credentials)
        return answer

    def close(self, reason: CloseReason | None = None, exc: BaseException | None = None) -> Any:  # noqa: ANN401 the same
        if self._renewal:
            self._renewal.cancel()
        if self._writer is not None:
            self._closing = self._writer.transport
        return super().close(reason, exc)

    def abort(self) -> None:
        """Close the socket of a closed connection now. Over TLS it otherwise waits until the broker closes its side."""
        if self._closing is not None:
            self._closing.abort()

    @staticmethod
    async def _read(connection: "weakref.ref[Connection]") -> None:
        """Reads the answers, until the connection is closed or gone."""
        self = connection()
        reader: Any = self and self._reader
        while self is not None:
            # A connection that nobody uses must not be kept meanwhile.
            is_first, self = not self._versions, None
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            if is_first and not 0 < size <= MAX_FIRST_ANSWER_BYTES:
                raise NotKafka
            answer = await reader.readexactly(size)
            if (self := connection()) is not None:
                self._handle_frame(answer)

    async def _do_sasl_handshake(self) -> None:
        """Sign in. Raises NotSignedIn, NoToken."""
        if self._credentials:
            self._sasl_plain_username, self._sasl_plain_password = self._credentials.user, self._credentials.password
        offered = await self.send(SaslHandShakeRequest(self._sasl_mechanism))
        if offered.error_code == errors.IllegalSaslStateError.errno:
            raise self._refused(why(errors.IllegalSaslStateError()))
        if self._sasl_mechanism not in offered.enabled_mechanisms:
            raise self._refused(_not_offered(self._sasl_mechanism, offered.enabled_mechanisms))
        try:
            answer = await self._exchange()
        except SENSELESS as error:  # the broker does not know the password's hash, or answers without sense
            raise self._refused("Kafka does not prove that it knows the password: is it the right server?") from error
        if (lifetime_millis := getattr(answer, "session_lifetime_ms", 0)) > 0:
            seconds = max(RENEW_SHARE * lifetime_millis / 1000, SHORTEST_SECONDS)
            self._renewal = self._loop.call_later(seconds, self._renew)

    async def _exchange(self) -> Any:  # noqa: ANN401 the same
        """The messages of the mechanism. Returns the last answer."""
        authenticator = self._authenticator()
        received, answer = None, None
        while (step := await authenticator.step(received)) is not None:
            answer = await self.send(SaslAuthenticateRequest(step[0]))
            if answer.error_code:
                raise self._refused(self._words_of(errors.for_code(answer.error_code)))
            received = answer.sasl_auth_bytes
            if received and self._sasl_mechanism == "OAUTHBEARER":  # a failure in JSON (RFC 7628, section 3.2.3)
                raise self._refused(self._words_of(errors.SaslAuthenticationFailed))
        return answer

    def _authenticator(self) -> Any:  # noqa: ANN401 the same
        if self._sasl_mechanism == "OAUTHBEARER":
            return self.authenticator_oauth()
        return self.authenticator_plain() if self._sasl_mechanism == "PLAIN" else self.authenticator_scram()

    def _words_of(self, error: type[errors.KafkaError]) -> str:
        if error not in REFUSED_CODES:
            return f"Kafka refused to sign in {self._user}: check kafka.sasl_mechanism"
        if self._sasl_mechanism == "OAUTHBEARER":
            return (
                f"Kafka refused the token of client {self._user}: its issuer, audience or scope is not what the broker "
                "expects, or it has expired (kafka.oauth_token_url, kafka.oauth_scope)"
            )
        return (
            f"Kafka refused user {self._user}: wrong password, or no such user for {self._sasl_mechanism} "
            "(kafka.sasl_username, kafka.sasl_password, kafka.sasl_mechanism)"
        )

    @property
    def _user(self) -> str | None:
        return self._credentials.user if self._credentials else self._sasl_plain_username

    def _refused(self, words: str) -> NotSignedIn:
        if self._credentials:
            self._credentials.refused()
        return NotSignedIn(words)

    # A session that ends.

    def _renew(self) -> None:
        self._renewing = self._loop.create_task(self._sign_in_again(), name=f"sign in again at {self.host}:{self.port}")

    async def _sign_in_again(self) -> None:
        """Closes the connection if that fails: its user must not stay."""
        try:
            if self._credentials and self._sasl_mechanism == "OAUTHBEARER":
                await self._credentials.token()  # others need not wait for it
            self._is_signing_in_again = True
            await self._do_sasl_handshake()
        except (errors.KafkaError, OSError, TimeoutError) as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
        finally:
            self._is_signing_in_again = False
            self._signed_in.set()
            self._signed_in = asyncio.Event()


def _not_offered(mechanism: str, offered: list[str]) -> str:
    names = ", ".join(offered) or "none"
    return f"Kafka does not offer {mechanism} at this port, but {names}: check kafka.sasl_mechanism"
