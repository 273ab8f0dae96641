"""The result of one check of `tallymill doctor`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` of one that is not ok: what was found, why it matters, and what to do."""

    what: str
    state: Literal["ok", "warning", "wrong"]
    detail: str
