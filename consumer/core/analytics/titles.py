"""The registry of titles while a flush is planned: which items count by their title, and which as `(other)`. Pure.

- From the record on that registers it, a title counts by its name, whoever sends it.
- The players of an app register up to `max_titles`, each of them up to `max_titles_per_player`. Its anonymous actors
  register up to `max_anonymous_titles` beside these, all together: anyone can be as many of them as he likes.
- A title of an anonymous actor becomes the players' with the first item of a player who could register it.
- A title that an operator has freed is a new one to records that came at its `freed` or later.

All of it follows from the records and the documents of `titles`, so that a recount agrees.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from consumer.core.analytics.decode import Pool
from schemas.analytics.items import OTHER_TITLE
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import TitleDocument, TitleTerm, actor_of, app_and_player, is_anonymous, millis_of, title_key
from schemas.settings import Limits


class Shares(NamedTuple):
    """How many titles of an app are registered: by players, and by anonymous actors."""

    players: int = 0
    anonymous: int = 0


NO_TITLES = Shares()


@dataclass(frozen=True, slots=True)
class KnownTitles:
    """What the store holds of the titles that a flush asks for, and of the apps and players that send them."""

    documents: Mapping[str, TitleDocument] = field(default_factory=dict)
    shares: Mapping[str, Shares] = field(default_factory=dict)
    by_actor: Mapping[str, int] = field(default_factory=dict)
    """Titles that a player has registered and nobody has freed. Only of `actors_to_ask`."""


@dataclass(frozen=True, slots=True)
class TitleWrites:
    """What a flush writes to `titles`. `replaced`: of `documents` those that stand there in another form."""

    documents: Mapping[str, TitleDocument]
    replaced: frozenset[str]
    added: Mapping[str, Shares]
    """What each app's numbers change by."""


NO_TITLE_WRITES = TitleWrites({}, frozenset(), {})


def split_titles(found: Iterable[Mapping[str, Any]]) -> tuple[dict[str, TitleDocument], dict[str, Shares]]:
    """Documents of `titles`: those of titles, and the numbers of apps (those of before had no anonymous share)."""
    documents: dict[str, TitleDocument] = {}
    shares = {}
    for one in found:
        if "/" in one["_id"]:
            documents[one["_id"]] = cast("TitleDocument", one)
        else:
            shares[one["_id"]] = Shares(one["count"], one.get("anonymous", 0))
    return documents, shares


def actors_to_ask(
    pools: Iterable[Pool], asked: Iterable[str], documents: Mapping[str, TitleDocument]
) -> frozenset[str]:
    """The actors who may register a title now: the store must say how many titles each has registered.

    `asked`: the keys of all titles of the pools, so that where nobody may each is looked at once.
    """
    open_keys = {key for key in asked if "/" in key and _may_register(documents.get(key))}
    if not open_keys:
        return frozenset()
    return frozenset(
        actor_of(pool.app, pool.player)
        for pool in pools
        if not is_anonymous(pool.player)
        and any(title_key(pool.app, item.title) in open_keys for item in pool.items.values())
    )


def _may_register(document: TitleDocument | None) -> bool:
    return document is None or "freed" in document or _is_anonymous_title(document)


def _is_anonymous_title(document: TitleDocument) -> bool:
    return is_anonymous(app_and_player(document.get("by", ""))[1])


def _is_freed(document: TitleDocument, time_millis: int) -> bool:
    return "freed" in document and time_millis >= millis_of(document["freed"])


class Titles:
    """What is registered, as the records of a flush go by."""

    def __init__(self, known: KnownTitles, limits: Limits, partition: PartitionId) -> None:
        self.others = 0
        """Items that count as `(other)`."""
        self._known = known
        self._limits = limits
        self._partition = partition
        self._written: dict[str, TitleDocument] = {}
        self._players: Counter[str] = Counter()
        self._anonymous: Counter[str] = Counter()
        self._by_actor: Counter[str] = Counter()

    def counted(self, pool: Pool, title: str) -> str:
        """What an item of this title counts as."""
        key = title_key(pool.app, title)
        document = self._written.get(key) or self._known.documents.get(key)
        if document is None or _is_freed(document, pool.time_millis):
            if not self._has_room(pool):
                self.others += 1
                return OTHER_TITLE
            self._written[key] = self._registered(key, pool, document)
            self._note(pool)
        elif self._is_to_promote(document, pool):
            self._written[key] = self._promoted(document, pool)
            self._note(pool)
            self._anonymous[pool.app] -= 1
        return title

    def writes(self) -> TitleWrites:
        apps = self._players.keys() | self._anonymous.keys()
        return TitleWrites(
            documents=self._written,
            replaced=frozenset(self._written.keys() & self._known.documents.keys()),
            added={app: Shares(self._players[app], self._anonymous[app]) for app in sorted(apps)},
        )

    def _is_to_promote(self, document: TitleDocument, pool: Pool) -> bool:
        """One that is being freed has left its share already."""
        is_to = _is_anonymous_title(document) and "freed" not in document and not is_anonymous(pool.player)
        return is_to and self._has_room(pool)

    def _has_room(self, pool: Pool) -> bool:
        limits, shares = self._limits.for_app(pool.app), self._known.shares.get(pool.app, NO_TITLES)
        if is_anonymous(pool.player):
            return shares.anonymous + self._anonymous[pool.app] < limits.max_anonymous_titles
        actor = actor_of(pool.app, pool.player)
        own = self._known.by_actor.get(actor, 0) + self._by_actor[actor]
        has_shared_room = shares.players + self._players[pool.app] < limits.max_titles
        return has_shared_room and own < limits.max_titles_per_player

    def _note(self, pool: Pool) -> None:
        if is_anonymous(pool.player):
            self._anonymous[pool.app] += 1
        else:
            self._players[pool.app] += 1
            self._by_actor[actor_of(pool.app, pool.player)] += 1

    def _registered(self, key: str, pool: Pool, freed: TitleDocument | None) -> TitleDocument:
        new: TitleDocument = {"_id": key, "from": self._place(pool), "by": actor_of(pool.app, pool.player)}
        if freed is None:
            return new
        term: TitleTerm = {"from": freed["from"], "freed": freed["freed"]}
        if "by" in freed:
            term["by"] = freed["by"]
        if "promoted" in freed:
            term["promoted"] = freed["promoted"]
        return {**new, "earlier": [*freed.get("earlier", ()), term]}

    def _promoted(self, document: TitleDocument, pool: Pool) -> TitleDocument:
        return {**document, "by": actor_of(pool.app, pool.player), "promoted": self._place(pool)}

    def _place(self, pool: Pool) -> str:
        return str(Coordinates(*self._partition, pool.offset))
