"""Waits for a first answer of MongoDB, and no longer than it may come.

The client looks for a server until its time-out, whatever the servers said. A person who has mistyped a setting should
not wait for that: no retry mends a certificate, a server without TLS, or the name of another replica set.
"""

import asyncio
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.topology_description import TopologyDescription

from serving.mongodb.words import NO_SUCH_SET, NOT_MENDED, why

# A server that runs answers within milliseconds. Then the client's own time-out is for what may come back.
FIRST_ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.02


class Unusable(Exception):
    """No server can be used with these settings. The message says which setting is wrong."""


async def first_answer(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Return when a server has answered, or FIRST_ANSWER_SECONDS are over. Raises Unusable."""
    await client.aconnect()
    for _ in range(round(FIRST_ANSWER_SECONDS / POLL_SECONDS)):
        found = client.topology_description
        if any(server.is_server_type_known for server in found.server_descriptions().values()):
            return
        if reason := unusable(found):
            raise Unusable(reason)
        await asyncio.sleep(POLL_SECONDS)


def unusable(found: TopologyDescription) -> str | None:
    """Why none of the servers can be used until a setting is changed; None if one may still answer."""
    servers = found.server_descriptions().values()
    if not servers:
        # The client forgets a server that is not a member of the set.
        return NO_SUCH_SET.format(found.replica_set_name)
    reasons = list(dict.fromkeys(why(one.error) for one in servers if one.error is not None))
    if any(one.error is None or not _stays(why(one.error)) for one in servers):
        return None
    return "; ".join(reasons)


def _stays(reason: str) -> bool:
    return any(words in reason for words in NOT_MENDED)
