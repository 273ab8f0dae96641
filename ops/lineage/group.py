"""How many workers are in a group."""

import asyncio
import time

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)

# Of a group's coordinator. On a new Kafka the first question makes the topic of the groups, which takes a second.
NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)

# A command answers within ten seconds.
COORDINATOR_SECONDS = 8.0

RETRY_SECONDS = 0.2


async def members_of(admin: AIOKafkaAdminClient, group: str) -> int:
    """Waits for the group's coordinator. Raises KafkaError, also where the user may not know."""
    give_up = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            return await _members_now(admin, group)
        except NOT_YET:
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(RETRY_SECONDS)


async def _members_now(admin: AIOKafkaAdminClient, group: str) -> int:
    answers = await admin.describe_consumer_groups([group])
    groups = [found for answer in answers for found in answer.groups]
    for code, *_ in groups:
        if code:
            raise for_code(code)
    return sum(len(found[5]) for found in groups)
