"""Limits how often one player (G17) or one address (B1) may send: an exact moving window, in memory.

Why not the `limits` library: its in-memory window keeps an entry for every sender it has ever seen, and one of its
threads walks all entries every 10 ms (limits 5.8, storage/memory.py). This window holds only the accepted requests of
the last seconds, and a request costs O(1).
"""

from collections import deque

from schemas.settings import Limits

# 100 bytes each: 500,000 a minute are 8,000 requests a second. When there are more, the oldest are dropped, which lets
# their senders send more.
MAX_REQUESTS_HELD = 500_000


class MovingWindow:
    """Allows `max_requests` of one sender in any `window_seconds`. Counts the requests of this process only."""

    def __init__(self, max_requests: int, window_seconds: float, max_held: int = MAX_REQUESTS_HELD) -> None:
        self._max_requests = max_requests
        self._window_seconds = window_seconds
        self._max_held = max_held
        self._arrivals: deque[tuple[float, str]] = deque()
        self._by_sender: dict[str, deque[float]] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def wait_seconds(self, sender: str, now: float) -> float:
        """0: the request passes and is counted. Otherwise it is not counted; retry after so many seconds."""
        if wait_seconds := self.foreseen_seconds(sender, now):
            return wait_seconds
        self._by_sender.setdefault(sender, deque()).append(now)
        self._arrivals.append((now, sender))
        return 0

    def foreseen_seconds(self, sender: str, now: float) -> float:
        """The same, but never counts the request."""
        self._forget(now)
        sent = self._by_sender.get(sender)
        return sent[0] + self._window_seconds - now if sent and len(sent) >= self._max_requests else 0

    def _forget(self, now: float) -> None:
        """Drops requests that have left the window, and the oldest of too many."""
        arrivals = self._arrivals
        while arrivals and (arrivals[0][0] <= now - self._window_seconds or len(arrivals) >= self._max_held):
            _, sender = arrivals.popleft()
            sent = self._by_sender[sender]
            sent.popleft()
            if not sent:
                del self._by_sender[sender]


class AppRates:
    """Limits each player to the rate of its app. Apps of equal rate share a window, as an actor contains its app."""

    def __init__(self, limits: Limits) -> None:
        self._windows = {rate: MovingWindow(*rate) for rate in {_rate(one) for one in limits.everyones()}}

    def window(self, limits: Limits) -> MovingWindow:
        """The window of the players of an app that has these limits."""
        return self._windows[_rate(limits)]


def _rate(limits: Limits) -> tuple[int, int]:
    return limits.max_requests_per_player, limits.player_window_seconds
