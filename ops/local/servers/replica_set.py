"""Make the local mongod the primary of a replica set of one."""

from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from ops.local.servers.mongod import REPLICA_SET

ANSWER_MS = 1_000

_NOT_YET_INITIALIZED = 94


def moved_config(config: dict[str, Any], address: str) -> dict[str, Any] | None:
    """The replica set's configuration with its member at this address, or None if it is there already.

    The port may differ from last time, and a member that is not in its configuration never becomes primary.
    """
    (member, *_) = config["members"]
    if member["host"] == address:
        return None
    return {**config, "version": config["version"] + 1, "members": [{**member, "host": address}]}


def make_primary(address: str) -> bool:
    """One step towards a writable primary. True when it is one. The caller repeats it until then."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        f"mongodb://{address}", directConnection=True, serverSelectionTimeoutMS=ANSWER_MS
    )
    with client:
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                return True
            _settle_config(client, address)
        except PyMongoError:
            return False
    return False


def _settle_config(client: "pymongo.MongoClient[dict[str, Any]]", address: str) -> None:
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        first = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]}
        client.admin.command("replSetInitiate", first)
        return
    if moved := moved_config(config, address):
        client.admin.command("replSetReconfig", moved, force=True)
