"""What is wrong with a JSON body, one thing after the other, looking no further than is asked for (B2).

A body is validated whole, by pydantic, up to its first bad array element; only one that is refused comes here. A list
of all errors would be as long as the body: half a million wrong elements kept an ingress from everything else for
seconds, though its client is told of twenty. So the parts are looked at one by one, and whoever asks stops.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import BaseModel, FailFast, TypeAdapter, ValidationError
from pydantic_core import to_json

Location = tuple[int | str, ...]
Wrong = tuple[Location, str]

# Elements that are validated at once, to pass over those that are good.
_CHUNK: Final = 100
# Of unknown names in one object no more are looked at than are told.
_MAX_UNKNOWN: Final = 20


class Shape:
    """An object of the wire: its model, its fields that are objects, and what its arrays hold. Arrays are last."""

    def __init__(
        self,
        model: type[BaseModel],
        *,
        objects: Mapping[str, "Shape"] | None = None,
        arrays: Mapping[str, "Shape"] | None = None,
    ) -> None:
        self.objects = objects or {}
        self.arrays = arrays or {}
        self._model = model
        many: Any = tuple[model, ...]  # type: ignore[valid-type]  # a type that is known at run time
        self._many: TypeAdapter[Any] = TypeAdapter(Annotated[many, FailFast()])
        self._names = frozenset(field.alias or name for name, field in model.model_fields.items())

    def knows(self, name: object) -> bool:
        return name in self._names

    def errors(self, value: object, at: Location) -> list[Wrong]:
        """All that is wrong with one value that lies at `at`."""
        try:
            self._model.model_validate_json(_text(value))
        except ValidationError as error:
            return [((*at, *place), message) for place, message in errors_of(error)]
        return []

    def takes_all(self, values: list[object]) -> bool:
        try:
            self._many.validate_json(_text(values))
        except ValidationError:
            return False
        return True


def errors_of(error: ValidationError) -> list[Wrong]:
    return [(e["loc"], e["msg"]) for e in error.errors(include_url=False, include_context=False, include_input=False)]


def in_object(shape: Shape, value: object, at: Location = ()) -> Iterator[Wrong]:
    """What is wrong with a decoded value: its fields, its arrays, its unknown names."""
    if not isinstance(value, dict):
        yield from shape.errors(value, at)
        return
    arrays = {name: value[name] for name in shape.arrays if isinstance(value.get(name), list)}
    own = shape.errors({**_cut(shape, value), **dict.fromkeys(arrays, ())}, at)
    yield from (one for one in own if shape.knows(one[0][len(at)]))
    for name, values in arrays.items():
        yield from _in_array(shape.arrays[name], values, (*at, name))
    yield from (one for one in own if not shape.knows(one[0][len(at)]))


def _in_array(shape: Shape, values: list[object], at: Location) -> Iterator[Wrong]:
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        if not shape.takes_all(chunk):
            for number, value in enumerate(chunk, start):
                yield from in_object(shape, value, (*at, number))


def _cut(shape: Shape, value: dict[str, object]) -> dict[str, object]:
    """Without most of the unknown names, in its objects too."""
    unknown = dict(islice(((name, part) for name, part in value.items() if not shape.knows(name)), _MAX_UNKNOWN))
    known = {name: part for name, part in value.items() if shape.knows(name)}
    objects = {
        name: _cut(one, part) for name, one in shape.objects.items() if isinstance(part := known.get(name), dict)
    }
    return known | objects | unknown


def _text(value: object) -> bytes:
    """JSON again: read as JSON a value is judged, and told of, as it was in the body."""
    return to_json(value, inf_nan_mode="constants")
