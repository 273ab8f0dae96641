"""Why an address does not answer as Kafka does, in words that name the setting to check.

A port that expects TLS closes a connection without TLS, and often the other way round, without a reason. So after a
failure without a reason the port is tried the other way: if that works, kafka.security_protocol is wrong.
"""

import asyncio
import ssl
from typing import Any

from aiokafka import errors

from serving.kafka.metadata import Address, connected
from serving.kafka.tls import client_certificate_problem
from serving.kafka.words import NO_TLS, OTHER_CERTIFICATE, Explained, NotKafka, why

# Of the time for the other way. asyncio closes the socket if the handshake itself times out, not if it is cancelled.
HANDSHAKE_SHARE = 0.8


async def cause_of(error: BaseException, address: Address, options: dict[str, Any], seconds: float) -> str:
    """Say why a request to this address failed. Another way is tried for half of `seconds`."""
    words, credentials = why(error), options["sasl_oauth_token_provider"]
    if words == OTHER_CERTIFICATE:
        return client_certificate_problem(credentials.kafka)
    if isinstance(error, TimeoutError) and (waited := credentials.unanswered(seconds)):
        return str(waited)
    if is_without_reason(error) and (found := await _other_way(address, options, seconds / 2)):
        return found
    if isinstance(error, TimeoutError):
        return f"no answer in {seconds:g} s"
    return words


def is_without_reason(error: BaseException) -> bool:
    """Whether the port accepted the connection and then closed it, kept silent, or sent what is not Kafka's."""
    if isinstance(error, NotKafka):
        return True
    if isinstance(error, Explained | ssl.SSLCertVerificationError):
        return False
    if isinstance(error, errors.KafkaConnectionError):
        return error.__cause__ is None or is_without_reason(error.__cause__)
    return isinstance(error, TimeoutError | EOFError | ConnectionResetError | BrokenPipeError | ssl.SSLError) or (
        isinstance(error, OSError) and error.errno is None
    )


async def _other_way(address: Address, options: dict[str, Any], seconds: float) -> str | None:
    """Say whether the port has TLS, if the settings say otherwise."""
    try:
        async with asyncio.timeout(seconds):
            if options["security_protocol"].endswith("SSL"):
                async with connected(address, {**options, "security_protocol": "PLAINTEXT"}):
                    return NO_TLS
            await _shake_hands(address, HANDSHAKE_SHARE * seconds)
    except Exception:  # noqa: BLE001 then the port is not Kafka's either way
        return None
    return "the port speaks TLS: check kafka.security_protocol"


class _Closing(asyncio.Protocol):
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed.set()


async def _shake_hands(address: Address, seconds: float) -> None:
    """Complete a TLS handshake, and close. Any certificate will do: nothing is sent."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    transport, protocol = await asyncio.get_running_loop().create_connection(
        _Closing, *address, ssl=trusting, ssl_handshake_timeout=seconds
    )
    transport.abort()
    await protocol.closed.wait()
