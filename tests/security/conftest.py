"""The secured servers of these tests, started once."""

from collections.abc import Iterator

import pytest

from tests.security.kafka_servers import SecureKafka, secure_kafka
from tests.security.mongo_servers import SecuredMongo, secured_mongod


@pytest.fixture(scope="package")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMongo]:
    with secured_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture(scope="package")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running
