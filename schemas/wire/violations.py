"""Reads a JSON body part by part, and returns what it contains or its first violations (B2).

Only a body that its struct has refused as a whole is read here. An object is split into its fields without parsing
their values; the fields go to the struct, and arrays are read element by element. Only structs accept a part. A part
that they refuse goes to pydantic, whose messages are the violations. So no call reads more than a part, and reading
stops at the last violation that is reported: all violations could be as long as the body.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

Location = tuple[int | str, ...]
Wrong = tuple[Location, str]
Text = bytes | msgspec.Raw
T = TypeVar("T", bound=msgspec.Struct)

# At most this many unknown names of one object are read, because no more are reported.
_MAX_UNKNOWN: Final = 20
# A longer number is no int64, so its digits need not be converted.
_MAX_NUMBER_BYTES: Final = 32
_BEYOND_ALL: Final = b"1e400"
_NULL: Final = b"null"

_as_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_as_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(slots=True)
class Wrongs:
    """The violations found so far, in order. Reading stops at `limit`."""

    limit: int
    found: list[Wrong] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        return len(self.found) >= self.limit

    def first(self) -> list[Wrong]:
        return self.found[: self.limit]


class Shape(Generic[T]):
    """An object of the wire: its struct, its model, its fields that are objects, and what its arrays hold."""

    def __init__(
        self,
        struct: type[T],
        model: type[BaseModel],
        *,
        objects: Mapping[str, "Shape[Any]"] | None = None,
        arrays: Mapping[str, "Shape[Any]"] | None = None,
    ) -> None:
        self.objects = objects or {}
        self.arrays = arrays or {}
        fields = {one.alias or name: one for name, one in model.model_fields.items()}
        self._names = fields.keys()
        self._may_be_null = {name for name, one in fields.items() if not one.is_required()}
        self._decode = msgspec.json.Decoder(struct, strict=False).decode
        self._model = model

    def knows(self, name: object) -> bool:
        return name in self._names

    def read(self, text: Text) -> T | None:
        """The struct that `text` is at once. A null, or a bad value before a good one, takes reading by parts."""
        try:
            return self._decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def read_members(self, members: Mapping[str, Text]) -> T | None:
        """The struct of these members, null being the same as missing where it may be."""
        if not members.keys() <= self._names:
            return None
        texts = {name: bytes(text) for name, text in members.items()}
        return self.read(_object({n: text for n, text in texts.items() if text != _NULL or n not in self._may_be_null}))

    def errors(self, text: bytes, at: Location) -> list[Wrong]:
        """The violations of a small part at `at` that the struct refuses. There is at least one."""
        try:
            self._model.model_validate_json(text)
        except ValidationError as error:
            return [((*at, *place), message) for place, message in errors_of(error)]
        return [(at, "Not a valid value")]


def errors_of(error: ValidationError) -> list[Wrong]:
    return [(e["loc"], e["msg"]) for e in error.errors(include_url=False, include_context=False, include_input=False)]


def read_in_parts(shape: Shape[T], text: Text, at: Location, wrongs: Wrongs) -> T | None:
    """The value at `at`. If it is not valid, None, and `wrongs` has at least one more violation.

    `text` is JSON of bounded depth. If a key is repeated, the last value counts.
    """
    members = _members(text)
    if members is None:
        wrongs.found += shape.errors(_stand_in(text), at)
        return None
    if (whole := shape.read_members(members)) is not None:
        return whole
    before = len(wrongs.found)
    own = _small(shape, members)
    value = shape.read_members(own)
    errors = [] if value is not None else shape.errors(_object(own), at)
    wrongs.found += [one for one in errors if not _is_unknown(shape, one, at)]
    arrays = {
        to_snake(name): _read_array(one, members.get(name), (*at, name), wrongs) for name, one in shape.arrays.items()
    }
    wrongs.found += [one for one in errors if _is_unknown(shape, one, at)]
    if value is None or len(wrongs.found) > before:
        return None
    return msgspec.structs.replace(value, **arrays)


def _read_array(shape: Shape[T], text: Text | None, at: Location, wrongs: Wrongs) -> tuple[T, ...]:
    """The valid elements. None if it is not an array, which is a violation of the object."""
    elements: list[msgspec.Raw] = []
    if text is not None:
        with suppress(msgspec.ValidationError):
            elements = _as_elements(text)
    good = []
    for number, element in enumerate(elements):
        if wrongs.enough:
            break
        value = shape.read(element) or read_in_parts(shape, element, (*at, number), wrongs)
        if value is not None:
            good.append(value)
    return tuple(good)


def _is_unknown(shape: Shape[Any], wrong: Wrong, at: Location) -> bool:
    """Whether the violation is an unknown name in the object at `at`."""
    own = wrong[0][len(at) :]
    return bool(own) and not shape.knows(own[0])


def _small(shape: Shape[Any], members: Mapping[str, msgspec.Raw]) -> dict[str, bytes]:
    """The fields without their contents, and as many unknown names as are reported."""
    known = {name: _small_value(shape.objects.get(name), text) for name, text in members.items() if shape.knows(name)}
    unknown = islice((name for name in members if not shape.knows(name)), _MAX_UNKNOWN)
    return known | dict.fromkeys(unknown, _NULL)


def _small_value(shape: Shape[Any] | None, text: Text) -> bytes:
    members = _members(text) if shape else None
    return _stand_in(text) if shape is None or members is None else _object(_small(shape, members))


def _object(members: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (msgspec.json.encode(name), text) for name, text in members.items())


def _stand_in(text: Text) -> bytes:
    """A short value with the same violation: the contents of an object or array need not be read for it."""
    view = memoryview(text)
    first = bytes(view[:1])
    if first in b"[{":
        return b"[]" if first == b"[" else b"{}"
    return _BEYOND_ALL if len(view) > _MAX_NUMBER_BYTES and first != b'"' else bytes(view)


def _members(text: Text) -> dict[str, msgspec.Raw] | None:
    try:
        return _as_members(text)
    except msgspec.ValidationError:
        return None
