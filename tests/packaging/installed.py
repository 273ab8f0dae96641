"""tallymill installed from its wheel: in an environment of its own, for a user who has nothing else.

The user is `nobody` where the tests run as root, otherwise whoever runs them. PATH has the environment, and of the
machine only a shell, curl and what is asked for: no uv, no Maven, no Makefile, no checkout.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ops.local.downloads.wheels import uv_file
from ops.local.servers.fetch import kafka_files, mongod_file
from ops.local.servers.paths import cache_folder
from tests.end_to_end.running import COMMAND_SECONDS, until
from tests.ops.local.servers.test_processes import is_alive
from tests.patience import PATIENCE_SECONDS
from tests.test_habits import ROOT

RUNTIME = ROOT / "requirements" / "runtime.txt"

NOBODY = 65_534

# Of the machine: what `up` and its printed commands need.
PROGRAMS = ("sh", "curl")


@dataclass(frozen=True, slots=True)
class Installed:
    """The environment of the wheel, and folders of the user. Nothing else of the user's exists."""

    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def stands(self) -> Path:
        """An empty folder. Its name has what shells, Java and properties files read in their own ways."""
        return self.folder / "wo ich's hör"

    def give(self, *programs: str) -> None:
        """Put programs of the machine on the user's PATH."""
        for program in programs:
            (self.bin / program).symlink_to(str(shutil.which(program)))

    def start(
        self, *words: str, environ: Mapping[str, str] | None = None, stands: Path | None = None
    ) -> "subprocess.Popen[str]":
        """A command in the foreground: the first process of a new group, as a shell starts it."""
        return subprocess.Popen(
            [*as_user(), *words],
            cwd=stands or self.stands,
            env={
                "HOME": str(self.home),
                "PATH": f"{self.environment / 'bin'}:{self.bin}",
                "LANG": "C.UTF-8",
                **(environ or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None, stands: Path | None = None
    ) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        with self.start(*words, environ=environ, stands=stands) as process:
            output, errors = process.communicate(timeout=COMMAND_SECONDS)
            return process.returncode, output, errors

    def processes(self) -> list[int]:
        """The user's processes that have this home."""
        marker = f"HOME={self.home}\0".encode()
        found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in found if marker in environment_of(pid)]

    def files(self) -> set[str]:
        """Everything below the user's folders, and what another user than that of the tests has for temporary files."""
        own = {str(path) for folder in (self.home, self.stands) for path in folder.rglob("*")}
        return own | (set(temporary_files()) if os.geteuid() == 0 else set())


def temporary_files() -> Iterator[str]:
    """Of the user that only these tests have."""
    for entry in os.scandir(tempfile.gettempdir()):
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_uid == NOBODY:
                yield entry.path


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""


def as_user() -> list[str]:
    """What a command begins with, so that another user runs it. What `setpriv` itself starts may still be root's."""
    if os.geteuid() != 0:
        return []
    return ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/bin/env"]


def interpreter() -> str:
    """One that the user can run: root's own may be in a home that is closed to others."""
    code = "import os, sys; print(os.path.realpath('/proc/self/exe') if sys.version_info >= (3, 11) else '')"
    for name in (sys.executable, *(f"/usr/bin/python3{minor}" for minor in ("", ".11", ".12", ".13", ".14"))):
        command = [*as_user(), str(Path(name).resolve()), "-c", code]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if found:
            return found
    raise AssertionError("There is no Python 3.11 or later that another user can run: install python3 with apt-get")


@contextmanager
def installed() -> Iterator[Installed]:
    """Build the wheel and install it. Packages come from the caches of this machine, if they have them."""
    with tempfile.TemporaryDirectory(prefix="tallymill-wheel-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = Installed(folder)
        wheel = build(folder / "dist")
        uv("venv", "--quiet", "--seed", "--clear", "--python", interpreter(), str(made.environment))
        python = ("--python", str(made.environment / "bin" / "python"))
        uv("pip", "install", "--quiet", *python, "--require-hashes", "--compile-bytecode", "-r", str(RUNTIME))
        uv("pip", "install", "--quiet", *python, "--no-deps", "--compile-bytecode", str(wheel))
        uv("pip", "check", "--quiet", *python)
        for mine in (made.home, made.stands):
            mine.mkdir()
            if os.geteuid() == 0:
                os.chown(mine, NOBODY, NOBODY)
        made.bin.mkdir()
        made.give(*PROGRAMS)
        for left in temporary_files() if os.geteuid() == 0 else ():  # by other runs
            subprocess.run(["/bin/rm", "--recursive", "--force", left], check=False)
        try:
            yield made
        finally:
            for pid in made.processes():
                os.kill(pid, signal.SIGKILL)
            until(lambda: not any(is_alive(pid) for pid in made.processes()), "its processes are gone")


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=PATIENCE_SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel


def uv(*words: str) -> None:
    for more in (["--offline"], []):
        ran = subprocess.run([uv_file(), *words, *more], capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            return
    raise AssertionError(ran.stderr)


def downloads(made: Installed) -> Path:
    """A cache with the servers' files of this machine, which the user can read and not write."""
    cache, own = made.folder / "cache", cache_folder()
    cache.mkdir()
    files = kafka_files()
    for path in (files.jars, files.archive, Path(files.java), Path(mongod_file())):
        if path is None:
            continue
        if path.is_relative_to(own):
            copy(own / path.relative_to(own).parts[0], cache)
        else:
            made.give(path.name)
    return cache


def copy(whole: Path, folder: Path) -> None:
    """By links, if both are on one disk."""
    for way in ("--link", "--preserve"):
        ran = subprocess.run(["/bin/cp", "--recursive", way, str(whole), str(folder)], capture_output=True, check=False)
        if ran.returncode == 0:
            if whole.is_dir():
                (folder / whole.name).chmod(0o755)
            return
    raise AssertionError(ran.stderr)
