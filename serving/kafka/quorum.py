"""The clock of Kafka's active controller, which its answer to DescribeQuorum (KIP-836) holds. Asking changes nothing.

A broker tells its time only when it stores a record. The controller gives the time of its answer as the time at which
its own log was last complete. Kafka before 3.3, and without KRaft, has no such answer.
"""

from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

METADATA_TOPIC = "__cluster_metadata"

_REPLICA = (
    ("replica_id", Int32),
    ("log_end_offset", Int64),
    ("last_fetch_timestamp", Int64),
    ("last_caught_up_timestamp", Int64),
    ("tags", TaggedFields),
)


class _QuorumResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 55
    API_VERSION = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("voters", CompactArray(*_REPLICA)),
                        ("observers", CompactArray(*_REPLICA)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _QuorumStruct(RequestStruct):  # type: ignore[misc]  # the same
    API_KEY = 55
    API_VERSION = 1
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _QuorumResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("partitions", CompactArray(("partition", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class QuorumRequest(Request[_QuorumStruct]):  # type: ignore[misc]  # the same
    """Needs DESCRIBE on the cluster."""

    API_KEY = 55

    def build(self, request_struct_class: type[_QuorumStruct]) -> _QuorumStruct:
        return request_struct_class([(METADATA_TOPIC, [(0, {})], {})], {})


def controller_millis(answer: Any) -> int | None:  # noqa: ANN401 the same
    """The controller's time. None if it is not in the answer. Raises KafkaError."""
    if answer.error_code:
        raise for_code(answer.error_code)
    partitions = [one for topic in answer.topics for one in topic[1]]
    for _, error, leader, _, _, voters, *_ in partitions:
        if error:
            raise for_code(error)
        times = [voter[3] for voter in voters if voter[0] == leader and voter[3] > 0]
        return max(times, default=None)
    return None
