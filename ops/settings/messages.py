"""Our own sentences about wrong settings: which one, what is wrong, what is allowed, and where it was read. Pure.

The library that checks the values gives the place and the kind of an error. Its words are not used, and the value of a
secret is never shown.
"""

import json
from collections.abc import Mapping
from typing import Final

from pydantic_core import ErrorDetails

from ops.output import did_you_mean
from ops.settings.allowed import allowed
from ops.settings.model import Settings, Type, section_models, setting_names, type_at
from schemas.masks import MASK, masked_url

MAX_SHOWN: Final = 60

# Errors whose message is ours: those that our validators raise.
OURS: Final = ("value_error", "not_the_apps")
VALIDATOR: Final = "Value error, "

# How the library writes that a key of a table is wrong, and not its value.
KEY: Final = "[key]"

Origins = Mapping[str, str]
"""Where the value of a setting, or of a whole section, was read."""


def problem(error: ErrorDetails, origins: Origins) -> str:
    """The sentence for one error."""
    place = error["loc"]
    name, setting = _name(place), ".".join(map(str, place[:2]))
    where = origin(setting, origins)
    if error["type"] == "extra_forbidden":
        return f"{name}: no such setting{where}{_similar(place, name)}"
    kind = type_at(place)
    if error["type"] in OURS:
        words = error["msg"].removeprefix(VALIDATOR)
        example = allowed(setting, kind).example if len(place) > 1 else ""
        return f"{name}: {words}{where}{_example(example)}"
    if len(place) == 1:
        return f"{name}: must be a table of settings{where}{_example(_section_example(name))}"
    words, example = allowed(setting, kind)
    if place[-1] == KEY:
        words, example = "an app id (1 to 64 letters, digits, hyphens or underscores)", "demo"
    return f"{name}: must be {words}{_not(error, kind)}{where}{_example(example)}"


def _name(place: tuple[int | str, ...]) -> str:
    """`signing.keys, entry 1`. Entries are counted from one."""
    name = ".".join(str(one) for one in place if not isinstance(one, int) and one != KEY)
    entries = [one + 1 for one in place if isinstance(one, int)]
    return name + "".join(f", entry {one}" for one in entries)


def _similar(place: tuple[int | str, ...], name: str) -> str:
    section = str(place[0])
    if len(place) == 1:
        return did_you_mean(name, Settings.model_fields)
    if section not in Settings.model_fields:
        return ""
    if len(place) > 2:  # noqa: PLR2004 within a setting, such as limits.apps
        models = section_models()
        return did_you_mean(str(place[-1]), models[section].model_fields)
    return did_you_mean(name, [one for one in setting_names() if one.startswith(f"{section}.")], f"{section}.")


def _not(error: ErrorDetails, kind: Type) -> str:
    """The value, unless it may hold a secret or is long."""
    if kind.is_secret or kind.is_table:
        return ""
    value = error["input"]
    if value == "":
        return ", and is empty"
    text = json.dumps(_masked(value), ensure_ascii=False, default=str)
    if "@" in text.replace(f"{MASK}@", ""):  # a user and a password in what should be a URL
        return ""
    return f", not {text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '...'}"


def _masked(value: object) -> object:
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _masked(one) for name, one in value.items()}
    return masked_url(value) if isinstance(value, str) else value


def _example(example: str) -> str:
    return f". Example: {example}" if example else ""


def _section_example(section: str) -> str:
    names = [one for one in setting_names() if one.startswith(f"{section}.")]
    return f"[{section}] {names[0].partition('.')[2]} = ..." if names else ""


def origin(setting: str, origins: Origins) -> str:
    """Words to append about where a setting was read."""
    section = setting.partition(".")[0]
    where = origins.get(setting) or origins.get(section)
    return f" (set by {where})" if where else ""
