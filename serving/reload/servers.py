"""What every process renews of its connections to Kafka and MongoDB at SIGHUP: users, passwords, certificates."""

from collections.abc import Callable
from functools import partial

from schemas.settings import KafkaSettings, MongoSettings
from serving.kafka import credentials
from serving.kafka.words import UnusableFile
from serving.mongodb import renewal
from serving.mongodb.uri import without_user
from serving.outgoing.pem import UnusablePem
from serving.reload.secrets import NotRead, Reload


def renew_connections(reload: Reload, kafka: KafkaSettings, mongodb: MongoSettings) -> None:
    """New connections use what has changed; open ones stay."""
    reload.renews_part("kafka", credentials.RENEWED, partial(credentials.renew, kafka))
    reload.renews("mongodb.uri", lambda uri: _checked(renewal.renew_clients, uri.get_secret_value()), without_user)
    reload.each_time(lambda: _checked(credentials.credentials_of(kafka).tls_context))
    uri = mongodb.uri
    if uri is not None:
        reload.each_time(lambda: _checked(renewal.renew_certificates, uri.get_secret_value()))


def _checked(renew: Callable[..., object], *values: str) -> None:
    try:
        renew(*values)
    except (UnusablePem, UnusableFile) as error:
        raise NotRead([str(error)]) from error
