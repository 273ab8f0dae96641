"""Reads files of settings: above all one with the value of one setting (docs/security.md, "Secrets")."""

import os
import stat
from pathlib import Path
from typing import Final

from serving.outgoing.files import BadFile, bytes_of

__all__ = ["MAX_BYTES", "BadFile", "is_open", "read_text", "read_value"]

# Longer than any secret: a set of keys has a few kB. A wrong path, such as that of a disk, must not fill the memory.
MAX_BYTES: Final = 1 << 20

_BYTE_ORDER_MARK: Final = "\ufeff"


def read_value(file: Path) -> str:
    """The text of a file without the line ends at its end. Raises BadFile."""
    value = read_text(file, MAX_BYTES).rstrip("\r\n")
    if not value:
        raise BadFile(f"the file {file} is empty")
    return value


def read_text(file: Path, max_bytes: int) -> str:
    """The text of a file. Raises BadFile."""
    try:
        text = bytes_of(file, max_bytes).decode()
    except FileNotFoundError:
        raise BadFile(f"there is no file {file}") from None
    except OSError as error:
        raise BadFile(f"the file {file} can't be read: {(error.strerror or 'unknown reason').lower()}") from None
    except UnicodeDecodeError:
        raise BadFile(f"the file {file} is not UTF-8 text") from None
    if text.startswith(_BYTE_ORDER_MARK):
        raise BadFile(f"the file {file} begins with a byte order mark. Save it as UTF-8 without one")
    if "\0" in text:  # as in UTF-16, which some editors write. No password and no key has one
        raise BadFile(f"the file {file} is not plain text: it holds a NUL character. Save it as UTF-8")
    return text


def is_open(file: Path) -> bool:
    """Whether every user of the machine can read it. False in a read-only mount.

    Kubernetes and Docker mount secrets so, readable by all: only the processes of the container see them.
    """
    try:
        everyones = bool(file.stat().st_mode & stat.S_IROTH)
        return everyones and not os.statvfs(file).f_flag & os.ST_RDONLY
    except OSError:
        return False
