"""Files and folders that only their owner can read: they hold secrets, or what clients have sent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOR_THE_OWNER = 0o700
FILE_FOR_THE_OWNER = 0o600
OTHERS = 0o077


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from the first byte on. It replaces the old file at once."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_FOR_THE_OWNER)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    new.replace(path)


def private_folder(path: Path) -> None:
    """Make the folder if it is missing. An earlier version may have made it readable for all."""
    path.mkdir(mode=FOR_THE_OWNER, parents=True, exist_ok=True)
    if path.stat().st_mode & OTHERS:
        path.chmod(FOR_THE_OWNER)


@contextmanager
def private_files() -> Iterator[None]:
    """What this process and its children create meanwhile is the owner's alone, whatever the user's umask is."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)
