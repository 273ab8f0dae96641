"""Keeps the results of `verify` and `doctor` in MongoDB, for the console and its metrics: the last one of each.

A result that can't be kept is reported on standard error. It changes neither the report of the command nor its exit
status.
"""

from typing import Any, Literal

from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ops.config import Settings
from ops.output import complain
from schemas.documents import CHECKS
from serving.mongodb.client import UnusableUri, new_client, why

# The report is printed already. Nobody should wait for a server that the report has called unavailable.
KEEP_MILLIS = 3_000

# A sentence, not a report.
MAX_DETAIL = 500


async def keep_check(
    settings: Settings, name: Literal["verify", "doctor"], *, ok: bool, detail: str, seconds: float
) -> None:
    """Write the result over the one before. Without a database there is nothing to keep it in."""
    if not settings.mongodb.uri:
        return
    result = {"ok": ok, "detail": detail[:MAX_DETAIL], "seconds": round(seconds, 1)}
    try:
        client = new_client(
            settings.mongodb,
            "tallymill",
            serverSelectionTimeoutMS=KEEP_MILLIS,
            connectTimeoutMS=KEEP_MILLIS,
            socketTimeoutMS=KEEP_MILLIS,
        )
    except UnusableUri as error:
        _not_kept("; ".join(error.problems))
        return
    try:
        await _write(client.get_database(settings.mongodb.database), name, result)
    except PyMongoError as error:
        _not_kept(f"MongoDB: {why(error)}")
    finally:
        await client.close()


async def _write(database: AsyncDatabase[dict[str, Any]], name: str, result: dict[str, Any]) -> None:
    """Only into a collection that exists: a check of a misspelt database must not create that database."""
    if CHECKS not in await database.list_collection_names(filter={"name": CHECKS}):
        _not_kept(f"collection {CHECKS} of database {database.name} is missing. Run `tallymill init`")
        return
    checks = database.get_collection(CHECKS, write_concern=WriteConcern(w="majority", wtimeout=KEEP_MILLIS))
    # MongoDB's own time: the operator's clock may be wrong.
    await checks.update_one({"_id": name}, [{"$set": {**_literal(result), "at": "$$NOW"}}], upsert=True)


def _literal(result: dict[str, Any]) -> dict[str, Any]:
    """A text that begins with `$` would be read as the name of a field."""
    return {name: {"$literal": value} for name, value in result.items()}


def _not_kept(reason: str) -> None:
    complain(f"The result is not kept in MongoDB: {reason}")
