"""The result of `init` for one topic, collection, index, view or lineage."""

from dataclasses import dataclass
from typing import Literal

State = Literal["made", "changed", "there", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` says what must be changed by hand (`wrong`), or the risk (`warning`)."""

    what: str
    state: State
    detail: str = ""
