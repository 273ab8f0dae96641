"""What `init` says of one thing that must be there."""

from dataclasses import dataclass
from typing import Literal

State = Literal["made", "changed", "there", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` says what has to be changed by hand, `warning` what is lost when."""

    what: str
    state: State
    detail: str = ""
