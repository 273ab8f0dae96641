"""What a hostile client or producer does, as plain data: the grammar makes it, attack.py obeys it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from schemas.settings import Api

Target = Literal["ingress", "console", "worker"]


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes on the connection, as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Hear:
    """Read the answer until the server closes or has been silent for a while, at most so long."""

    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with RST; without it, it is closed in order."""


Step = Send | Pause | Hear | Reset


@dataclass(frozen=True, slots=True)
class Talk:
    """One connection, and what is sent on it. `copies` of it at the same time are a burst."""

    steps: tuple[Step, ...]
    target: Target = "ingress"
    copies: int = 1

    def times(self, copies: int) -> "Talk":
        return replace(self, copies=copies)

    def at(self, target: Target) -> "Talk":
        return replace(self, target=target)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A Kafka record as bytes: names of headers need not be UTF-8, values may be null."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    timestamp_millis: int | None = None


@dataclass(frozen=True, slots=True)
class Produce:
    """One batch for one partition."""

    api: Api
    partition: int
    records: tuple[RawRecord, ...]
    compression: Literal["none", "gzip", "lz4", "zstd"] = "none"


@dataclass(frozen=True, slots=True)
class Transact:
    """Batches within one transaction of Kafka, which stays open for a moment."""

    produced: tuple[Produce, ...]
    ending: Literal["commit", "abort"]
    open_seconds: float = 0.0


Act = Talk | Produce | Transact


def whole(request: bytes, hear_seconds: float = 5.0) -> Talk:
    """One request in one piece, and its answer."""
    return Talk((Send(request), Hear(hear_seconds)))


def in_pieces(data: bytes, size: int, pause_seconds: float) -> Sequence[Step]:
    """The same bytes, slowly."""
    steps: list[Step] = []
    for start in range(0, len(data), size):
        steps += [Send(data[start : start + size]), Pause(pause_seconds)]
    return steps
