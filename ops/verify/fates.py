"""The fates of records by the recount, and where MongoDB has another fate. Pure."""

from collections.abc import Sequence

from ops.verify.report import Difference, Differences, Range, Tally


class Fates:
    """Tallies of a recount; `stream` is the index of a range."""

    def __init__(self, ranges: Sequence[Range], differences: Differences) -> None:
        self.tallies = [Tally() for _ in ranges]
        self.set_aside = 0
        self._ranges = ranges
        self._differences = differences

    def is_settled(self, stream: int, offset: int, kind: str, stored_fate: str | None) -> bool:
        """Whether this record counts nothing. `stored_fate`: its fate in MongoDB if known."""
        if (
            kind == "countable" and stored_fate == "dead"
        ):  # the worker halved its flush down to this record: MongoDB could not store it
            self.set_aside += 1
            self.count(stream, "dead")
            return True
        if kind == "countable":
            if stored_fate == "refused":
                self.differ(stream, offset, "applied or duplicate", stored_fate)
            return False
        self.count(stream, kind)
        if stored_fate not in (None, kind):
            self.differ(stream, offset, kind, stored_fate)
        return True

    def count(self, stream: int, fate: str) -> None:
        self.tallies[stream].fates[fate] += 1

    def differ(self, stream: int, offset: int, expected: str, found: str | None) -> None:
        self._differences.add(Difference("record", self.place(stream, offset), expected, str(found)))

    def place(self, stream: int, offset: int) -> str:
        """The record's coordinates, as the field `from` has them."""
        return f"{self._ranges[stream].partition}/{offset}"
