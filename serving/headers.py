"""A header of HTTP as ASGI has it: its name in lower case, and its value."""

RawHeader = tuple[bytes, bytes]
