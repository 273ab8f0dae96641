"""Unpacks wheels that are pinned by hash: with the pip of this interpreter, otherwise with uv.

Where wheels come from is what pip's or uv's own configuration says. Both start in the new folder, because uv reads the
configuration of a project where it stands.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree, which

from ops.local.downloads.complete import FETCH_SECONDS, FetchError, run
from ops.local.servers.paths import cache_folder
from ops.output import complain, progress_bar

POLL_SECONDS = 0.2

# Three tries of each address take pip a few seconds, six half a minute.
USUAL_RETRIES = "2"

WHAT_TO_DO = "Check the network and the settings of pip (`pip config list`), then try again"


@dataclass(frozen=True, slots=True)
class Wheels:
    """Wheels to unpack. `pin`: a requirements file with hashes."""

    what: str
    pin: Path
    megabytes: int


def fetch_wheels(folder: Path, wheels: Wheels) -> None:
    """Unpack wheels into an empty folder. Raises FetchError."""
    (_pip if has_pip() else _uv)(folder, wheels)


@cache
def has_pip() -> bool:
    """Whether this interpreter has pip. An environment that uv has made has none."""
    return find_spec("pip") is not None


def pip_command(pin: Path, target: Path) -> list[str]:
    """`-I`: neither the folder where the user stands nor a variable of Python changes what is imported.

    pip's own cache is not used: the wheels are kept here already.
    """
    options = ["--target", str(target), "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"]
    quiet = ["--no-cache-dir", "--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    return [sys.executable, "-I", "-m", "pip", "install", *options, *quiet, "-r", str(pin)]


def _pip(new: Path, wheels: Wheels) -> None:
    complain(f"Downloading {wheels.what} ({wheels.megabytes} MB)")
    log, unfinished = new / "pip.log", new / "unfinished"
    unfinished.mkdir()
    # A user's `user = true` or a required virtual environment doesn't fit --target.
    environ = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "TMPDIR": str(unfinished)}
    environ = {"PIP_RETRIES": USUAL_RETRIES, **os.environ, **environ}
    with log.open("wb") as output, progress_bar(" ", wheels.megabytes << 20) as advance:
        status = _watched(
            subprocess.Popen(  # noqa: S603 our own command
                pip_command(wheels.pin, new),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                cwd=new,
            ),
            Growth(unfinished, advance),
        )
    if status:
        raise FetchError(f"{wheels.what} could not be downloaded: {pip_reason(log.read_text(errors='replace'))}")
    log.unlink()
    rmtree(unfinished, ignore_errors=True)


class Growth:
    """The bytes of wheels that a folder has gained. pip removes folders meanwhile, which os.walk ignores."""

    def __init__(self, folder: Path, advance: Callable[[int], None]) -> None:
        self._folder = folder
        self._advance = advance
        self._seen = 0

    def look(self) -> None:
        found = (Path(top, name) for top, _, names in os.walk(self._folder) for name in names)
        now = sum(size_of(path) for path in found if path.suffix == ".whl")
        if now > self._seen:
            self._advance(now - self._seen)
            self._seen = now


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is gone already
        return 0


def _watched(process: "subprocess.Popen[bytes]", growth: Growth) -> int:
    """The exit status. The process is killed if it takes too long, or if this one is interrupted."""
    give_up = time.monotonic() + FETCH_SECONDS
    try:
        while time.monotonic() < give_up:
            try:
                return process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                growth.look()
        return 1
    finally:
        process.kill()
        process.wait()


def pip_reason(output: str) -> str:
    """The reason in pip's output, in a sentence, and what to do."""
    if "connection broken" in output or not output.strip():
        return f"the package index does not answer. {WHAT_TO_DO}"
    if "DO NOT MATCH THE HASHES" in output:
        return "what the package index offers has another content (SHA-256) than expected. Try another index"
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    last = errors[-1] if errors else output.strip().splitlines()[-1]
    found = re.search(r"\[Errno \d+\] (.*)", last)
    return f"{found[1] if found else last}. {WHAT_TO_DO}"


def _uv(new: Path, wheels: Wheels) -> None:
    """The cache of uv is tried first: if it has the wheels, no network is needed."""
    command = [uv_file(), "pip", "install", "--python", sys.executable, "--target", str(new), "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "-r", str(wheels.pin)]
    if run([*command, "--offline"], FETCH_SECONDS, folder=new).returncode == 0:
        return
    complain(f"Downloading {wheels.what} ({wheels.megabytes} MB)")
    fetched = subprocess.run(command, timeout=FETCH_SECONDS, check=False, cwd=new)  # noqa: S603 our own command
    if fetched.returncode:
        raise FetchError(f"{wheels.what} could not be downloaded. The reason is above")


def uv_file() -> str:
    """The uv on PATH, or the private one of ops/bootstrap.sh in the cache. Raises FetchError."""
    private = sorted(cache_folder().glob("uv-*/bin/uv"))
    uv = which("uv") or (str(private[0]) if private else None)
    if uv is None:
        # Debian's packages and the image have no ensurepip.
        example = f" (for example with: {sys.executable} -m ensurepip)" if find_spec("ensurepip") else ""
        raise FetchError(
            f"This Python has no pip, and there is no uv, so nothing can be downloaded. Install one of them{example}, "
            "or use servers of your own: set kafka.bootstrap_servers and mongodb.uri"
        )
    return uv
