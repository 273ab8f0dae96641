"""Programs of Debian's that the tests of real clients run: a shell's curl, and a browser.

`make test` installs the missing ones first (`python -m tests.clients.programs`), and ends at once if that fails. If all
are there, it needs no network. Only the tests need them.
"""

import shutil
import sys

from ops.local.servers import fetch

WANTED = {
    "curl": "a program of docs/clients.md is a shell's, with curl",
    "chromium": "programs of docs/clients.md are a page's, and a browser runs them",
}


def program(name: str) -> str:
    """Where it is, once it is installed if it was missing. Raises FetchError."""
    install([name])
    found = shutil.which(name)
    if not found:
        raise fetch.FetchError(f"{name} was installed and is not on PATH")
    return found


def install(names: list[str]) -> None:
    """Those that are missing, all at once. Raises FetchError."""
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        fetch.apt_install(tuple(missing), "; ".join(WANTED[name] for name in missing))


if __name__ == "__main__":
    try:
        install([*WANTED])
    except fetch.FetchError as error:
        sys.exit(str(error))
