"""Grants and takes away rights (ACLs), and changes passwords, as an administrator does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
