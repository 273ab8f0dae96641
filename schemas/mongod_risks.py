"""Checks a setting of MongoDB that delays or blocks counting if something else fails too. Pure.

Every message says what was found, what follows, and what to change.
"""

from typing import Literal, NamedTuple

LIFETIME = "transactionLifetimeLimitSeconds"

# docs/deployment.md: the transaction of a killed worker may hold up the next owner of its partitions for this time.
LIFETIME_SECONDS = 15

# A worker halves a flush whose try took longer than ten seconds (consumer/mongo/store.py). One that MongoDB aborts
# sooner looks like a conflict, and is tried again as it is.
SHORTEST_SECONDS = 11

CHANGE = f"db.adminCommand({{setParameter: 1, {LIFETIME}: {LIFETIME_SECONDS}}}), and --setParameter at the start"


class Risk(NamedTuple):
    """`wrong`: counting may stop by this alone."""

    state: Literal["warning", "wrong"]
    sentence: str


def lifetime_risk(seconds: float | None, unknown: str = "") -> Risk | None:
    """`seconds`: the value in force. None: it could not be read, because `unknown`."""
    if seconds is None:
        return Risk(
            "warning",
            f"{LIFETIME} is unknown ({unknown}): if it is longer than {LIFETIME_SECONDS} s, partitions of a worker "
            f"that was killed may wait so long. Set it on each mongod ({CHANGE})",
        )
    if seconds < SHORTEST_SECONDS:
        return Risk(
            "wrong",
            f"{LIFETIME} is {seconds:g}: MongoDB aborts a large flush before a worker knows that it takes too long, so "
            f"that it is tried again for ever. Change it ({CHANGE})",
        )
    if seconds > LIFETIME_SECONDS:
        return Risk(
            "warning",
            f"{LIFETIME} is {seconds:g}: if a worker is killed, and the next owner of its partitions may not end its "
            f"session, they wait for up to {seconds * 1.5:g} s. Change it ({CHANGE})",
        )
    return None
