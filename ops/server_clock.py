"""MongoDB's clock. Commands store times and compare ages by it, because the operator's clock may be wrong."""

from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase


async def server_now(db: AsyncDatabase[dict[str, Any]]) -> datetime:
    """The primary's time in milliseconds. An update can use `$$NOW` instead, without this call."""
    now: datetime = (await db.client.admin.command("hello"))["localTime"]
    return now.replace(tzinfo=UTC)  # commands are read without the client's tz_aware
