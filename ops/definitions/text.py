"""The text of a definitions file as plain data: scalars stay text, and no key is given twice. Pure.

1. YAML 1.1 reads `no` as false, `012` as ten, `1e3` as a number and `2026-01-01` as a date. Languages, ids and names
   are text, so nothing is converted. Only an empty value, `~` and `null` mean "not given".
2. YAML and JSON parsers silently keep the last of two equal keys. The events of the first would be missing, and so be
   retired. Every repeated key is refused with its line.
"""

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml


class BadText(ValueError):
    """The text can't be read; one sentence for each problem, with its line."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def data_of_json(text: str) -> object:
    """YAML takes most JSON, but no tabs and no surrogate pairs, so JSON is read as such. Raises BadText."""
    try:
        data: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadText(f"line {error.lineno}: {error.msg}") from error
    except RecursionError:
        raise BadText("the values are nested too deeply") from None
    if twice := [_twice(key, line) for key, line in _repeated_keys(text)]:
        raise BadText(*twice)
    return data


def data_of_yaml(text: str) -> object:
    """Raises BadText."""
    try:
        loader = _Loader(text)
        data: object = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise BadText(f"{line}{error.problem or error.context or 'not valid YAML'}") from error
    except yaml.reader.ReaderError as error:
        raise BadText(f"at character {error.position}: {error.reason}") from error
    except RecursionError:
        raise BadText("the values are nested too deeply") from None
    if loader.twice:
        raise BadText(*loader.twice)
    return data


def _twice(key: object, line: int) -> str:
    return f"line {line}: {key} is given twice in one mapping, but only the last would be read"


# json.loads has accepted this JSON, so brackets and commas outside of strings are structure.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)


@dataclass(slots=True)
class _Object:
    """An object being read. A string is a key where one is due."""

    keys: set[str] = field(default_factory=set)
    key_is_due: bool = True


def _repeated_keys(text: str) -> Iterator[tuple[str, int]]:
    """Every key that its object has already had, and its line, in JSON that is valid."""
    inside: list[_Object | None] = []  # None: an array
    for token in _TOKEN.finditer(text):
        first, around = token[0][0], inside[-1] if inside else None
        if first in "{[":
            inside.append(_Object() if first == "{" else None)
        elif first in "}]":
            inside.pop()
        elif around and first == ",":
            around.key_is_due = True
        elif around and first == '"' and around.key_is_due:
            around.key_is_due = False
            key: str = json.loads(token[0])
            if key in around.keys:
                yield key, text.count("\n", 0, token.start()) + 1
            around.keys.add(key)


_NULL, _MERGE, _TEXT = (f"tag:yaml.org,2002:{name}" for name in ("null", "merge", "str"))


class _Loader(yaml.SafeLoader):
    """A safe loader that converts nothing, and notes keys that stand twice."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.twice: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 PyYAML's
        """A key is always text: `null` and `~` too."""
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.tag == _NULL:
                key.tag = _TEXT
            if key.value in seen:
                self.twice.append(_twice(key.value or "an empty key", key.start_mark.line + 1))
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, matches) for tag, matches in resolvers if tag in (_NULL, _MERGE)])
}
