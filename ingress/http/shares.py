"""Shares a bounded number of bytes, so that no app, player or address can take all of them. Pure.

No holder has a fixed share. The limit of a holder depends on how much is still free (dynamic thresholds; Choudhury and
Hahne, 1998): the less is free, the less the largest holders may add, while a new holder still finds room.
A holder that has nothing yet is limited only by what is free. Otherwise a small budget could never take a large body.
"""

from collections import defaultdict
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.documents import app_and_player
from schemas.records.envelope import ANONYMOUS_PREFIX, MAX_SENDERS


class Holder(NamedTuple):
    """The owner of bytes: one member of a group, such as a player of an app."""

    group: str
    one: str


UNKNOWN: Final = ""
"""The group of senders whose token is not checked yet, each an address. No app has this name."""
UNKNOWN_SMALL: Final = "/"
"""The same while their bodies are small, so that large bodies leave room for small ones. No app has this name."""

# How many times what is free a group may hold, and one member of it. With no other holders an app can take 3/4 of all
# and one player 1/2; unknown senders 1/4 with large bodies (less than 1/2 together with small ones), one address 1/5.
_OF_KNOWN: Final = (3.0, 1.0)
_OF_UNKNOWN: Final = (1 / 3, 1 / 4)


@lru_cache(MAX_SENDERS)
def holder_of(app: str, player: str) -> Holder:
    """All anonymous actors of an app are one holder, as one client can get any number of anonymous tokens."""
    return Holder(app, ANONYMOUS_PREFIX if player.startswith(ANONYMOUS_PREFIX) else player)


@lru_cache(MAX_SENDERS)
def holder_of_key(key: bytes) -> Holder:
    """The same by a record's key, `app/player`."""
    return holder_of(*app_and_player(key.decode(errors="replace")))


def is_known(holder: Holder) -> bool:
    return holder.group not in (UNKNOWN, UNKNOWN_SMALL)


class Shares:
    """A budget of `max_bytes`, and how many of them each holder has."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._by_group: defaultdict[str, int] = defaultdict(int)
        self._by_holder: defaultdict[Holder, int] = defaultdict(int)
        self.held_bytes = 0

    def __len__(self) -> int:
        """The number of holders."""
        return len(self._by_holder)

    def take(self, holder: Holder, size_bytes: int) -> bool:
        """Takes so many more bytes for `holder`. False, and takes none, if there is no room."""
        free = self._max_bytes - self.held_bytes
        of_group, of_one = _OF_KNOWN if is_known(holder) else _OF_UNKNOWN
        group, one = self._by_group.get(holder.group, 0), self._by_holder.get(holder, 0)
        if (
            size_bytes > free
            or (group and group + size_bytes > free * of_group)
            or (one and one + size_bytes > free * of_one)
        ):
            return False
        self._by_group[holder.group] = group + size_bytes
        self._by_holder[holder] = one + size_bytes
        self.held_bytes += size_bytes
        return True

    def give_back(self, holder: Holder, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        self._by_group[holder.group] -= size_bytes
        if not self._by_group[holder.group]:
            del self._by_group[holder.group]
        self._by_holder[holder] -= size_bytes
        if not self._by_holder[holder]:
            del self._by_holder[holder]
