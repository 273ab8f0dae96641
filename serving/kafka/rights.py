"""Rights (ACLs) that Kafka denied: which operation on which resource, and the command that grants it.

Kafka's answer has a code for the kind of resource alone. Which right is missing follows from the request. So each
denial is noted where its answer arrives (connection.py), and found again by its error (words.py).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final, Literal, Protocol

from aiokafka import errors

Resource = Literal["topic", "group", "cluster", "transactional-id"]

BY_CODE: Final[Mapping[int, Resource]] = {
    errors.TopicAuthorizationFailedError.errno: "topic",
    errors.GroupAuthorizationFailedError.errno: "group",
    errors.ClusterAuthorizationFailedError.errno: "cluster",
    errors.TransactionalIdAuthorizationFailed.errno: "transactional-id",
}

# The operation that Kafka's authorizer asks for, by the number of the request and the resource.
OPERATIONS: Final[Mapping[Resource, Mapping[int, str]]] = {
    "topic": {
        0: "Write",  # Produce
        1: "Read",  # Fetch
        2: "Describe",  # ListOffsets
        3: "Describe",  # Metadata
        8: "Read",  # OffsetCommit
        9: "Describe",  # OffsetFetch
        19: "Create",  # CreateTopics
        32: "DescribeConfigs",
        33: "AlterConfigs",
        37: "Alter",  # CreatePartitions
        44: "AlterConfigs",
    },
    "group": {
        8: "Read",  # OffsetCommit
        9: "Describe",  # OffsetFetch
        10: "Describe",  # FindCoordinator
        11: "Read",  # JoinGroup
        12: "Read",  # Heartbeat
        13: "Read",  # LeaveGroup
        14: "Read",  # SyncGroup
        15: "Describe",  # DescribeGroups
    },
    "cluster": {19: "Create", 22: "Write", 55: "Describe"},
    "transactional-id": {},
}

# The rights of each process and command, which docs/security.md explains.
NEEDED: Final[Mapping[str, Mapping[Resource, tuple[str, ...]]]] = {
    "init": {"topic": ("Create", "Alter", "AlterConfigs")},
    "ingress": {"topic": ("Write", "DescribeConfigs")},
    "worker": {"topic": ("Read", "DescribeConfigs"), "group": ("Read",)},
    "console": {"topic": ("Read", "Write"), "group": ("Describe",)},
    "verify": {"topic": ("Read",)},
    "doctor": {"topic": ("Read", "DescribeConfigs"), "cluster": ("Describe",)},
    "lineage": {"topic": ("Read",), "group": ("Describe",)},
    "dead-letters": {"topic": ("Write",)},
    "status": {"topic": ("Read",), "group": ("Describe",)},
}

# What Kafka asks for first, and the rights that include it.
INCLUDED_IN: Final[Mapping[str, frozenset[str]]] = {
    "Describe": frozenset({"Read", "Write", "Alter"}),
    "DescribeConfigs": frozenset({"AlterConfigs"}),
}

# InitProducerId, which Kafka refuses with the cluster's code. A user that may write to some topic may do it.
INIT_PRODUCER: Final = 22

# A denial is explained while it is fresh: an older one may be of another request.
FRESH_SECONDS = 30.0


class User(Protocol):
    """Who asked."""

    @property
    def principal(self) -> str: ...

    @property
    def servers(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Denied:
    """The user may not do this. `name`: of the resource; empty if the answer does not tell."""

    principal: str
    operations: tuple[str, ...]
    resource: Resource
    name: str
    servers: str

    def __str__(self) -> str:
        named = f" {self.name}" if self.name and self.resource != "cluster" else ""
        option = "--cluster" if self.resource == "cluster" else f"--{self.resource} {quote(self.name or 'NAME')}"
        rights = f"right{'s' if len(self.operations) > 1 else ''} {' and '.join(self.operations)}"
        operations = " ".join(f"--operation {one}" for one in self.operations)
        return (
            f"{self.principal} lacks the {rights} on the {self.resource}{named}. Grant it: kafka-acls.sh "
            f"--bootstrap-server {self.servers} --add --allow-principal {quote(self.principal)} "
            f"{operations} {option}"
        )


class Denials:
    """The last denial of each kind of resource and name."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._noted: dict[tuple[Resource, str], tuple[float, Denied]] = {}
        self.tell: Callable[[Denied], object] = lambda _: None
        """Called for each denial. A process logs it; a command prints the error that follows."""
        self.process = ""
        """The process or command that runs."""

    def note(self, request: Any, answer: Any, user: User) -> None:  # noqa: ANN401 aiokafka has no types
        """Note what an answer denies."""
        for code, name in denied_in(request, answer):
            resource = BY_CODE[code]
            operation = OPERATIONS[resource].get(request.API_KEY)
            if operation:
                missing: Resource = "topic" if request.API_KEY == INIT_PRODUCER else resource
                operations = missing_of(self.process, operation, missing)
                denied = Denied(user.principal, operations, missing, name, user.servers)
                self._noted.pop((resource, name), None)  # the newest is the last
                self._noted[resource, name] = self._now(), denied
                self.tell(denied)

    def of(self, error: BaseException, name: str = "") -> Denied | None:
        """The denial that this error reports; `name`: of the resource, if the error has it."""
        resource = BY_CODE.get(getattr(error, "errno", 0))
        fresh = [
            denied
            for (kind, called), (at, denied) in self._noted.items()
            if kind == resource and name in ("", called) and self._now() - at < FRESH_SECONDS
        ]
        return fresh[-1] if fresh else None


def missing_of(process: str, asked: str, resource: Resource) -> tuple[str, ...]:
    """The rights that a process needs and lacks, if Kafka denies what it asked for.

    Each right that includes it is missing: with one of them Kafka would not have denied it.
    """
    needed = NEEDED.get(process, {}).get(resource, ())
    including = tuple(one for one in needed if one in INCLUDED_IN.get(asked, ()))
    return including if asked not in needed and including else (asked,)


# Of a process: the words of an error are found far from the connection that it came by.
DENIALS: Final = Denials()


def denied_in(request: Any, answer: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 the same
    """Each code of a missing right in an answer, with the resource's name."""
    for code, name in _codes(request, answer):
        if code in BY_CODE:
            yield code, _group_of(request) or name if BY_CODE[code] == "group" else name


Codes = Iterator[tuple[int, str]]


def _by_topic(at: int) -> Callable[[Any], Codes]:
    """Of a topic all partitions have the same code, at this place: the first one tells."""

    def codes(answer: Any) -> Codes:  # noqa: ANN401 the same
        return ((partitions[0][at], topic) for topic, partitions, *_ in answer.topics if partitions)

    return codes


# Where an answer has its codes and names, by the number of the request. The others have one code, and no name.
_CODES: Final[Mapping[int, Callable[[Any], Codes]]] = {
    **dict.fromkeys((0, 1, 2, 8), _by_topic(1)),
    9: _by_topic(3),
    3: lambda answer: ((row[0], row[1]) for row in answer.topics),
    15: lambda answer: ((row[0], row[1]) for row in answer.groups),
    **dict.fromkeys((19, 37), lambda answer: ((row[1], row[0]) for row in answer.topic_errors)),
    32: lambda answer: ((row[0], row[3]) for row in answer.resources),
    44: lambda answer: ((row[0], row[3]) for row in answer.responses),
}


def _codes(request: Any, answer: Any) -> Codes:  # noqa: ANN401 the same
    if found := _CODES.get(request.API_KEY):
        yield from found(answer)
    elif code := getattr(answer, "error_code", 0):
        yield code, ""


def _group_of(request: Any) -> str:  # noqa: ANN401 the same
    """The group of a request. aiokafka's requests have no public names for it."""
    for attribute in ("_group", "_consumer_group", "_coordinator_key"):
        if isinstance(name := getattr(request, attribute, None), str):
            return name
    return ""
