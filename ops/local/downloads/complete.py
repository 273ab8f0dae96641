"""A folder of the cache gets its name only when it is complete."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ops.output import EXIT_OK, EXIT_WRONG, complain

# A registry that hangs must end in a message.
FETCH_SECONDS = 900

# What a killed download has left. No download takes so long.
STALE_SECONDS = 86_400
UNFINISHED = "new-"


class FetchError(Exception):
    """A file is missing and could not be downloaded. The message says what to do."""


@contextmanager
def whole_or_absent(home: Path) -> Iterator[Path]:
    """A new folder that becomes `home` if the block succeeds, and is removed otherwise. Raises FetchError."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(home.parent)
        new = Path(tempfile.mkdtemp(prefix=f"{UNFINISHED}{home.name}-", dir=home.parent))
    except OSError as error:
        raise FetchError(not_writable(home.parent, error)) from None
    try:
        yield new
        new.chmod(0o755)  # the cache may be shared, and holds no secrets
        if not home.exists():
            new.rename(home)
    except OSError as error:
        raise FetchError(not_writable(home.parent, error)) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def exit_status(fetch: Callable[[], object]) -> int:
    """The exit status of a program that only fetches. A FetchError is its message."""
    try:
        fetch()
    except FetchError as error:
        complain(str(error))
        return EXIT_WRONG
    return EXIT_OK


def remove_stale(cache: Path) -> None:
    """Remove what killed downloads have left."""
    for left in cache.glob(f"{UNFINISHED}*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def not_writable(cache: Path, error: OSError) -> str:
    reason = error.strerror or "no reason given"
    return (
        f"The cache folder {cache} can't be written: {reason}. "
        "Correct that, or set TALLYMILL_CACHE to another folder, then try again"
    )


def run(
    command: list[str], seconds: float, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program. If it can't be run or hangs, the exit status is 127. `folder`: where it stands."""
    try:
        return subprocess.run(  # noqa: S603 the commands are ours
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **(environ or {})},
            cwd=folder,
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", error.strerror or "it can't be run")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 127, "", f"no answer within {seconds:g} s")
