"""The servers that the other real tests stand on."""

from typing import Any

import pymongo

from ops.local.servers.kafka import answers
from tests.servers import Servers


def test_the_servers_are_real_ones_and_mongodb_has_transactions(servers: Servers) -> None:
    assert answers(servers.kafka)
    with pymongo.MongoClient[dict[str, Any]](servers.mongodb) as client, client.start_session() as session:
        with session.start_transaction():
            client["real_servers"]["things"].insert_one({"_id": 1}, session=session)
        assert client["real_servers"]["things"].count_documents({}) == 1
        client.drop_database("real_servers")
