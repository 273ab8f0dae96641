"""Our own sentences about a wrong definitions file: which field, what it must be. Pure.

The library that checks the values gives the place and the kind of an error. Its words are not used.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

from ops.output import did_you_mean

VALIDATOR: Final = "Value error, "

# How the library writes that a key of a mapping is wrong, and not its value.
KEY: Final = "[key]"

MAPPING: Final = "must be a mapping"

WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "required",
    "string_type": lambda _: "must be a text",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda of: f"must have at most {of['max_length']} characters",
    "too_short": lambda _: "must have at least one entry",
    "literal_error": lambda of: "must be " + of["expected"].replace("'", ""),
    "dict_type": lambda _: MAPPING,
    "model_type": lambda _: MAPPING,
    "tuple_type": lambda _: "must be a list",
}


def problem(error: ErrorDetails, patterns: Mapping[str, str], known: Collection[str]) -> str:
    """The sentence for one error. `patterns`: words for each pattern. `known`: the fields beside a misspelt one."""
    place = [one for one in error["loc"] if one != KEY]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return f"{path or 'file'}: {_words(error, patterns, known)}"


def _words(error: ErrorDetails, patterns: Mapping[str, str], known: Collection[str]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"no such field{did_you_mean(str(error['loc'][-1]), known)}"
    if kind == "string_pattern_mismatch":
        return f"must be {patterns[context['pattern']]}"
    if kind == "string_type" and isinstance(error["input"], int | float | None):
        return f"{WORDS[kind](context)}: put it in quotes"
    return WORDS[kind](context) if kind in WORDS else error["msg"].removeprefix(VALIDATOR)
