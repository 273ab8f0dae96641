"""The headers of a record, cleaned once when it is read from Kafka.

Kafka lets a producer write any bytes as a name, a name twice, and null as a value. Here every name is text that can be
stored, and every value is bytes. A header with a null value is dropped.
"""

from collections.abc import Mapping, Sequence
from typing import cast

Headers = Sequence[tuple[str, bytes]]


def clean_headers(raw: Sequence[tuple[str | bytes, bytes | None]]) -> Headers:
    r"""The headers in their order, without null values. Bytes of a name that are not UTF-8 become `\xNN`."""
    for name, value in raw:
        if type(name) is not str or type(value) is not bytes:
            return tuple([(name_of(name), bytes(value)) for name, value in raw if value is not None])
    return cast("Headers", raw)  # clean already, as those of an ingress are


def name_of(name: str | bytes) -> str:
    r"""A header name as text. Bytes that are not UTF-8 become `\xNN`."""
    return name if isinstance(name, str) else name.decode(errors="backslashreplace")


def by_name(headers: Headers) -> Mapping[str, bytes]:
    """The headers by name. Of a repeated name the last value is taken."""
    return dict(headers)


def content_type_of(headers: Headers) -> str:
    """`content-type` as text; "" without one."""
    return dict(headers).get("content-type", b"").decode(errors="replace")
