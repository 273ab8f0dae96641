"""What is wrong with a body of any API: which fields, and why."""

from typing import Final

from pydantic import BaseModel, ConfigDict

# The first violations tell a client what is wrong; all of a 1 MiB body would drown it (B2).
MAX_VIOLATIONS = 20


class Violation(BaseModel):
    """One thing wrong with a body: where (`timePeriods[1].updates[0].updateCount`; "" = the body itself), and what."""

    model_config = ConfigDict(frozen=True)

    field: str
    description: str


# What pydantic says of a name that no field has.
UNKNOWN_FIELD: Final = "Extra inputs are not permitted"


class MalformedBody(ValueError):
    """The body is not an EventRecordRequest. `violations` holds the first MAX_VIOLATIONS (B2), one at least."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{v.field or 'body'}: {v.description}" for v in violations))

    @property
    def reason(self) -> str:
        """The first violation for logs and dead letters: short, and without a name that is the client's own."""
        first = self.violations[0]
        place = "an unknown field" if first.description == UNKNOWN_FIELD else first.field or "body"
        return f"{place}: {first.description}"
