"""Documents of `checkpoints` and `lineages`: the progress in each partition, and the topic that offsets belong to.

A lineage is one incarnation of a topic. A topic that is deleted and created again begins a new lineage, because its
offsets start anew and mean other records.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired

from typing_extensions import TypedDict

from schemas.documents import FATES, Fate

# The layout of the database. A version that older ones can't work beside raises it, and `init` then writes the new one
# into every lineage. 1: one document for each requestId. 2: ids are packed.
LAYOUT = 2

# Selects the lineages that a newer version wrote.
NEWER_LAYOUT: Mapping[str, object] = {"layout": {"$gt": LAYOUT}}

# How far the clocks of two leaders of a partition may differ: a record has its leader's time.
CLOCKS_DIFFER_MILLIS = 5_000


class Fingerprint(TypedDict):
    """Identifies the last applied record. If the log has another record at its offset, the log was replaced."""

    offset: int
    timestamp: int
    crc: int


class CheckpointDocument(TypedDict):
    """`checkpoints`, `_id` = lineage/partition: the next offset to apply. Fates and gaps add up to next - start.

    `lsid` is the owner's MongoDB session, `uid` the digest of its user (null without users): the next owner kills that
    session. Both are absent after the owner released the partition. `stopped`: why no worker reads the partition.
    `visible`: how long records took until they were visible, as counts by bucket (schemas/visible.py). The last flush
    adds its own with the next one. `flushedAt`: the time of the last flush. Older workers write neither.
    """

    _id: str
    start: int
    next: int
    last: Fingerprint | None
    fates: dict[Fate, int]
    gaps: int
    owner: NotRequired[str]
    lsid: NotRequired[bytes]
    uid: NotRequired[bytes | None]
    stopped: NotRequired[str]
    visible: NotRequired[dict[str, int]]
    flushedAt: NotRequired[datetime]
    updatedAt: datetime


def fresh_checkpoint(start: int) -> dict[str, object]:
    """The fields of a new checkpoint."""
    return {"start": start, "next": start, "last": None, "fates": dict.fromkeys(FATES, 0), "gaps": 0}


def has_passed(checkpoint: Mapping[str, Any], offset: int, append_millis: int | None) -> bool:
    """Whether a checkpoint has passed the record that came to this offset then.

    Records are in order of time: one that lies before the last applied one, but is younger, came after the log was
    truncated.
    """
    if checkpoint["next"] <= offset:
        return False
    last = checkpoint.get("last")
    if last is None or append_millis is None or offset > last["offset"]:
        return True
    return bool(append_millis <= last["timestamp"] + CLOCKS_DIFFER_MILLIS)


# `from` is a Python keyword, hence the functional form. `to` is exclusive; null if unknown.
LostRange = TypedDict("LostRange", {"partition": int, "from": int, "to": int | None, "why": str})
"""Offsets that a new lineage skipped: acknowledged records that it does not count (ops/lineage/losses.py)."""

AcceptedLoss = TypedDict(
    "AcceptedLoss",
    {"partition": int, "from": int, "to": int | None, "why": str, "reason": str, "at": datetime},
)
"""A loss that an operator has accepted, with a reason. `verify` still reports it, and no longer fails because of it."""

# `from`: the offset at which the lineage starts.
LineageDocument = TypedDict(
    "LineageDocument",
    {
        "_id": str,
        "cluster": str,
        "topic": str,
        "topicId": str,
        "generation": int,
        "from": int,
        "reason": str,
        "startedAt": datetime,
        "layout": NotRequired[int],
        "lost": NotRequired[list[LostRange]],
        "accepted": NotRequired[list[AcceptedLoss]],
    },
)
"""`lineages`, `_id` = r1: the incarnation of a topic that offsets belong to.

`lost`: what it skipped of the lineage before it; absent in lineages from before 2026-11-28. `layout`: LAYOUT of the
version that ran `init` last; absent before 2026-11-29.
"""
