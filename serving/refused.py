"""The exception that refuses a request. Pure."""

from collections.abc import Sequence

from schemas.errors.table import Refusal
from schemas.wire.malformed import Violation
from serving.headers import RawHeader


class Refused(Exception):
    """Refuses the whole request. `headers`: those that only this reply has."""

    def __init__(
        self, refusal: Refusal, violations: Sequence[Violation] = (), headers: tuple[RawHeader, ...] = ()
    ) -> None:
        self.refusal = refusal
        self.violations = tuple(violations)
        self.headers = headers
        super().__init__(refusal.name)

    def again(self) -> "Refused":
        """The same refusal, to be raised at another place.

        A stored exception that is raised refers to the frames that it leaves, and they refer to it: a cycle, which
        keeps a request's body in memory until the garbage collector runs.
        """
        return Refused(self.refusal, self.violations, self.headers)
