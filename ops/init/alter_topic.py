"""Single settings of a topic changed, and no other: IncrementalAlterConfigs (KIP-339), which aiokafka doesn't have.

Its AlterConfigs resets every setting that it isn't given.
"""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

SET = 0


class _AlterResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _AlterStruct(RequestStruct):  # type: ignore[misc]  # the same
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(("name", String("utf-8")), ("config_operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterRequest(Request[_AlterStruct]):  # type: ignore[misc]  # the same
    API_KEY = 44

    def __init__(self, topic: str, changes: Mapping[str, str]) -> None:
        self._topic = topic
        self._changes = changes

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        changes = [(name, SET, value) for name, value in self._changes.items()]
        return request_struct_class([(ConfigResourceType.TOPIC, self._topic, changes)], False)  # noqa: FBT003 the wire's own order


async def alter_topic(admin: AIOKafkaAdminClient, topic: str, changes: Mapping[str, str]) -> None:
    """Set these settings. Raises KafkaError."""
    answer = await admin._send_request(_AlterRequest(topic, changes))  # noqa: SLF001 it has no public way
    ((code, message, *_),) = answer.responses
    if code:
        raise for_code(code)(message)
