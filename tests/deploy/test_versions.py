"""What docs/deployment.md says of versions of Kafka and MongoDB: what the tests run, and what compose.yaml names."""

import re
from typing import Final

import pymongo
import pytest

from ops.reference import ROOT
from tests.deploy.image.composed import compose
from tests.servers import Servers

PAGE: Final = " ".join((ROOT / "docs" / "deployment.md").read_text().split())
TESTED: Final = re.search(r"The tests run with Kafka ([\d.]+) and MongoDB ([\d.]+)\.", PAGE)


def versions() -> tuple[str, str]:
    assert TESTED
    return TESTED[1], TESTED[2]


def test_the_page_names_the_kafka_that_is_downloaded() -> None:
    """And compose.yaml has the same."""
    kafka, _ = versions()
    assert f"<version>{kafka}</version>" in (ROOT / "deploy" / "local" / "pom.xml").read_text()
    assert compose()["services"]["kafka"]["image"].startswith(f"apache/kafka:{kafka}@")


def test_the_page_says_that_the_mongodb_of_compose_was_not_run() -> None:
    """As long as the tests run another one."""
    name = compose()["services"]["mongodb"]["image"].partition("@")[0].removeprefix("mongo:")
    assert not versions()[1].startswith(name)
    assert f"so neither was MongoDB {name}, which compose.yaml names" in PAGE


@pytest.mark.real
def test_the_page_names_the_mongodb_that_is_running(servers: Servers) -> None:
    with pymongo.MongoClient[dict[str, object]](servers.mongodb) as client:
        assert versions()[1] == client.server_info()["version"]
