"""Writes the settings of the local system, for its processes and for commands in the same folder."""

import json
import os
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.config import FILE_VARIABLE, LOCAL_FILE_NAME
from ops.private_file import write_private

Table = dict[str, Any]


# In these sections `up` decides, because it knows the addresses. In all others the user's file takes precedence.
ADDRESSES = ("kafka", "mongodb", "ingress", "console")


def local_settings(kafka: str, mongodb: str, ports: Mapping[str, int], tokens: Table) -> dict[str, Table]:
    """What `up` adds to the user's settings. `ports`: of the processes that listen, by their section."""
    return {
        "kafka": {"bootstrap_servers": kafka},
        "mongodb": {"uri": mongodb},
        **{section: {"port": port} for section, port in ports.items()},
        "tokens": tokens,
    }


def write_local_settings(data: Path, added: Mapping[str, Table]) -> Path:
    """Write DATA/settings.toml: the user's file, if there is one, and what `up` adds.

    The keys are created once and kept, because `judged` headers in Kafka, receipts and sessions outlive a run.
    """
    path = data / LOCAL_FILE_NAME
    kept = _read(path)
    keys = kept.get("signing", {}).get("keys") or [secrets.token_urlsafe(32)]
    session_keys = kept.get("console", {}).get("session_keys") or [secrets.token_urlsafe(32)]
    user = os.environ.get(FILE_VARIABLE)
    document = merged({**added, "signing": {"keys": keys}}, _read(Path(user)) if user else {}, ADDRESSES)
    document.setdefault("console", {}).setdefault("session_keys", session_keys)
    write_private(path, to_toml(document))
    return path


def merged(added: Table, user: Table, added_wins: tuple[str, ...]) -> Table:
    """Section by section. The user's value takes precedence, except in the sections of `added_wins`."""
    document: Table = {}
    for section in sorted({*added, *user}):
        first, last = added.get(section, {}), user.get(section, {})
        document[section] = {**last, **first} if section in added_wins else {**first, **last}
    return document


def to_toml(document: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of plain values, lists and tables."""
    sections = (
        f"[{section}]\n" + "".join(f"{name} = {_to_toml_value(value)}\n" for name, value in table.items())
        for section, table in document.items()
        if table
    )
    return "\n".join(sections)


def _to_toml_value(value: object) -> str:
    """A JSON value is also a TOML value, except objects: these become inline tables."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_to_toml_value(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
