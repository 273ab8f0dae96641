"""The violations of a body of either API: which fields are not valid, and why."""

from typing import Final

from pydantic import BaseModel, ConfigDict

# The first violations are enough to find the mistake. All violations of a 1 MiB body would be as long as it (B2).
MAX_VIOLATIONS = 20


class Violation(BaseModel):
    """One thing wrong with a body: where (`timePeriods[1].updates[0].updateCount`; "" = the body itself), and what."""

    model_config = ConfigDict(frozen=True)

    field: str
    description: str


# The message of pydantic for an unknown field.
UNKNOWN_FIELD: Final = "Extra inputs are not permitted"


class MalformedBody(ValueError):
    """The body is not an EventRecordRequest. `violations` holds the first MAX_VIOLATIONS (B2), one at least."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{v.field or 'body'}: {v.description}" for v in violations))

    @property
    def reason(self) -> str:
        """The first violation for logs and dead letters: short, and without names that the client chose."""
        first = self.violations[0]
        place = "an unknown field" if first.description == UNKNOWN_FIELD else first.field or "body"
        return f"{place}: {first.description}"
