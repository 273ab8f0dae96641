"""Kafka's errors in plain words: no class name, no repr of a library.

Errors of brokers are found by class, those of the network by number. An error without an entry gets its name in Kafka's
protocol guide ("kafka storage error"), so an error that a new version of the client brings has words too.
"""

import re
import ssl
from collections.abc import Iterator

from aiokafka import errors

from serving.kafka.rights import DENIALS
from serving.outgoing.network_words import network_words

MAX_CHARACTERS = 300

OTHER_CERTIFICATE = "Kafka requires another client certificate: check kafka.ssl_certfile and kafka.ssl_keyfile"
NO_TLS = "the port does not speak TLS: check kafka.security_protocol"
NOT_KAFKA = "the port does not speak Kafka's protocol: check kafka.bootstrap_servers"

_NOT_ALLOWED = "Kafka does not allow this request to the user (an ACL is missing)"
_OLD_MEMBER = "the consumer group continues without this member"

_WORDS: dict[type[BaseException], str] = {
    errors.AuthenticationFailedError: "Kafka refused the user: wrong password or mechanism",
    errors.AuthenticationMethodNotSupported: "Kafka does not offer this SASL mechanism",
    errors.BrokerNotAvailableError: "the broker is not available",
    errors.ClusterAuthorizationFailedError: _NOT_ALLOWED,
    errors.CommitFailedError: _OLD_MEMBER,
    errors.CorrelationIdError: "the broker's answer belongs to another request",
    errors.GroupAuthorizationFailedError: "Kafka does not allow the consumer group to this user (an ACL is missing)",
    errors.GroupCoordinatorNotAvailableError: "the consumer group has no coordinator now",
    errors.GroupLoadInProgressError: "the consumer group's coordinator is starting",
    errors.IllegalGenerationError: _OLD_MEMBER,
    errors.IllegalSaslStateError: "the port does not accept a user and password: check kafka.security_protocol",
    errors.IllegalStateError: "the client was used in the wrong state",
    errors.KafkaConnectionError: "the connection to the broker is broken, or no broker could be reached",
    errors.KafkaStorageError: "the broker can't use its disk",
    errors.KafkaTimeoutError: "no answer in time",
    errors.KafkaUnavailableError: "no broker could be reached",
    errors.LeaderNotAvailableError: "the partition has no leader now",
    errors.MemberIdRequired: _OLD_MEMBER,
    errors.MessageSizeTooLargeError: "the record is larger than the topic allows (max.message.bytes)",
    errors.NoBrokersAvailable: "no broker could be reached",
    errors.NodeNotReadyError: "the broker could not be reached",
    errors.NotControllerError: "the controller has moved to another broker",
    errors.NotCoordinatorForGroupError: "the consumer group's coordinator has moved to another broker",
    errors.NotEnoughReplicasAfterAppendError: "fewer replicas are in sync than min.insync.replicas requires",
    errors.NotEnoughReplicasError: "fewer replicas are in sync than min.insync.replicas requires",
    errors.NotLeaderForPartitionError: "the partition's leader has moved to another broker",
    errors.OffsetOutOfRangeError: "the offset is not in the log",
    errors.OutOfOrderSequenceNumber: "an earlier batch of this producer failed, so Kafka accepts no later one",
    errors.ProducerClosed: "the producer was stopped",
    errors.ProducerFenced: "another producer has taken over",
    errors.QuotaViolationError: "the user's quota in Kafka is used up",
    errors.RebalanceInProgressError: "the consumer group is rebalancing",
    errors.RecordListTooLargeError: "the batch is larger than a segment of the topic",
    errors.RecordTooLargeError: "a record is larger than the client allows",
    errors.ReplicaNotAvailableError: "a replica is not available",
    errors.RequestTimedOutError: "no answer in time",
    errors.SaslAuthenticationFailed: "Kafka refused the user: wrong password or mechanism",
    errors.StaleMetadata: "the broker is not part of the cluster now",
    errors.TopicAlreadyExistsError: "the topic exists already",
    errors.TopicAuthorizationFailedError: "Kafka does not allow the topic to this user (an ACL is missing)",
    errors.UnknownMemberIdError: _OLD_MEMBER,
    errors.UnknownProducerId: "Kafka no longer knows this producer",
    errors.UnknownTopicOrPartitionError: "there is no such topic or partition",
    errors.UnsupportedSaslMechanismError: "Kafka does not offer this SASL mechanism: check kafka.sasl_mechanism",
    errors.UnsupportedVersionError: "the broker is too old for this request",
    errors.StaleLeaderEpochCodeError: "the partition's leader has moved to another broker",
}

# For these the broker's message says what it refuses, and names the value.
_EXPLAINED_BY_THE_BROKER = (
    errors.InvalidConfigurationError,
    errors.InvalidPartitionsError,
    errors.InvalidReplicationAssignmentError,
    errors.InvalidReplicationFactorError,
    errors.InvalidRequestError,
    errors.InvalidTopicError,
    errors.PolicyViolationError,
)

_ADDRESS = re.compile(r"\bat (\S+:\d+)")

_NOT_TRUSTED = "Kafka's certificate is not trusted by kafka.ssl_cafile"
_NAMES = "use one of its names in kafka.bootstrap_servers and in the brokers' advertised.listeners"

# By OpenSSL's number of a certificate's error (x509_vfy.h).
_CERTIFICATE = {
    9: "Kafka's certificate is not valid yet: compare the clocks",
    10: "Kafka's certificate has expired: renew it on the broker",
    18: _NOT_TRUSTED,
    19: _NOT_TRUSTED,
    20: _NOT_TRUSTED,
    21: _NOT_TRUSTED,
    62: f"Kafka's certificate has other host names: {_NAMES}",
    64: f"Kafka's certificate has other IP addresses: {_NAMES}",
}


class Explained(Exception):
    """The message of such an error is for an operator: what is wrong, and which setting to change."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "no broker could be reached"


class UnusableFile(Explained, OSError):
    """A file of certificates can't be used. The message names its setting."""


class NotReached(Explained, errors.KafkaConnectionError):  # type: ignore[misc]  # aiokafka has no types
    """No address answers as Kafka does. The message says why for each."""


class NotKafka(NotReached):
    """An answer of another protocol. It may be TLS."""

    def __str__(self) -> str:
        return NOT_KAFKA


class NoToken(Explained, errors.KafkaConnectionError):  # type: ignore[misc]  # the same
    """The token endpoint gave no token."""


class NotSignedIn(Explained, errors.AuthenticationFailedError):  # type: ignore[misc]  # the same
    """Kafka refused the user, or the way to sign in."""


def why(error: BaseException) -> str:
    """Say what an error of Kafka's client or of the network means to an operator."""
    chain = tuple(_causes(error))
    for explained in (one for one in chain if isinstance(one, Explained)):
        return str(explained)
    for one in chain:
        if words := _specific(one):
            return words[:MAX_CHARACTERS]
    return _general(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the first cause first: it says more than the broken connection that follows from it."""
    chain: list[BaseException] = []
    while error not in chain:
        chain.append(error)
        error = error.__cause__ or error
    return reversed(chain)


def _specific(error: BaseException) -> str | None:
    if denied := DENIALS.of(error, _topic_in(error)):
        return f"Kafka: {denied}"
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, _EXPLAINED_BY_THE_BROKER) and (message := _message(error)):
        return f"Kafka refused the request: {message}"
    for kind in type(error).__mro__:
        if words := _WORDS.get(kind):
            return words + _detail(error)
    return network_words(error) if isinstance(error, OSError | EOFError) else None


def _detail(error: BaseException) -> str:
    """The address of a broken connection, or the topic that is not allowed, as the message names it."""
    if isinstance(error, errors.KafkaConnectionError) and (found := _ADDRESS.search(str(error))):
        return f": {found[1]}"
    if topic := _topic_in(error):
        return f": {topic}"
    return ""


def _topic_in(error: BaseException) -> str:
    """The topic that is not allowed, if the error names it."""
    if not isinstance(error, errors.TopicAuthorizationFailedError):
        return ""
    return message if re.fullmatch(r"[\w.-]+", message := _message(error)) else ""


def _message(error: BaseException) -> str:
    """The broker's message. Some errors of the client have an object in its place."""
    message = error.args[0] if error.args else None
    return message.strip().removesuffix(".") if isinstance(message, str) else ""


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code) or f"Kafka's certificate is rejected: {error.verify_message}"
    reason = (getattr(error, "reason", None) or "").replace("_", " ").lower()
    if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
        return OTHER_CERTIFICATE
    if reason in ("wrong version number", "http request", "record layer failure"):
        return NO_TLS
    return f"TLS failed: {reason}" if reason else "the connection was closed during the TLS handshake"


def _general(error: BaseException) -> str:
    if isinstance(error, errors.BrokerResponseError):
        name = getattr(error, "message", "unknown error").replace("_", " ").lower()
        return f"Kafka answered: {name} (code {getattr(error, 'errno', -1)})"
    if isinstance(error, errors.KafkaError):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
        return f"the client reports: {name}"
    return "an unexpected failure"
