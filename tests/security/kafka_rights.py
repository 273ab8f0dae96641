"""The table of Kafka rights in docs/security.md; grants and takes away rights (ACLs), as an administrator does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

Resource = Literal["topic", "group", "cluster", "transactional-id"]
Pattern = Literal["literal", "prefixed"]

# By Kafka's protocol: ResourceType, PatternType, AclOperation, AclPermissionType.
RESOURCES: Final[Mapping[str, int]] = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
PATTERNS: Final[Mapping[str, int]] = {"literal": 3, "prefixed": 4}
OPERATIONS: Final[Mapping[str, int]] = {
    "All": 2,
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "ClusterAction": 9,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
    "IdempotentWrite": 12,
}
_ALLOW = 3

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
HEADING = "### Rights of each process"
CLUSTER_NAME = "kafka-cluster"


@dataclass(frozen=True, slots=True)
class Right:
    """A principal may do one operation on a resource."""

    user: str
    operation: str
    resource: Resource
    name: str
    pattern: Pattern = "literal"

    def _binding(self) -> tuple[int, str, int, str, str, int, int]:
        return (
            RESOURCES[self.resource],
            self.name,
            PATTERNS[self.pattern],
            f"User:{self.user}",
            "*",
            OPERATIONS[self.operation],
            _ALLOW,
        )


async def grant(admin: AIOKafkaAdminClient, rights: Iterable[Right]) -> None:
    """Raises KafkaError."""
    for right in rights:
        answer = await admin._send_request(CreateAclsRequest(*right._binding()))
        for code, message in answer.creation_responses:
            if code:
                raise for_code(code)(message)


async def take_away(admin: AIOKafkaAdminClient, rights: Iterable[Right]) -> None:
    """Raises KafkaError, and AssertionError for a right that is not there."""
    for right in rights:
        answer = await admin._send_request(DeleteAclsRequest(*right._binding()))
        for code, message, matching in answer.filter_responses:
            if code:
                raise for_code(code)(message)
            assert matching, right


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `on`: topics, groups or cluster."""

    process: str
    operation: str
    on: str

    def __str__(self) -> str:
        return f"{self.process} {self.operation} {self.on}"

    def rights(self, user: str, topics: Sequence[str], groups: Sequence[str]) -> list[Right]:
        if self.on == "cluster":
            return [Right(user, self.operation, "cluster", CLUSTER_NAME)]
        if self.on == "groups":
            return [Right(user, self.operation, "group", name) for name in groups]
        return [Right(user, self.operation, "topic", name) for name in topics]


def rows() -> list[Row]:
    """All rows of the table, in its order."""
    section = PAGE.read_text().partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines()]
    found = [Row(row[0].strip("`"), row[1], row[2]) for row in cells if row[0].startswith("`") and len(row) == 4]
    assert found, f"no table under {HEADING}"
    for row in found:
        assert row.operation in OPERATIONS, row
        assert row.on in ("topics", "groups", "cluster"), row
    return found
