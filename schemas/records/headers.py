"""A record's headers as all of us read them: made so once, where a record is made of what Kafka gives.

Kafka lets a producer write any name, twice or not, and a null as value. Here every name is text that can be stored,
every value is bytes; a header whose value is null is absent, as if it had not been written.
"""

from collections.abc import Iterable, Mapping, Sequence

Headers = Sequence[tuple[str, bytes]]


def clean_headers(raw: Iterable[tuple[str | bytes, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    r"""The headers in their order, without those that are null. What is no UTF-8 in a name is written as `\xNN`."""
    return tuple((name_of(name), bytes(value)) for name, value in raw if value is not None)


def name_of(name: str | bytes) -> str:
    r"""A header name as text: what is no UTF-8 in it as `\xNN`."""
    return name if isinstance(name, str) else name.decode(errors="backslashreplace")


def by_name(headers: Headers) -> Mapping[str, bytes]:
    """Of a name that stands twice the last counts."""
    return dict(headers)


def content_type_of(headers: Headers) -> str:
    """`content-type` as text; "" without one."""
    return by_name(headers).get("content-type", b"").decode(errors="replace")
