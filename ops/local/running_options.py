"""The options of the running system: `up` with others says so and starts nothing.

Options are those of the command line, and all settings. Only what is asked for is compared: `up` without `--workers`
and without settings is content with any system.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from ops.config import Settings
from ops.private_file import write_private

OPTIONS_NAME = "options.json"

WORKERS = "--workers"
OBSERVE = "--observe"

Options = Mapping[str, str]
"""Values as JSON, by the name of the option or of the setting."""

_HIDDEN = "sha256:"


def options_of(command_line: Mapping[str, object], settings: Settings, *, only_asked: bool = False) -> Options:
    """Of the command line those that are not None, and the settings: all, or those that the user has set."""
    asked = {name: json.dumps(value) for name, value in command_line.items() if value is not None}
    for section in Settings.model_fields:
        part: BaseModel = getattr(settings, section)
        names = part.model_fields_set if only_asked else type(part).model_fields
        asked |= {f"{section}.{name}": _text(getattr(part, name)) for name in names}
    return asked


def _text(value: object) -> str:
    return json.dumps(value, default=_plain, sort_keys=True)


def _plain(value: object) -> Any:  # noqa: ANN401 JSON
    """A secret as its hash: it must be compared, and nobody should read it in one more file."""
    if isinstance(value, SecretStr):
        return _HIDDEN + hashlib.sha256(value.get_secret_value().encode()).hexdigest()
    return value.model_dump() if isinstance(value, BaseModel) else str(value)


def write_options(data: Path, options: Options) -> None:
    write_private(data / OPTIONS_NAME, json.dumps(dict(options), indent=2, sort_keys=True) + "\n")


def read_options(data: Path) -> Options | None:
    """None where the system was started by an earlier version."""
    try:
        found: Options = json.loads((data / OPTIONS_NAME).read_text())
    except (OSError, ValueError):
        return None
    return found


def differences(asked: Options, running: Options) -> list[str]:
    """A line for each option that the running system has otherwise. Secrets are not shown."""
    return [
        f"{name}: another value" if _is_secret(value + running[name]) else f"{name}: {running[name]}, not {value}"
        for name, value in sorted(asked.items())
        if name in running and running[name] != value
    ]


def _is_secret(text: str) -> bool:
    """Also a URL with a user and a password."""
    return _HIDDEN in text or "@" in text
