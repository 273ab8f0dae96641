"""Reads files of settings: above all one with the value of one setting (docs/security.md, "Secrets")."""

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
    value = read_text(file, MAX_BYTES).rstrip("\r\n")
    if not value:
        raise BadFile(f"the file {file} is empty")
    return value


def read_text(file: Path, max_bytes: int) -> str:
    """The text of a file. Raises BadFile."""
    try:
        text = _bytes_of(file, max_bytes).decode()
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


def _bytes_of(file: Path, max_bytes: int) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # a pipe would wait for its writer
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise BadFile(f"{file} is {'a folder, not a file' if stat.S_ISDIR(mode) else 'not a regular file'}")
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            found = opened.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(found) > max_bytes:
        raise BadFile(f"the file {file} is larger than {max_bytes >> 20} MiB")
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
