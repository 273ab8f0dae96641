"""Reads the values of the settings. Highest first: variables, the folder of secrets, the TOML file.

A value that can't be read is a problem, and the rest is read all the same: all problems are reported at once.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ops.output import did_you_mean
from ops.settings.allowed import allowed
from ops.settings.folder import FILE_ENDING, files_of_folder
from ops.settings.model import PREFIX, Settings, Type, setting_names, setting_types, variable_of
from ops.settings.secret_file import BadFile, read_text, read_value
from ops.settings.service_links import service_links

FILE_VARIABLE: Final = "TALLYMILL_SETTINGS_FILE"
DATA_VARIABLE: Final = "TALLYMILL_DATA"
FOLDER_VARIABLE: Final = "TALLYMILL_SECRETS_DIR"

# Limits of a hundred thousand apps.
MAX_FILE_BYTES: Final = 16 << 20

# Variables with the prefix that are not settings: where files are, and where the local system keeps its data.
NOT_SETTINGS: Final = frozenset(
    {FILE_VARIABLE, DATA_VARIABLE, FOLDER_VARIABLE}
    | {"TALLYMILL_CACHE", "TALLYMILL_TEST_KAFKA", "TALLYMILL_TEST_MONGODB"}
)

Tree = dict[str, Any]
"""Values by section and name."""


@dataclass
class Sources:
    """What was read. `origins`: where, by setting or by section. `files`: the file of a setting that has its own."""

    tree: Tree = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    ignored_files: list[str] = field(default_factory=list)
    ignored_variables: list[str] = field(default_factory=list)
    is_partial: bool = False  # a file or a folder was not read at all

    def put(self, setting: str, value: object, origin: str) -> None:
        """Add a value, which replaces an earlier one. A table is merged with it."""
        section, _, name = setting.partition(".")
        part = self.tree.setdefault(section, {})
        if not isinstance(part, dict):  # a whole section of a wrong type: its own problem is reported
            return
        part[name] = _merged(part.get(name), value)
        self.origins[setting] = origin

    def origins_of_settings(self) -> dict[str, str]:
        """Where each setting was read that has not its default."""
        return {name: where for name, where in self.origins.items() if "." in name}


def _merged(old: object, new: object) -> object:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
    return new


def read_sources(environ: Mapping[str, str], file: Path | None) -> Sources:
    """All values."""
    found = Sources(ignored_variables=service_links(environ, PREFIX))
    if file is not None:
        _read_toml(file, f"{FILE_VARIABLE}: " if environ.get(FILE_VARIABLE) else "", found)
    if folder := environ.get(FOLDER_VARIABLE):
        _read_folder(Path(folder), found)
    _read_variables(environ, found)
    return found


def _read_toml(file: Path, named_by: str, found: Sources) -> None:
    try:
        tree = _tree_of(file)
    except BadFile as error:
        found.problems.append(f"{named_by}{error}")
        found.is_partial = True
        return
    found.tree = {name: dict(part) if isinstance(part, dict) else part for name, part in tree.items()}
    for section, part in tree.items():
        names = part if isinstance(part, dict) else ()
        found.origins |= {name: str(file) for name in (section, *(f"{section}.{one}" for one in names))}


def _tree_of(file: Path) -> Tree:
    """Raises BadFile."""
    try:
        return tomllib.loads(read_text(file, MAX_FILE_BYTES))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadFile(f"the file {file} is not valid TOML: {str(error) or 'nested too deeply'}") from None


def _read_folder(folder: Path, found: Sources) -> None:
    listed = files_of_folder(folder, FOLDER_VARIABLE)
    found.problems += listed.problems
    found.is_partial |= not listed.is_read
    found.ignored_files += listed.ignored
    for setting, file in listed.files.items():
        _put_file(setting, file, str(file), found)


def _read_variables(environ: Mapping[str, str], found: Sources) -> None:
    """Variables in any case. Those of whole sections come first, so that those of single settings replace them."""
    ours = [name for name in environ if name.upper().startswith(PREFIX) and name not in found.ignored_variables]
    sections = {variable_of(name): name for name in Settings.model_fields}
    settings = {variable_of(name): name for name in setting_names()}
    of_files = {name + FILE_ENDING: setting for name, setting in settings.items()}
    given: dict[str, str] = {}
    for name in sorted(ours, key=lambda one: one.upper() not in sections):
        upper, text = name.upper(), environ[name]
        if upper in sections:
            _put_section(sections[upper], name, text, found)
            continue
        setting = settings.get(upper) or of_files.get(upper)
        if setting is None:
            found.problems += _unknown(name)
        elif setting in given:
            found.problems.append(f"{setting}: set by {given[setting]} and {name}. Set only one of them")
        elif upper in settings:
            given[setting] = name
            _put_text(setting, text, name, found)
        else:
            given[setting] = name
            if not text:
                found.problems.append(f"{setting}: {name} is empty. Give it the path of a file, or unset it")
                continue
            _put_file(setting, Path(text), f"{name}={text}", found)


def _put_section(section: str, name: str, text: str, found: Sources) -> None:
    """A whole section as JSON."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        found.problems.append(f"{section}: must be a table of settings in JSON (set by {name})")
        return
    for key, value in values.items():
        found.put(f"{section}.{key}", value, name)


def _put_file(setting: str, file: Path, origin: str, found: Sources) -> None:
    try:
        text = read_value(file)
    except BadFile as error:
        found.problems.append(f"{setting}: {error} (set by {origin})")
        return
    found.files[setting] = file
    _put_text(setting, text, origin, found, lines=True)


def _put_text(setting: str, text: str, origin: str, found: Sources, *, lines: bool = False) -> None:
    """A value as text. `lines`: a list may have one entry a line."""
    kind = setting_types()[setting]
    try:
        found.put(setting, _parsed(text, kind, lines=lines), origin)
    except (ValueError, RecursionError):
        example = allowed(setting, kind).example
        words = "in JSON, or have one entry a line" if lines and kind.is_list else "in JSON"
        found.problems.append(
            f"{setting}: must be a {'list' if kind.is_list else 'table'} {words} (set by {origin}). Example: {example}"
        )


def _parsed(text: str, kind: Type, *, lines: bool) -> object:
    """Lists and tables are JSON. Raises ValueError, RecursionError."""
    if not (kind.is_list or kind.is_table):
        return text
    if lines and kind.is_list and not text.lstrip().startswith("["):
        return [line for line in text.splitlines() if line]
    return json.loads(text)


def _unknown(name: str) -> Iterator[str]:
    """A misspelt variable must be reported, or the default would be used in silence.

    So must one that names an app: in variables upper and lower case are the same, but `Demo` and `demo` are two apps.
    """
    upper = name.upper()
    if name in NOT_SETTINGS:
        return
    if upper in NOT_SETTINGS:
        yield f"{name}: write it in upper case: {upper}"
        return
    apps = variable_of("limits.apps")
    if upper.startswith(f"{apps}__"):
        yield f"{name}: set {apps} as JSON instead, because app ids are case-sensitive"
        return
    ending = FILE_ENDING if upper.endswith(FILE_ENDING) else ""
    yield f"{name}: no such setting{_meant(upper.removesuffix(ending), ending)}"


def _meant(upper: str, ending: str) -> str:
    """The settings of which only the section is missing, or the one that is similar."""
    known = [variable_of(setting) for setting in setting_names()]
    short = upper.removeprefix(PREFIX)
    if found := [one + ending for one in known if one.partition("__")[2] == short]:
        return f". Did you mean {' or '.join(found)}?"
    hint = did_you_mean(upper, known + sorted(NOT_SETTINGS), PREFIX)
    return f"{hint.removesuffix('?')}{ending}?" if hint else ""
