"""Reads the value of a setting from a file of its own: one value, as in a variable (docs/security.md, "Secrets")."""

import os
import stat
from pathlib import Path
from typing import Final

# Longer than any secret: a set of keys has a few kB. A wrong path, such as that of a disk, must not fill the memory.
MAX_BYTES: Final = 1 << 20

_BYTE_ORDER_MARK: Final = "\ufeff"


class BadFile(Exception):
    """The file gives no value. The message says why, without its content."""


def read_value(file: Path) -> str:
    """The text of a file without the line ends at its end. Raises BadFile."""
    try:
        text = _bytes_of(file).decode()
    except OSError as error:
        raise BadFile(f"the file {file} can't be read: {(error.strerror or 'unknown reason').lower()}") from None
    except UnicodeDecodeError:
        raise BadFile(f"the file {file} is not UTF-8 text") from None
    if text.startswith(_BYTE_ORDER_MARK):
        raise BadFile(f"the file {file} begins with a byte order mark. Save it as UTF-8 without one")
    value = text.rstrip("\r\n")
    if not value:
        raise BadFile(f"the file {file} is empty")
    return value


def _bytes_of(file: Path) -> bytes:
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):  # to open a pipe would wait until somebody writes to it
        raise BadFile(f"{file} is {'a folder, not a file' if stat.S_ISDIR(mode) else 'not a regular file'}")
    with file.open("rb") as opened:
        found = opened.read(MAX_BYTES + 1)
    if len(found) > MAX_BYTES:
        raise BadFile(f"the file {file} is larger than {MAX_BYTES >> 20} MiB")
    return found


def is_open(file: Path) -> bool:
    """Whether every user of the machine can read it. False in a read-only mount.

    Kubernetes and Docker mount secrets so, readable by all: only the processes of the container see them.
    """
    try:
        everyones = bool(file.stat().st_mode & stat.S_IROTH)
        return everyones and not os.statvfs(file).f_flag & os.ST_RDONLY
    except OSError:
        return False
