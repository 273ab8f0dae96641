"""A cache of what was used last. cachetools' LRUCache takes 2 us a look-up, and a request looks up three times."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, together at most `most` in size. Those that were used longest ago make room for others."""

    def __init__(self, most: int, size: Callable[[V], int] = lambda _value: 1) -> None:
        """`size`: of a value; none may be larger than `most`."""
        self._most = most
        self._size = size
        self._held = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """The value, which counts as used."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        before = self._values.pop(key, None)
        self._held += self._size(value) - (0 if before is None else self._size(before))
        self._values[key] = value
        while self._held > self._most:
            self._held -= self._size(self._values.popitem(last=False)[1])

    def clear(self) -> None:
        self._values.clear()
        self._held = 0
