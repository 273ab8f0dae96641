"""What the store must read before a flush can be planned (Reads), and what it found (Known). Plain data.

flush --reads_of()--> Reads --the store--> Known --make_plan()--> WritePlan
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec

from consumer.core.flush import FlushSize
from schemas.coordinates import PartitionId
from schemas.definitions import Definition
from schemas.documents import TitleDocument, app_and_player, is_anonymous

Definitions = Mapping[str, Sequence[Definition]]
"""Every definition of an app, retired ones too, by app."""


@dataclass(frozen=True, slots=True)
class TitleReads:
    """The titles of a flush's items. They are read in two steps: the documents, then the counts of some actors."""

    senders: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    """The actors (`app/player`, none of them anonymous) that send a title, by its key."""
    apps: Sequence[str] = ()

    @property
    def keys(self) -> list[str]:
        """The `_id`s of the documents to read: one a title, and one an app."""
        return [*self.senders, *self.apps]

    def actors(self, documents: Mapping[str, TitleDocument]) -> frozenset[str]:
        """The second step: the actors who may register a title now, so that it must be known how many they have.

        Mostly nobody: all titles of a flush are registered already.
        """
        may_register = (sent for key, sent in self.senders.items() if is_open(documents.get(key)))
        return frozenset().union(*may_register)


@dataclass(frozen=True, slots=True)
class Reads:
    """What must be known of one flush: which request ids and items have counted, which definitions and titles exist."""

    partition: PartitionId
    size: FlushSize
    requests: Sequence[str] = ()
    """Whole ids (request_key)."""
    apps: Sequence[str] = ()
    """Apps whose definitions are needed."""
    events: Sequence[str] = ()
    """`_id`s of `events`."""
    titles: TitleReads = TitleReads()


class SeenRequest(NamedTuple):
    """What is stored of a requestId that has counted."""

    time_millis: int
    crc: int


class KnownItem(msgspec.Struct, frozen=True, gc=False):
    """What is stored of an item: when, and a digest of its content where its identity doesn't contain that."""

    time_millis: int
    digest: int | None = None


class Shares(NamedTuple):
    """How many titles of an app are registered: by players, and by anonymous actors."""

    players: int = 0
    anonymous: int = 0


@dataclass(frozen=True, slots=True)
class KnownTitles:
    """What is stored of the titles that a flush sends, and of the apps and players that send them."""

    documents: Mapping[str, TitleDocument] = field(default_factory=dict)
    shares: Mapping[str, Shares] = field(default_factory=dict)
    by_actor: Mapping[str, int] = field(default_factory=dict)
    """How many titles an actor has registered that no operator has freed. Only of TitleReads.actors."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was found, read in the flush's own transaction. `requests` are keyed by whole id, `events` by `_id`."""

    requests: Mapping[str, SeenRequest] = field(default_factory=dict)
    definitions: Definitions = field(default_factory=dict)
    events: Mapping[str, KnownItem] = field(default_factory=dict)
    titles: KnownTitles = KnownTitles()


class _AppTitles(msgspec.Struct):
    """The counts of an app; old ones lack the anonymous share."""

    count: float
    anonymous: float = 0


def checked_title(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same document of `titles`. Raises ValidationError if a plan would fail because of it, record by record."""
    msgspec.convert(found, TitleDocument if "/" in found["_id"] else _AppTitles, builtin_types=(datetime,))
    return found


def split_titles(found: Iterable[Mapping[str, Any]]) -> tuple[dict[str, TitleDocument], dict[str, Shares]]:
    """Documents of `titles`: those of titles, and the counts of apps (old ones lack the anonymous share)."""
    documents: dict[str, TitleDocument] = {}
    shares = {}
    for one in found:
        if "/" in one["_id"]:
            documents[one["_id"]] = cast("TitleDocument", one)
        else:
            shares[one["_id"]] = Shares(one["count"], one.get("anonymous", 0))
    return documents, shares


def is_open(document: TitleDocument | None) -> bool:
    """Whether a player may register this title now."""
    return document is None or "freed" in document or is_anonymous_title(document)


def is_anonymous_title(document: TitleDocument) -> bool:
    """Whether an anonymous actor registered it."""
    return is_anonymous(app_and_player(document.get("by", ""))[1])
