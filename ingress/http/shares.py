"""How a bounded number of bytes is shared, so that no app, player or address takes it all. Pure.

Nobody has a fixed part. What one holder may have depends on what is still free (dynamic thresholds; Choudhury and
Hahne, 1998): the fuller it gets, the less the largest holders may add, and a newcomer finds room all the same.
A holder that has nothing yet is bounded by what is free alone, or a small room could never take a large body.
"""

from collections import defaultdict
from typing import Final, NamedTuple

from schemas.documents import app_and_player
from schemas.records.envelope import ANONYMOUS_PREFIX


class Holder(NamedTuple):
    """Whose bytes they are: one of a group, such as a player of an app."""

    group: str
    one: str


UNKNOWN: Final = ""
"""The group of those whose token is not known yet; each is an address. No app is called so."""
UNKNOWN_SMALL: Final = "/"
"""The same while their bodies are small, so that large ones of the same address don't crowd them out. Not an app's."""

# How many times what is free a group, and one of a group, may hold. Alone: an app 3/4 of all and one player of it 1/2;
# those who are unknown 1/4 with large bodies (less than 1/2 with small ones beside), and one address 1/5.
_OF_APP, _OF_PLAYER, _OF_UNKNOWN, _OF_ADDRESS = 3.0, 1.0, 1 / 3, 1 / 4


def holder_of(app: str, player: str) -> Holder:
    """Anonymous actors of an app count as one: whoever may have one token of them may have many."""
    return Holder(app, ANONYMOUS_PREFIX if player.startswith(ANONYMOUS_PREFIX) else player)


def holder_of_key(key: bytes) -> Holder:
    """The same by a record's key, `app/player`."""
    return holder_of(*app_and_player(key.decode(errors="replace")))


def is_known(holder: Holder) -> bool:
    return holder.group not in (UNKNOWN, UNKNOWN_SMALL)


class Shares:
    """`max_bytes`, and who holds how many of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._by_group: defaultdict[str, int] = defaultdict(int)
        self._by_holder: defaultdict[Holder, int] = defaultdict(int)
        self.held_bytes = 0

    def __len__(self) -> int:
        """Holders of anything."""
        return len(self._by_holder)

    def take(self, holder: Holder, size_bytes: int) -> bool:
        """Whether there is room for so many more bytes of `holder`; if so, they are held."""
        free = self._max_bytes - self.held_bytes
        unknown = not is_known(holder)
        fits = (
            size_bytes <= free
            and _may_add(self._by_group.get(holder.group, 0), size_bytes, free * (_OF_UNKNOWN if unknown else _OF_APP))
            and _may_add(self._by_holder.get(holder, 0), size_bytes, free * (_OF_ADDRESS if unknown else _OF_PLAYER))
        )
        if fits:
            self._by_group[holder.group] += size_bytes
            self._by_holder[holder] += size_bytes
            self.held_bytes += size_bytes
        return fits

    def give_back(self, holder: Holder, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        self._by_group[holder.group] -= size_bytes
        if not self._by_group[holder.group]:
            del self._by_group[holder.group]
        self._by_holder[holder] -= size_bytes
        if not self._by_holder[holder]:
            del self._by_holder[holder]


def _may_add(held: int, more: int, threshold: float) -> bool:
    return not held or held + more <= threshold
