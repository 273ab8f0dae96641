"""The registry of titles while a flush is planned: which items count by their title, and which as `(other)`. Pure.

- From the record that registers it on, a title counts by its name for every sender.
- The players of an app register up to `max_titles`, each of them up to `max_titles_per_player`. Its anonymous actors
  register up to `max_anonymous_titles` beside these, all together, since one person can open any number
  of anonymous sessions.
- A title of an anonymous actor becomes the players' with the first item of a player who could register it.
- If an operator has freed a title, records with a time of `freed` or later register it anew.

All of it follows from the records and the documents of `titles`, so that a recount agrees.
"""

from collections import Counter

from consumer.core.analytics.decode import Pool
from consumer.core.plan import Documents, TitleWrites
from consumer.core.reads import KnownTitles, Shares, is_anonymous_title
from schemas.analytics.items import OTHER_TITLE
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import TitleDocument, TitleTerm, actor_of, is_anonymous, millis_of, title_key
from schemas.settings import Limits

NO_TITLES = Shares()


def _is_freed(document: TitleDocument, time_millis: int) -> bool:
    return "freed" in document and time_millis >= millis_of(document["freed"])


class Titles:
    """What is registered, as the records of a flush go by."""

    def __init__(self, known: KnownTitles, limits: Limits, partition: PartitionId) -> None:
        self._others = 0
        self._known = known
        self._limits = limits
        self._partition = partition
        self._written: dict[str, TitleDocument] = {}
        self._players: Counter[str] = Counter()
        self._anonymous: Counter[str] = Counter()
        self._by_actor: Counter[str] = Counter()

    def counted(self, pool: Pool, title: str) -> str:
        """What an item of this title counts as."""
        key = title_key(pool.origin.app, title)
        document = self._written.get(key) or self._known.documents.get(key)
        if document is None or _is_freed(document, pool.origin.time_millis):
            if not self._has_room(pool):
                self._others += 1
                return OTHER_TITLE
            self._written[key] = self._registered(key, pool, document)
            self._note(pool)
        elif self._is_to_promote(document, pool):
            by = actor_of(pool.origin.app, pool.origin.player)
            self._written[key] = {**document, "by": by, "promoted": self._place(pool)}
            self._note(pool)
            self._anonymous[pool.origin.app] -= 1
        return title

    def writes(self) -> TitleWrites:
        apps = self._players.keys() | self._anonymous.keys()
        return TitleWrites(
            documents=Documents(self._written, frozenset(self._written.keys() & self._known.documents.keys())),
            added={app: Shares(self._players[app], self._anonymous[app]) for app in sorted(apps)},
            others=self._others,
        )

    def _is_to_promote(self, document: TitleDocument, pool: Pool) -> bool:
        """One that is being freed has left its share already."""
        is_to = is_anonymous_title(document) and "freed" not in document and not is_anonymous(pool.origin.player)
        return is_to and self._has_room(pool)

    def _has_room(self, pool: Pool) -> bool:
        limits, shares = self._limits.for_app(pool.origin.app), self._known.shares.get(pool.origin.app, NO_TITLES)
        if is_anonymous(pool.origin.player):
            return shares.anonymous + self._anonymous[pool.origin.app] < limits.max_anonymous_titles
        actor = actor_of(pool.origin.app, pool.origin.player)
        own = self._known.by_actor.get(actor, 0) + self._by_actor[actor]
        has_shared_room = shares.players + self._players[pool.origin.app] < limits.max_titles
        return has_shared_room and own < limits.max_titles_per_player

    def _note(self, pool: Pool) -> None:
        if is_anonymous(pool.origin.player):
            self._anonymous[pool.origin.app] += 1
        else:
            self._players[pool.origin.app] += 1
            self._by_actor[actor_of(pool.origin.app, pool.origin.player)] += 1

    def _registered(self, key: str, pool: Pool, freed: TitleDocument | None) -> TitleDocument:
        new: TitleDocument = {
            "_id": key,
            "from": self._place(pool),
            "by": actor_of(pool.origin.app, pool.origin.player),
        }
        if freed is None:
            return new
        term: TitleTerm = {"from": freed["from"], "freed": freed["freed"]}
        if "by" in freed:
            term["by"] = freed["by"]
        if "promoted" in freed:
            term["promoted"] = freed["promoted"]
        return {**new, "earlier": [*freed.get("earlier", ()), term]}

    def _place(self, pool: Pool) -> str:
        return str(Coordinates(*self._partition, pool.origin.offset))
