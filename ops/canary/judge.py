"""Compares the total after each batch with the total after the batch before. Pure.

A total must grow by exactly 1. There is nothing to compare with after the start, and after a batch that was refused
although an earlier try may have stored it. The next batch then gives the new base, and its outcome is `first`, never
`counted`.

One player's batches lie in one partition and are counted in order. So when a batch is visible, those before it are
counted too, also the last one of an earlier run.
"""

from dataclasses import dataclass
from typing import Final, Literal

Outcome = Literal["counted", "miscounted", "first", "refused"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("counted", "miscounted", "first", "refused")


@dataclass(slots=True)
class Judge:
    """The total after the last batch; None if it is not known."""

    base: int | None = None

    def visible(self, found: int) -> Outcome:
        """A batch is visible, and this total was read back."""
        expected = self.expected
        self.base = found
        if expected is None:
            return "first"
        return "counted" if found == expected else "miscounted"

    def refused(self, *, maybe_stored: bool) -> Outcome:
        """A batch does not count. `maybe_stored`: an earlier try of it may have been stored."""
        if maybe_stored:
            self.base = None
        return "refused"

    @property
    def expected(self) -> int | None:
        return None if self.base is None else self.base + 1
