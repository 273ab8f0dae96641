"""The folder of secrets: which file is which setting (docs/security.md, "Secrets")."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from ops.settings.model import PREFIX, Settings, setting_names, variable_of

FILE_ENDING: Final = "_FILE"

# How similar to a setting a name of several words must be to be taken for a misspelt one. `SASL_PASSWORD` is, whose
# section is missing. `ca.crt`, `tls.key`, `password` and `jwks.json`, which lie beside secrets, are not.
SIMILAR: Final = 0.8


@dataclass
class Listed:
    """What the folder holds."""

    files: dict[str, Path] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_read: bool = True


def files_of_folder(folder: Path, variable: str) -> Listed:
    """The file of each setting, the files that are ignored, and what is wrong with names."""
    found = Listed()
    try:
        files = sorted(_files(folder))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        return Listed(problems=[f"{variable}: the folder {folder} can't be read: {reason}"], is_read=False)
    known = {variable_of(name): name for name in setting_names()}
    for file in files:
        name = _variable(file.name)
        setting = known.get(name)
        if setting is None:
            why = _resembles(name, file.name)
            if why is None:
                found.ignored.append(str(file))
            else:
                found.problems.append(f"{variable}: {file}: no such setting{why}")
        elif setting in found.files:
            found.problems.append(f"{setting}: set by {found.files[setting]} and {file}. Keep only one of them")
        else:
            found.files[setting] = file
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Kubernetes keeps the content in a folder whose name begins with two dots, and links to its files."""
    return (one for one in folder.iterdir() if not one.name.startswith(".") and not one.is_dir())


def _variable(name: str) -> str:
    """`kafka.sasl_password`, `kafka__sasl_password` and `TALLYMILL_KAFKA__SASL_PASSWORD` are one variable."""
    return PREFIX + name.upper().removeprefix(PREFIX).replace(".", "__")


def _resembles(name: str, given: str) -> str | None:
    """A sentence to append if this is a misspelt setting, None if it is something else."""
    short = name.removeprefix(PREFIX)
    if short.lower() in Settings.model_fields:
        return ". It names a whole section. Give each setting a file of its own"
    if short.endswith(FILE_ENDING) and setting_of_file(short) in setting_names():
        return f". A file here is the value itself: name it {short.removesuffix(FILE_ENDING)}"
    hint = _hint(short)
    is_variable = "__" in given or given.upper().startswith(PREFIX)
    return hint if hint or is_variable else None


def _hint(short: str) -> str:
    """The similar setting. Of a name with a section's dot only the rest is compared: `mongodb.pem` is no setting."""
    section, _, rest = short.partition("__")
    if rest and section.lower() in Settings.model_fields:
        names = {name.partition(".")[2].upper(): name for name in setting_names() if name.startswith(section.lower())}
        found = get_close_matches(rest, names, 1)
    else:
        names = {name.partition(".")[2].upper(): name for name in setting_names()}
        names |= {variable_of(name).removeprefix(PREFIX): name for name in setting_names()}
        found = get_close_matches(short, names, 1, SIMILAR) if "_" in short else []
    return f". Did you mean {variable_of(names[found[0]]).removeprefix(PREFIX)}?" if found else ""


def setting_of_file(short: str) -> str:
    """The setting of a `_FILE` variable."""
    return short.removesuffix(FILE_ENDING).lower().replace("__", ".", 1)
