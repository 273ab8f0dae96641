"""Changes the password of a user of SCRAM, as an administrator does (KIP-554). aiokafka has no request for it."""

import hashlib
import os
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

SHA_512: Final = 2
ITERATIONS: Final = 4096


class _Response(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc]  # the same
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterCredentials(Request[_Struct]):  # type: ignore[misc]  # the same
    API_KEY = 51

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def build(self, request_struct_class: type[_Struct]) -> Any:  # noqa: ANN401 the same
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha512", self._password.encode(), salt, ITERATIONS)
        return request_struct_class([], [(self._user, SHA_512, ITERATIONS, salt, salted, {})], {})


async def change_password(admin: AIOKafkaAdminClient, user: str, password: str) -> None:
    """Of SCRAM-SHA-512. Raises KafkaError."""
    answer = await admin._send_request(_AlterCredentials(user, password))
    for _, code, message, *_ in answer.results:
        if code:
            raise for_code(code)(message)
