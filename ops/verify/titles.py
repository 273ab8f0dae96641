"""The registry of titles: what each item counts as by it, and whether it is what the log makes of it. Pure.

Registered once, a title counts by its name; whoever comes past max_titles counts as `(other)`. Where a title was
registered, `from` says: before that record nothing of its partition counted by the name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ops.verify.report import Difference, Differences, Range
from schemas.coordinates import Coordinates, parse_coordinates
from schemas.documents import title_key
from schemas.items import OTHER_TITLE


class Titles:
    """The documents of `titles` in the snapshot."""

    def __init__(self, documents: Iterable[Mapping[str, Any]], max_titles: int, differences: Differences) -> None:
        self._from: dict[str, Coordinates] = {}
        self._counts: Counter[str] = Counter()
        self._max_titles = max_titles
        self._differences = differences
        self._confirmed: set[str] = set()
        self._missing: set[str] = set()
        for document in documents:
            self._take(document)
        self._compare_counts()

    def _take(self, document: Mapping[str, Any]) -> None:
        if "/" not in document["_id"]:
            self._counts[document["_id"]] = document["count"]
            return
        try:
            self._from[document["_id"]] = parse_coordinates(document["from"])
        except (KeyError, ValueError, AttributeError):
            found = f"from {document.get('from')}"
            self._differences.add(Difference("titles", document["_id"], "from a record that holds it", found))
            self._from[document["_id"]] = Coordinates("", 0, 0)

    def _compare_counts(self) -> None:
        there = Counter(key.partition("/")[0] for key in self._from)
        for app in sorted(there.keys() | self._counts.keys()):
            if there[app] != self._counts[app]:
                difference = Difference("titles", f"{app}, count", str(there[app]), str(self._counts[app]))
                self._differences.add(difference)

    def counted(self, app: str, title: str, place: Coordinates) -> str:
        """What an item of this title, that counts in the record at `place`, counts as."""
        key = title_key(app, title)
        registered = self._from.get(key)
        if registered is None:
            return self._unregistered(key, app, title, place)
        if registered == place:
            self._confirmed.add(key)
        is_before = registered.partition_id == place.partition_id and place.offset < registered.offset
        return OTHER_TITLE if is_before else title

    def _unregistered(self, key: str, app: str, title: str, place: Coordinates) -> str:
        if self._counts[app] >= self._max_titles:
            return OTHER_TITLE
        if key not in self._missing:
            self._missing.add(key)
            self._differences.add(Difference("titles", key, f"registered, by {place} or before", "nothing"))
        return title

    def settle(self, ranges: Iterable[Range]) -> None:
        """A title registered from a record of the ranges must have counted there. Not to be asked of unsure counts."""
        covered = {one.partition: one for one in ranges}
        for key in sorted(self._from.keys() - self._confirmed):
            where = self._from[key]
            found = covered.get(str(where.partition_id))
            if found and found.first <= where.offset < found.next:
                self._differences.add(Difference("titles", key, "from a record that holds it", f"from {where}"))
