"""What a MongoDB user may not do, in words: the right, where it is missing, and the command that grants it. Pure.

docs/security.md has the rights of each process.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

# MongoDB's actions by command.
_ACTIONS: Final[Mapping[str, Sequence[str]]] = {
    "aggregate": ("find",),
    "collMod": ("collMod",),
    "count": ("find",),
    "create": ("createCollection",),
    "createIndexes": ("createIndex",),
    "delete": ("remove",),
    "distinct": ("find",),
    "find": ("find",),
    # Its updates insert what is missing: players, counts, checkpoints, definitions.
    "findAndModify": ("find", "insert", "update"),
    "getParameter": ("getParameter",),
    "insert": ("insert",),
    "killSessions": ("killAnySession",),
    "listCollections": ("listCollections",),
    "listIndexes": ("listIndexes",),
    "update": ("insert", "update"),
}

UNAUTHORIZED: Final = 13
"""The server's code. A wrong password has another one."""

_OF_CLUSTER = frozenset({"getParameter", "killSessions"})
_OF_DATABASE = frozenset({"listCollections"})

_denied = re.compile(r"not authorized on (\S+) to execute command \{ ?(\w+): ?(?:\"([\w.-]+)\")?").search

NO_USER: Final = "MongoDB asks for a user, and mongodb.uri names none"


def is_without_user(message: str) -> bool:
    """Whether the server refused a command because nobody has signed in."""
    return "requires authentication" in message


def denied_words(message: str) -> str:
    """By the server's message of code 13 (Unauthorized)."""
    if is_without_user(message):
        return NO_USER
    found = _denied(message)
    if not found:
        return "not authorized: the user lacks a role for it"
    database, command, collection = found[1], found[2], found[3] or ""
    actions = _actions(command, message)
    place = ".".join(filter(None, (database, collection)))
    if not actions:
        return f"not authorized: the user may not run {command} on {place}"
    if command in _OF_CLUSTER:
        return _sentence(actions, "the cluster", "cluster: true")
    if command in _OF_DATABASE:
        return _sentence(actions, f"database {database}", f'db: "{database}", collection: ""')
    return _sentence(actions, place, f'db: "{database}", collection: "{collection}"')


def _actions(command: str, message: str) -> Sequence[str]:
    """Of two commands the right depends on what they ask for."""
    if command == "aggregate" and "$collStats" in message:
        return ("collStats",)
    if command == "create" and re.search(r"capped: (true|1)", message):
        return ("convertToCapped", "createCollection")
    return _ACTIONS.get(command, ())


def _sentence(actions: Sequence[str], place: str, resource: str) -> str:
    """With the line for mongosh. The role's name is not known here."""
    grant = f'db.getSiblingDB("admin").grantPrivilegesToRole("ROLE", [{{resource: {{{resource}}}, actions: '
    missing = f"not authorized: the user lacks {' and '.join(actions)} on {place}. Grant it to the user's role: "
    return f"{missing}{grant}{json.dumps(list(actions))}}}])"
