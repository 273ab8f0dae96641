"""The result of `init` for one topic, collection, index, view or lineage."""

from dataclasses import dataclass
from typing import Literal

State = Literal["made", "changed", "there", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` of `wrong`: what has to be changed by hand. Of `warning`: the risk."""

    what: str
    state: State
    detail: str = ""
