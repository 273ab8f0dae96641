"""MongoDB's clock: an operator's command stores times and judges ages by it, for the operator's own may be wrong."""

from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase


async def server_now(db: AsyncDatabase[dict[str, Any]]) -> datetime:
    """The primary's time, to the millisecond. Where an update can take it, `$$NOW` saves the question."""
    now: datetime = (await db.client.admin.command("hello"))["localTime"]
    return now.replace(tzinfo=UTC)  # commands are read without the client's tz_aware
