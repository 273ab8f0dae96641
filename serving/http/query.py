"""A query string or a form as names and values, for the ingress and the console. Pure.

The caller decides what a repeated, an unknown or an empty parameter means.
"""

from typing import Final
from urllib.parse import unquote_to_bytes

from schemas.wire.malformed import Violation

# Of a URL or a form. Real queries are a few KiB, and a form is read before its sender is known.
MAX_QUERY_BYTES: Final = 65_536

# A violation repeats the name of a parameter, which may be as long as the query.
_MAX_FIELD_CHARACTERS: Final = 256


class BadQuery(ValueError):
    """The query is not valid. A violation names each wrong parameter; `query` stands for the whole query."""

    def __init__(self, *wrong: tuple[str, str]) -> None:
        self.violations = tuple(
            Violation(field=name[:_MAX_FIELD_CHARACTERS], description=description) for name, description in wrong
        )
        super().__init__("; ".join(f"{one.field}: {one.description}" for one in self.violations))


def parameter_pairs(text: bytes, max_parameters: int) -> list[tuple[str, str]]:
    """The names and values of a form-urlencoded text, in its order. Raises BadQuery."""
    pairs, wrong = readable_pairs(text, max_parameters)
    if wrong:
        raise BadQuery(wrong[0])
    return pairs


def readable_pairs(text: bytes, max_parameters: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The names and values that can be read, in their order, and what is wrong with the others. Raises BadQuery."""
    if len(text) > MAX_QUERY_BYTES:
        raise BadQuery(("query", f"Longer than {MAX_QUERY_BYTES} bytes"))
    if text.count(b"&") >= max_parameters:
        raise BadQuery(("query", f"More than {max_parameters} parameters"))
    pairs, wrong = [], []
    for part in text.split(b"&"):
        encoded_name, _, encoded = part.partition(b"=")
        if not part:
            continue
        name, value = _decoded(encoded_name), _decoded(encoded)
        if name is None:
            wrong.append(("query", "Must be UTF-8"))
        elif value is None:
            wrong.append((name, "Must be UTF-8"))
        else:
            pairs.append((name, value))
    return pairs, wrong


def _decoded(encoded: bytes) -> str | None:
    try:
        return unquote_to_bytes(encoded.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return None
