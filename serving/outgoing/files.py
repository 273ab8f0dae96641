"""Files that settings name. A wrong path, such as that of a pipe or a disk, must neither block nor fill the memory."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BadFile(Exception):
    """The file gives no value. The message says why, without its content."""


def bytes_of(file: str | Path, max_bytes: int) -> bytes:
    """The content of a file. Raises BadFile, OSError, ValueError."""
    with opened(file, max_bytes) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as content:
        return content.read(max_bytes)


@contextmanager
def opened(file: str | Path, max_bytes: int) -> Iterator[int]:
    """The descriptor of a regular file of at most this size. Raises BadFile, OSError, ValueError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # a pipe would wait for its writer
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BadFile(
                f"{file} is {'a folder, not a file' if stat.S_ISDIR(found.st_mode) else 'not a regular file'}"
            )
        if found.st_size > max_bytes:
            raise BadFile(f"the file {file} is larger than {max_bytes >> 20} MiB")
        yield descriptor
    finally:
        os.close(descriptor)
