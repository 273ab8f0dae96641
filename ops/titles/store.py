"""The registered titles in MongoDB: listed and freed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from consumer.core.analytics.plan import SOURCE
from consumer.mongo.transactions import in_transaction
from ops.output import did_you_mean
from schemas.analytics.items import OTHER_TITLE
from schemas.documents import PERIOD_COUNTS, TITLES, app_and_player, is_anonymous, owned_by, title_key

Document = dict[str, Any]
Database = AsyncDatabase[Document]

# A freed title counts by its name in records that come within this time, by the clocks of MongoDB and Kafka: a worker
# that has not yet seen that it is freed reads none that came later. Clocks may differ by as much.
FREED_AFTER_SECONDS = 60


class NoSuchTitle(ValueError):
    """Titles that are not registered, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Titles of an app: those named, all of anonymous actors, all that a player was the first to send."""

    app: str
    titles: Sequence[str] = ()
    anonymous: bool = False
    player: str | None = None

    @property
    def is_nothing(self) -> bool:
        return not self.titles and not self.anonymous and self.player is None


@dataclass(frozen=True, slots=True)
class Registered:
    """One title as `titles` holds it."""

    title: str
    first: str
    by: str | None
    promoted: str | None
    freed: datetime | None

    @property
    def anonymous(self) -> bool:
        return is_anonymous(self.by or "")


def registered(document: Mapping[str, Any]) -> Registered:
    """The title of a document; the player who registered it."""
    title, by = document["_id"].partition("/")[2], document.get("by")
    player = app_and_player(by)[1] if by else None
    return Registered(title, document["from"], player, document.get("promoted"), document.get("freed"))


async def titles_of(db: Database, app: str) -> list[Registered]:
    """All of an app, freed ones too, by name."""
    return [registered(one) async for one in db[TITLES].find(owned_by(app), sort=[("_id", 1)])]


async def counted_since(db: Database, app: str, hours: int, now: datetime) -> Counter[str]:
    """How many items of each title count in the last `hours`, including the current one, by the items' times."""
    this = now.replace(minute=0, second=0, microsecond=0)
    begins = [f"{this - timedelta(hours=ago):%Y-%m-%dT%H}/{app}/{SOURCE}" for ago in range(hours)]
    query = {"$or": [owned_by(begin) for begin in begins]}
    found: Counter[str] = Counter()
    async for hour in db[PERIOD_COUNTS].find(query, {"event": 1, "count": 1}):
        found[hour["event"]] += hour["count"]
    return found


def to_free(chosen: Chosen, found: Iterable[Registered]) -> list[Registered]:
    """The chosen ones. Raises NoSuchTitle where one that is named isn't registered, or is freed already."""
    live = {one.title: one for one in found if one.freed is None}
    problems = [_no_such(title, live) for title in chosen.titles if title not in live]
    if problems:
        raise NoSuchTitle(problems)
    return [
        one
        for one in live.values()
        if one.title in chosen.titles
        or (chosen.anonymous and one.anonymous)
        or (chosen.player is not None and one.by == chosen.player)
    ]


def _no_such(title: str, live: Iterable[str]) -> str:
    if title == OTHER_TITLE:
        return f"{OTHER_TITLE} is not a title: it counts the events whose titles are not registered"
    return f"Title {title} is not registered{did_you_mean(title, live)}"


async def free(db: Database, chosen: Chosen) -> list[Registered]:
    """Free the chosen ones, all or none, in one transaction with their app's numbers. Raises NoSuchTitle."""

    async def body(session: AsyncClientSession) -> list[Registered]:
        titles = db[TITLES]
        found = [registered(one) async for one in titles.find(owned_by(chosen.app), session=session)]
        freed = to_free(chosen, found)
        if freed:
            # MongoDB's own clock: an operator's may be wrong.
            at = {"$add": ["$$NOW", FREED_AFTER_SECONDS * 1000]}
            keys = [title_key(chosen.app, one.title) for one in freed]
            await titles.update_many({"_id": {"$in": keys}}, [{"$set": {"freed": at}}], session=session)
            anonymous = sum(one.anonymous for one in freed)
            less = {"count": anonymous - len(freed), "anonymous": -anonymous}
            await titles.update_one({"_id": chosen.app}, {"$inc": less}, session=session)
        return freed

    async with db.client.start_session() as session:
        return await in_transaction(session, body)
