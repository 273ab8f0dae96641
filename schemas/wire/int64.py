"""int64 as the wire writes it (docs/rules.md, G3): a JSON string of digits, or a JSON integer.

pydantic's lax int also takes "1_000", " 7 ", "+7", "007", 7.0 and true. Each would be another spelling of a requestId,
and two spellings of one id could count as two ids. This type is built from parts of pydantic-core, so that a number
costs no Python call.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec
from pydantic import GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

INT64_PATTERN = "^-?(0|[1-9][0-9]{0,18})$"


class _WireInt64:
    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        in_range = core_schema.int_schema(ge=INT64_MIN, le=INT64_MAX)
        digits = core_schema.str_schema(strict=True, pattern=INT64_PATTERN)
        return core_schema.union_schema(
            [
                core_schema.int_schema(strict=True, ge=INT64_MIN, le=INT64_MAX),
                core_schema.chain_schema([digits, in_range]),
            ],
            mode="left_to_right",
            custom_error_type="int64",
            custom_error_message="Must be an int64: a string of digits without padding, or an integer",
        )


_STRING = {"type": "string", "format": "int64", "pattern": INT64_PATTERN}
_INTEGER = {"type": "integer", "format": "int64", "minimum": INT64_MIN, "maximum": INT64_MAX}

# What some fields require beyond the type, for their JSON Schema.
NOT_ZERO = {"not": {"enum": [0, "0", "-0"]}}
NOT_NEGATIVE = {
    "not": {"anyOf": [{"type": "integer", "exclusiveMaximum": 0}, {"type": "string", "pattern": "^-[1-9]"}]}
}

Int64 = Annotated[
    int,
    _WireInt64,
    PlainSerializer(str, return_type=str),
    WithJsonSchema(_STRING, mode="serialization"),
    WithJsonSchema({"anyOf": [_STRING, _INTEGER]}, mode="validation"),
]

# As structs read it: msgspec's lax mode takes digits in a string, by the grammar of JSON numbers, and nothing padded.
# It would take 7.0 and "1e3" too, as integers. With a float in the union they become floats, and none lies within
# these bounds. No `None` at run time: lax, the string "null" would be one.
if TYPE_CHECKING:
    ReadInt64 = int
    ReadInt64OrNone = int | None
else:
    _NoFloat = Annotated[float, msgspec.Meta(gt=0, lt=0)]
    ReadInt64 = Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)] | _NoFloat
    ReadInt64OrNone = ReadInt64
