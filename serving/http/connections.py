"""How many connections a process holds, and which one is closed when there are too many. Pure.

A client is unknown until it has sent a request, so a silent connection costs least to lose: the one that has been
silent for longest is closed for a new one. If all are busy, reserved places are left for probes. Any other request
there is answered 503.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Literal, Protocol

Cause = Literal["full", "address", "silent", "unread"]
"""Why this process closed a connection. full: all places are taken. address: its address has too many. silent: no
request came in time, or it was silent for longest when a place was needed. unread: the client did not read replies."""

CAUSES: Final[tuple[Cause, ...]] = ("full", "address", "silent", "unread")

RESERVED_PLACES: Final = 16
"""For probes and scrapers: a handful of them, twice."""


class Connection(Protocol):
    """An open connection."""

    @property
    def address(self) -> str | None:
        """The IP address of the client; None if it has none."""
        ...

    def drop(self) -> None:
        """Close it at once."""
        ...


class Connections:
    """All open connections. `closed` is called with the cause of each close."""

    def __init__(
        self, max_open: int, max_per_address: int | None, closed: Callable[[Cause], None] = lambda _: None
    ) -> None:
        self._max_open = max_open
        self._max_per_address = max_per_address
        self._closed = closed
        # A dict, because it keeps its order: the one that has been silent for longest is first.
        self._silent: dict[Connection, None] = {}
        self._busy: set[Connection] = set()
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._silent) + len(self._busy)

    @property
    def is_full(self) -> bool:
        """Whether only the reserved places are left."""
        return len(self) > self._max_open

    def opened(self, connection: Connection) -> bool:
        """Whether it may stay. A silent connection is closed for it if there is no room."""
        address = connection.address
        if address and self._max_per_address and self._by_address[address] >= self._max_per_address:
            self._closed("address")
            return False
        if len(self) >= self._max_open and self._silent:
            self.drop(next(iter(self._silent)), "silent")
        if len(self) >= self._max_open + RESERVED_PLACES:
            self._closed("full")
            return False
        self._silent[connection] = None
        if address:
            self._by_address[address] += 1
        return True

    def busy(self, connection: Connection) -> None:
        """It has sent a request."""
        if connection in self._silent:
            del self._silent[connection]
            self._busy.add(connection)

    def silent(self, connection: Connection) -> None:
        """Its request has been answered."""
        if connection in self._busy:
            self._busy.discard(connection)
            self._silent[connection] = None

    def gone(self, connection: Connection) -> None:
        """It is closed. A second call does nothing."""
        if connection not in self._silent and connection not in self._busy:
            return
        self._silent.pop(connection, None)
        self._busy.discard(connection)
        if address := connection.address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def drop(self, connection: Connection, cause: Cause) -> None:
        """Close one, and count why. Its place is free at once."""
        self.gone(connection)
        self._closed(cause)
        connection.drop()
